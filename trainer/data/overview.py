"""What a source of rows holds, before anything is trained on it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from trainer.data.mask import weight_of
from trainer.data.mask_audit import Conversation, conversations_of, label_or_reason
from trainer.data.row_source import SourceRow
from trainer.errors import TemplateRefused
from trainer.tokens.chat_template import ChatTemplate


@dataclass(slots=True)
class Overview:
    """Counts of a source.

    Attributes:
        rows: Rows, those included that cannot be used.
        formats: What they were taken for.
        roles: Messages of the usable rows, by role.
        context_turns: Assistant messages of weight 0.
        weighted_turns: Assistant messages of a weight other than 0 and 1.
        with_tools: Usable rows with tool definitions.
        labels: Rows labelled true and false, for KTO.
        test_split: Rows of the test split.
        left_out: Rows that would be left out, by reason.
        lengths: Length of each usable conversation, in tokens, or in characters without a model;
            a pair is two.
    """

    rows: int = 0
    formats: Counter[str] = field(default_factory=Counter)
    roles: Counter[str] = field(default_factory=Counter)
    context_turns: int = 0
    weighted_turns: int = 0
    with_tools: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    test_split: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    lengths: list[int] = field(default_factory=list)

    def quantiles(self) -> dict[str, int]:
        """Return the least, the median, the 95th percentile and the greatest length."""
        ordered = sorted(self.lengths) or [0]
        last = len(ordered) - 1
        places = {"least": 0, "median": last // 2, "95 %": round(0.95 * last), "most": last}
        return {name: ordered[place] for name, place in places.items()}


def overview(rows: Iterable[SourceRow], renderer: ChatTemplate | None, max_length: int) -> Overview:
    """Count what `rows` hold.

    Args:
        rows: The rows.
        renderer: The chat template that would show them, None to count characters.
        max_length: Tokens over which a row would be left out.
    """
    found = Overview()
    for row in rows:
        found.rows += 1
        found.formats[row.format] += 1
        found.test_split += row.split == "test"
        if "label" in row.value:
            found.labels[str(row.value["label"]).lower()] += 1
        conversations = list(conversations_of(row))
        reasons = [reason for one in conversations if (reason := _add(found, one, renderer))]
        if any(length > max_length for length in found.lengths[-len(conversations) :]) and renderer:
            reasons.append(f"over --max-length {max_length}")
        if reasons:
            found.left_out[reasons[0]] += 1
        else:
            found.with_tools += bool(row.value["tools"])
    return found


def _add(found: Overview, one: Conversation, renderer: ChatTemplate | None) -> str:
    """Add a conversation; return why it cannot be used, or ""."""
    if one.defect:
        return one.defect
    found.roles.update(message["role"] for message in one.messages)
    found.context_turns += sum(weight_of(message) == 0 for message in one.messages)
    found.weighted_turns += sum(weight_of(message) not in (0, 1) for message in one.messages)
    if renderer is None:
        found.lengths.append(sum(map(_characters, one.messages)))
        return ""
    try:
        sequences = label_or_reason(renderer, one)
    except TemplateRefused as error:
        return str(error).partition(": ")[2]
    if isinstance(sequences, str):
        return sequences
    found.lengths.append(max((len(each.ids) for each in sequences), default=0))
    return "" if any(each.trained for each in sequences) else "nothing in it is trained"


def _characters(message: dict[str, Any]) -> int:
    calls = message.get("tool_calls") or []
    arguments = "".join(call["function"]["arguments"] for call in calls)
    return len(message["content"] + (message.get("reasoning_content") or "") + arguments)
