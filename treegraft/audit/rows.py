"""The rows that are audited: those of files in any known format, and those that runs export."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from engine.export.export import ExportSettings, export_rows
from engine.runs.store import FILE
from engine.templates.base import Message
from trainer.data.row_source import source_rows


@dataclass(frozen=True)
class AuditRow:
    """A row in the form of `engine export`.

    Attributes:
        source: the file or run.
        place: the row's id in a run, else its place in the file ("line 3").
        value: the columns.
        line: its line, from 1.
    """

    source: str
    place: str
    value: dict[str, Any]
    line: int

    @property
    def id(self) -> str:
        """Its id, "" if it has none."""
        return str(self.value.get("id") or "")

    @cached_property
    def prompt(self) -> list[Message]:
        """The messages before what is chosen or rejected; () for a row of one conversation."""
        return list(self.value.get("prompt") or ())

    @cached_property
    def messages(self) -> list[Message]:
        """All messages; of a pair, the prompt once, then both halves."""
        if "messages" in self.value:
            return list(self.value["messages"])
        halves = (self.value.get(half) or () for half in ("chosen", "rejected", "completion"))
        return [*self.prompt, *(message for half in halves for message in half)]

    @cached_property
    def asked(self) -> str:
        """The first message of the user."""
        return next((text_of(one) for one in self.messages if one["role"] == "user"), "")

    @cached_property
    def learned(self) -> str:
        """What the student is to write, as one text; of a pair, both halves."""
        start = len(self.prompt)
        return "\n".join(text_of(one) for one in self.messages[start:] if is_learned(one))

    @property
    def reward(self) -> float:
        """The reward, of a pair that of the chosen path; 0 if there is none."""
        return float(self.value.get("reward") or self.value.get("chosen_reward") or 0)

    def answers(self) -> Iterator[tuple[str, str]]:
        """Yield each context in which the student is to answer, as a hash, and the answer."""
        context = hashlib.sha256(_json(self.value.get("tools") or []))
        good = () if self.value.get("label") is False else self.value.get("completion") or ()
        messages = [*self.prompt, *(self.value.get("chosen") or good)] or self.messages
        for place, message in enumerate(messages):
            if place >= len(self.prompt) and is_learned(message):
                yield context.hexdigest(), answer_of(message)
            context.update(_json([message["role"], text_of(message)]))


def is_learned(message: Message) -> bool:
    """Return whether the student is trained on `message`."""
    return message["role"] == "assistant" and message.get("weight") != 0


def text_of(message: Message) -> str:
    """Return all that a message says, thoughts and calls included."""
    calls = [call["function"] for call in message.get("tool_calls") or ()]
    parts = [message.get("reasoning_content"), message.get("content")]
    parts += [f"{call['name']}({call['arguments']})" for call in calls]
    return "\n".join(str(part) for part in parts if part)


def answer_of(message: Message) -> str:
    """Return what a message does: its calls without the thought, else its text."""
    calls = [call["function"] for call in message.get("tool_calls") or ()]
    if calls:
        return json.dumps([[call["name"], call["arguments"]] for call in calls])
    return str(message.get("content") or "").strip()


def read_sources(
    sources: Sequence[Path], settings: ExportSettings
) -> Iterator[AuditRow | tuple[str, str]]:
    """Yield the rows of files and runs; (place, reason) for a row that cannot be used.

    Raises:
        TreegraftError: A source cannot be read; names the record.
    """
    for source in sources:
        if source.is_dir() and (source / FILE).exists():
            for number, row in enumerate(export_rows([source], settings), 1):
                yield AuditRow(str(source), str(row["id"]), row, number)
            continue
        for found in source_rows(source):
            if found.defect:
                yield f"{source}: {found.place}", found.defect
            else:
                place = found.id or found.place
                yield AuditRow(str(source), place, found.value, found.number)


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")
