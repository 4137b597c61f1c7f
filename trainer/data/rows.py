"""From a file of rows to sequences: reads, checks, weighs, and says what was left out and why."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.templates.base import Message
from trainer.data.long_conversations import Overlong, windows
from trainer.data.loss_weights import WeightedSequence, WeightOptions, weigh
from trainer.data.mask import turns
from trainer.errors import RowError, TemplateRefused, TrainerError
from trainer.tokens.chat_template import ChatTemplate

_ROLES = {"system", "user", "assistant", "tool", "developer"}


@dataclass(frozen=True, slots=True)
class Row:
    """One conversation. line: where it stands in the file, from 1.   split: of its task."""

    line: int
    messages: list[Message]
    tools: list[dict[str, Any]]
    split: str = ""


@dataclass(frozen=True, slots=True)
class How:
    """How rows become sequences.

    overlong: what becomes of rows over the longest length.   thought_weight: see `weights.weigh`.
    lenient: drop and count a row that the chat template refuses, instead of stopping: for chat
    from elsewhere.
    """

    overlong: Overlong = "drop"
    thought_weight: float = 1.0
    lenient: bool = False


@dataclass(slots=True)
class PreparedRows:
    """sequences: what the trainer gets.   rows: read.   dropped: rows left out, by reason.
    split: rows that became several windows.   lost: turns of such rows that are in no window.
    thoughts: tokens that have the thought's weight; 0 where it is 1."""

    sequences: list[WeightedSequence] = field(default_factory=list)
    rows: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    split: int = 0
    lost: int = 0
    thoughts: int = 0

    @property
    def used(self) -> int:
        """Rows that are trained on."""
        return self.rows - self.dropped.total()

    @property
    def tokens(self) -> int:
        """Token ids in all sequences."""
        return sum(len(sequence.ids) for sequence in self.sequences)

    @property
    def trained(self) -> int:
        """Tokens that the loss sees, in one epoch."""
        return sum(sequence.trained for sequence in self.sequences)

    @property
    def reasons(self) -> str:
        """Why rows were dropped, in words."""
        return ", ".join(f"{reason} {number}" for reason, number in self.dropped.most_common())


def read_rows(file: Path) -> Iterator[Row]:
    """The rows of a JSON-lines file as `engine export --to sft` writes it; blank lines skipped.

    Raises:
        TrainerError: the file is missing, or a line is no row; with the line's number.
    """
    for number, value in read_objects(file):
        try:
            yield _row(number, value)
        except RowError as error:
            raise TrainerError(f"{file}: line {number}: {error}") from error


def read_objects(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSON-lines file and the numbers of their lines. Raises: as `read_rows`."""
    if not file.is_file():
        raise TrainerError(f"{file}: no such file; write one with: engine export RUN --to sft|dpo")
    with file.open(encoding="utf-8") as lines:
        try:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, _object(file, number, line)
        except UnicodeDecodeError as error:
            raise TrainerError(f"{file}: not UTF-8 text ({error})") from error


def refuse_test(splits: Sequence[str], file: Path) -> None:
    """See that no row is of a test split: a student must not be trained on what measures it.

    Raises:
        TrainerError: some are.
    """
    if found := splits.count("test"):
        raise TrainerError(
            f"{file}: {found} of {len(splits)} rows are of the test split, which would make every "
            "later measurement worthless; export another split, or say --allow_test_split"
        )


def prepare(
    renderer: ChatTemplate, rows: Iterable[Row], max_length: int, how: How | None = None
) -> PreparedRows:
    """Weigh `rows`. None is cut at a token: one of which any sequence is over `max_length` tokens
    is split at a turn or dropped whole (`How.overlong`), and counted.

    Raises:
        TemplateRefused: naming the line.
    """
    how = how or How()
    made = PreparedRows()
    for row in rows:
        made.rows += 1
        try:
            reason = _add(made, renderer, row, max_length, how)
        except RowError as error:
            reason = str(error)
        except TemplateRefused as error:
            if not how.lenient:
                raise TemplateRefused(f"line {row.line}: {error}") from error
            reason = str(error)
        if reason:
            made.dropped[reason] += 1
    return made


def _add(made: PreparedRows, renderer: ChatTemplate, row: Row, longest: int, how: How) -> str:
    """Add the sequences of `row`; else say why there are none."""
    found = _weighed(renderer, row, row.messages, how)
    if any(len(one.ids) > longest for one in found.sequences):
        if how.overlong == "drop":
            return f"over --max_length {longest}"
        parts, lost = windows(row.messages, lambda said: _length(renderer, row, said) <= longest)
        if not parts:
            return f"no turn fits --max_length {longest}"
        weighed = [_weighed(renderer, row, one.messages, how, one.seen) for one in parts]
        made.split += 1
        made.lost += lost
    else:
        weighed = [found]
    sequences = [one for part in weighed for one in part.sequences]
    made.sequences += sequences
    made.thoughts += sum(part.thoughts for part in weighed)
    return "" if sequences else "nothing in it is trained"


def _weighed(
    renderer: ChatTemplate, row: Row, messages: list[Message], how: How, seen: int = 0
) -> WeightOptions:
    pairs = turns(renderer, messages, row.tools)
    said = [message for message in messages if message["role"] == "assistant"]
    return weigh(renderer, pairs, said, how.thought_weight, seen)


def _length(renderer: ChatTemplate, row: Row, messages: list[Message]) -> int:
    pairs = turns(renderer, messages, row.tools)
    return max(len(turn.context) + len(turn.completion) for turn in pairs)


def _object(file: Path, number: int, line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise TrainerError(f"{file}: line {number}: not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise TrainerError(f"{file}: line {number}: a row must be an object")
    return value


def _row(number: int, value: dict[str, Any]) -> Row:
    messages = conversation(value, "messages")
    return Row(number, messages, tools_of(value), str(value.get("split") or ""))


def conversation(value: dict[str, Any], column: str) -> list[Message]:
    """The messages in a column of a row. Raises: RowError: there are none, or they are none."""
    messages = value.get(column)
    if not isinstance(messages, list):
        raise RowError(f'a row must be an object with "{column}", a list')
    for message in messages:
        _check_message(message)
    return messages


def tools_of(value: dict[str, Any]) -> list[dict[str, Any]]:
    """A row's tools; some exporters write them as text, to keep Arrow from merging schemas."""
    tools = value.get("tools") or []
    if isinstance(tools, str):
        try:
            tools = json.loads(tools)
        except ValueError as error:
            raise RowError(f"tools is text that is not JSON ({error})") from error
    return list(tools)


def _check_message(message: Any) -> None:
    if not isinstance(message, dict) or message.get("role") not in _ROLES:
        raise RowError(f"a message must have a role of {', '.join(sorted(_ROLES))}")
    if not isinstance(message.get("content") or "", str):
        raise RowError("a message's content must be text")
    if message.get("weight") not in (None, 0, 1):
        raise RowError("a message's weight must be 0 (context only) or 1")
    for call in message.get("tool_calls") or []:
        if not isinstance(call, dict) or "name" not in (call.get("function") or {}):
            raise RowError("a tool call must have a function with a name")
