"""From a file of rows to sequences: reads, checks, labels, and says what was left out and why."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.templates.base import Message
from trainer.errors import RowError, TrainerError
from trainer.mask import Labelled, label
from trainer.rendering import Renderer

_ROLES = {"system", "user", "assistant", "tool", "developer"}


@dataclass(frozen=True, slots=True)
class Row:
    """One conversation. line: where it stands in the file, from 1."""

    line: int
    messages: list[Message]
    tools: list[dict[str, Any]]


@dataclass(slots=True)
class Prepared:
    """sequences: what the trainer gets.   rows: read.   dropped: rows left out, by reason."""

    sequences: list[Labelled] = field(default_factory=list)
    rows: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

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


def read_rows(file: Path) -> Iterator[Row]:
    """The rows of a JSON-lines file as `engine export --to sft` writes it; blank lines skipped.

    Raises:
        TrainerError: the file is missing, or a line is no row; with the line's number.
    """
    if not file.is_file():
        raise TrainerError(f"{file}: no such file; write one with: engine export RUN --to sft")
    with file.open(encoding="utf-8") as lines:
        try:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _row(number, line)
        except RowError as error:
            raise TrainerError(f"{file}: line {number}: {error}") from error
        except UnicodeDecodeError as error:
            raise TrainerError(f"{file}: not UTF-8 text ({error})") from error


def prepare(renderer: Renderer, rows: Iterable[Row], max_length: int) -> Prepared:
    """Label `rows`. A row of which any sequence is over `max_length` tokens is dropped whole:
    a cut conversation would teach an unfinished one.

    Raises:
        TemplateRefused: naming the line.
    """
    made = Prepared()
    for row in rows:
        made.rows += 1
        try:
            sequences = label(renderer, row.messages, row.tools)
        except RowError as error:
            made.dropped[str(error)] += 1
            continue
        except TrainerError as error:
            raise type(error)(f"line {row.line}: {error}") from error
        if any(len(sequence.ids) > max_length for sequence in sequences):
            made.dropped[f"over --max_length {max_length}"] += 1
        else:
            made.sequences += sequences
    return made


def _row(number: int, line: str) -> Row:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise RowError(f"not valid JSON ({error})") from error
    if not isinstance(value, dict) or not isinstance(value.get("messages"), list):
        raise RowError('a row must be an object with "messages", a list')
    tools = value.get("tools") or []
    if isinstance(tools, str):  # as some exporters write it, to keep Arrow from merging schemas
        tools = _tools(tools)
    for message in value["messages"]:
        _check_message(message)
    return Row(number, value["messages"], tools)


def _tools(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise RowError(f"tools is text that is not JSON ({error})") from error


def _check_message(message: Any) -> None:
    if not isinstance(message, dict) or message.get("role") not in _ROLES:
        raise RowError(f"a message must have a role of {', '.join(sorted(_ROLES))}")
    if not isinstance(message.get("content") or "", str):
        raise RowError("a message's content must be text")
    for call in message.get("tool_calls") or []:
        if not isinstance(call, dict) or "name" not in (call.get("function") or {}):
            raise RowError("a tool call must have a function with a name")
