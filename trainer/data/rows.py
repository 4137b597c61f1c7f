"""From conversations to weighted sequences, with a count of what was left out and why."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.templates.base import Message
from trainer.data.long_conversations import windows
from trainer.data.loss_weights import WeightedConversation, WeightedSequence, weigh
from trainer.data.mask import turns, weight_of
from trainer.data.row_source import RowSource, name_of, source_rows
from trainer.errors import RowError, TemplateRefused, TrainerError
from trainer.runtime.distributed import say_once
from trainer.tokens.chat_template import ChatTemplate


@dataclass(frozen=True, slots=True)
class Row:
    """One conversation.

    Attributes:
        line: Its line in a file of JSON lines, else its record; from 1.
        messages: The messages, in OpenAI's format.
        tools: Tool definitions, in OpenAI's format.
        split: Split of its task, "" if unknown.
        id: Its id, "" if it has none.
        defect: Why it cannot be used, or ""; with one, there are no messages.
    """

    line: int
    messages: list[Message]
    tools: list[dict[str, Any]]
    split: str = ""
    id: str = ""
    defect: str = ""


@dataclass(frozen=True, slots=True)
class PrepareOptions:
    """How rows become sequences.

    Attributes:
        overlong: Whether to drop rows that are too long, or to split them at a turn.
        thought_weight: Loss weight of tokens of thought; see `loss_weights.weigh`.
        lenient: Drop and count rows that the chat template refuses, instead of stopping. Meant
            for chat from other sources.
    """

    overlong: Literal["drop", "split"] = "drop"
    thought_weight: float = 1.0
    lenient: bool = False


@dataclass(slots=True)
class PreparedRows:
    """The sequences of a file, and counts.

    Attributes:
        sequences: What to train on.
        rows: Rows read.
        dropped: Rows left out, by reason.
        split: Rows that became several windows.
        lost_turns: Turns of split rows that no window holds.
        thoughts: Tokens that have the weight of thoughts; 0 where that weight is 1.
        weighted: Assistant messages of a weight other than 0 and 1.
    """

    sequences: list[WeightedSequence] = field(default_factory=list)
    rows: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    split: int = 0
    lost_turns: int = 0
    thoughts: int = 0
    weighted: int = 0

    @property
    def used(self) -> int:
        """Number of rows that are trained on."""
        return self.rows - self.dropped.total()

    @property
    def trained(self) -> int:
        """Tokens that the loss sees, in one epoch."""
        return sum(sequence.trained for sequence in self.sequences)


def read_rows(source: RowSource) -> Iterator[Row]:
    """Yield the conversations of a source, of any known format; see docs/data.md.

    Raises:
        TrainerError: The source cannot be read, or holds something else; names the record.
    """
    for row in source_rows(source):
        if "chosen" in row.value:
            raise TrainerError(
                f"{name_of(source)}: {row.place}: is a pair of chosen and rejected; "
                "train on it with: trainer dpo"
            )
        bad = "its label is false" if row.value.get("label") is False else ""
        messages, tools = row.value.get("messages", []), row.value.get("tools", [])
        yield Row(row.number, messages, tools, row.split, row.id, row.defect or bad)


def prepare(
    renderer: ChatTemplate,
    rows: Iterable[Row],
    max_length: int,
    options: PrepareOptions | None = None,
) -> PreparedRows:
    """Tokenise and weight rows.

    Rows longer than `max_length` tokens are split at a turn or dropped, and counted; no row is
    truncated.

    Raises:
        TemplateRefused: The chat template refuses a row; names the line.
    """
    options = options or PrepareOptions()
    prepared = PreparedRows()
    for row in rows:
        prepared.rows += 1
        try:
            _add(prepared, renderer, row, max_length, options)
        except RowError as error:
            prepared.dropped[str(error)] += 1
        except TemplateRefused as error:
            if not options.lenient:
                raise TemplateRefused(f"line {row.line}: {error}") from error
            prepared.dropped[str(error)] += 1
    return prepared


def reasons(dropped: Counter[str]) -> str:
    """Return why rows were dropped, as words for an error message."""
    found = [f"{reason} {number}" for reason, number in dropped.most_common()]
    return ", ".join(found) or "no rows"


def say_dropped(source: RowSource, rows: int, dropped: Counter[str]) -> None:
    """Tell the person at the terminal how many rows of a source are left out, and why."""
    if dropped:
        say_once(
            f"{name_of(source)}: {dropped.total()} of {rows} rows are left out: {reasons(dropped)}"
        )


def _add(
    prepared: PreparedRows,
    renderer: ChatTemplate,
    row: Row,
    max_length: int,
    options: PrepareOptions,
) -> None:
    """Add the sequences of `row`.

    Raises:
        RowError: There are none.
    """
    if row.defect:
        raise RowError(row.defect)
    parts = [_weighted(renderer, row, row.messages, options.thought_weight)]
    if any(len(one.ids) > max_length for one in parts[0].sequences):
        if options.overlong == "drop":
            raise RowError(f"over --max-length {max_length}")
        fitting, lost = windows(
            row.messages, lambda messages: _length(renderer, row, messages) <= max_length
        )
        if not fitting:
            raise RowError(f"no turn fits --max-length {max_length}")
        parts = [
            _weighted(renderer, row, one.messages, options.thought_weight, one.context_turns)
            for one in fitting
        ]
        prepared.split += 1
        prepared.lost_turns += lost
    sequences = [one for part in parts for one in part.sequences]
    if not sequences:
        raise RowError("nothing in it is trained")
    prepared.sequences += sequences
    prepared.thoughts += sum(part.thoughts for part in parts)
    prepared.weighted += sum(weight_of(message) not in (0, 1) for message in row.messages)


def _weighted(
    renderer: ChatTemplate,
    row: Row,
    messages: list[Message],
    thought_weight: float,
    context_turns: int = 0,
) -> WeightedConversation:
    found = turns(renderer, messages, row.tools)
    replies = [message for message in messages if message["role"] == "assistant"]
    return weigh(renderer, found, replies, thought_weight, context_turns)


def _length(renderer: ChatTemplate, row: Row, messages: list[Message]) -> int:
    found = turns(renderer, messages, row.tools)
    return max(len(turn.context) + len(turn.completion) for turn in found)
