"""Prompts in a file of any kind: what a model is asked, without the answers.

A file is of any kind that `records` reads, or plain text with one prompt per line. A record is a
row of ours, a task of a benchmark, or a conversation in a known format; what it asks is what comes
before the first reply.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.templates.base import Message
from trainer.data.formats.values import tools
from trainer.data.records import read_file
from trainer.errors import RowError, TrainerError, WrongValue

_CONVERSATIONS = ("messages", "conversations", "prompt")
_TEXTS = ("prompt", "question", "query", "instruction", "problem", "task", "goal", "text", "input")
_IDS = ("id", "task_id", "question_id", "query_id", "qid")
_USERS = {"user", "human"}
_SYSTEMS = {"system", "developer"}


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked.

    Attributes:
        id: Its id in the file, else "line N" or "record N".
        messages: Messages of system and user, up to the first reply.
        tools: Tool definitions, in OpenAI's format.
    """

    id: str
    messages: list[Message]
    tools: list[dict[str, Any]] = field(default_factory=list)

    @property
    def asked(self) -> str:
        """What the user says."""
        return "\n".join(m["content"] for m in self.messages if m["role"] == "user")


def read_prompts(file: Path) -> list[Prompt]:
    """Return the prompts in a file.

    Raises:
        TreegraftError: It cannot be read, holds no prompt, or a record has none; names the record.
    """
    if not file.exists() and not file.is_symlink():
        raise TrainerError(f"{file}: no such file; name a file of prompts, tasks or rows")
    prompts = []
    for record in read_file(file, plain_text=True):
        try:
            prompts.append(_prompt(record.place, record.value))
        except (RowError, WrongValue) as error:
            raise TrainerError(f"{file}: {record.place}: {error}") from error
    if not prompts:
        raise TrainerError(f"{file}: holds no prompt")
    return prompts


def _prompt(place: str, record: Any) -> Prompt:
    if isinstance(record, str):
        return Prompt(place, [{"role": "user", "content": record}])
    if not isinstance(record, dict):
        raise RowError("a record must be an object or a text")
    messages = next(filter(None, (_before_reply(record.get(name)) for name in _CONVERSATIONS)), [])
    if not any(message["role"] == "user" for message in messages):
        messages = [{"role": "user", "content": _text(record)}]
    if isinstance(system := record.get("system"), str) and system and len(messages) == 1:
        messages.insert(0, {"role": "system", "content": system})
    id = next((str(record[name]) for name in _IDS if record.get(name) is not None), place)
    return Prompt(id, messages, tools(record.get("tools")))


def _before_reply(turns: Any) -> list[Message]:
    """Return the messages before the first reply; none if `turns` is no conversation."""
    if isinstance(turns, str) and turns.lstrip().startswith("[{"):  # as in Parquet files
        try:
            turns = json.loads(turns)
        except ValueError:
            return []
    messages: list[Message] = []
    for turn in turns if isinstance(turns, list) else []:
        role, text = _turn(turn)
        if role in _USERS or role in _SYSTEMS:
            messages.append({"role": "user" if role in _USERS else "system", "content": text})
        else:
            break
    return messages


def _turn(turn: Any) -> tuple[str, str]:
    if not isinstance(turn, Mapping):
        raise RowError("a message must be an object")
    text = turn.get("content") if turn.get("content") is not None else turn.get("value")
    if isinstance(text, list):
        parts = (part.get("text") for part in text if isinstance(part, Mapping))
        text = "\n".join(part for part in parts if isinstance(part, str))
    return str(turn.get("role") or turn.get("from")), text if isinstance(text, str) else ""


def _text(record: Mapping[str, Any]) -> str:
    found = {name: record.get(name) for name in _TEXTS}
    texts = {name: text for name, text in found.items() if isinstance(text, str) and text.strip()}
    if not texts:
        raise RowError(f"it has none of messages, conversations, {', '.join(_TEXTS)}")
    first, text = next(iter(texts.items()))
    return f"{text}\n{texts['input']}" if first == "instruction" and "input" in texts else text
