"""General conversations from files as others write them, as rows.

Three forms, told apart by their keys, record by record: OpenAI's `messages`; ShareGPT's
`conversations` (from, value; tools as JSON text); Alpaca's instruction, input, output, with
`system` and `history` where present. A file is one JSON list, or JSON lines.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.templates.base import Message
from trainer.data.rows import Row, conversation, tools_of
from trainer.errors import RowError, TrainerError

_ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "system": "system",
    "observation": "tool",
    "tool": "tool",
}


def read_chats(file: Path) -> list[Row]:
    """The conversations of `file`; their `line` is their number, from 1.

    Raises:
        TrainerError: the file cannot be read, or a record is of no known form; with its number.
    """
    try:
        records = list(_records(file.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise TrainerError(f"--general_data {file}: cannot be read: {reason}") from error
    rows = []
    for number, record in enumerate(records, 1):
        try:
            rows.append(_row(number, record))
        except RowError as error:
            raise TrainerError(f"--general_data {file}: record {number}: {error}") from error
    return rows


def _records(text: str) -> Iterator[Any]:
    if text.lstrip().startswith("["):
        yield from json.loads(text)
    else:
        yield from (json.loads(line) for line in text.splitlines() if line.strip())


def _row(number: int, record: Any) -> Row:
    if not isinstance(record, dict):
        raise RowError("must be an object")
    split = str(record.get("split") or "")
    if "messages" in record:
        return Row(number, conversation(record, "messages"), tools_of(record), split)
    if "conversations" in record:
        tools = [_function(tool) for tool in tools_of(record)]
        return Row(number, _sharegpt(record), tools, split)
    if "instruction" in record and "output" in record:
        return Row(number, _alpaca(record), [], split)
    raise RowError('must have "messages", "conversations", or "instruction" and "output"')


def _alpaca(record: dict[str, Any]) -> list[Message]:
    asked = [str(record["instruction"]), str(record.get("input") or "")]
    said = [text for pair in record.get("history") or [] for text in pair]
    said += ["\n".join(part for part in asked if part), str(record["output"])]
    return [
        *_system(record),
        *({"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(said)),
    ]


def _system(record: dict[str, Any]) -> list[Message]:
    text = str(record.get("system") or "")
    return [{"role": "system", "content": text}] if text else []


def _sharegpt(record: dict[str, Any]) -> list[Message]:
    if not isinstance(record["conversations"], list):
        raise RowError('"conversations" must be a list')
    messages = _system(record)
    for number, said in enumerate(record["conversations"]):
        if not isinstance(said, dict) or not isinstance(said.get("value"), str):
            raise RowError('every turn must have "from" and "value", which is text')
        messages.append(_message(said, f"call_{number}", messages))
    return messages


def _message(said: dict[str, Any], id: str, before: list[Message]) -> Message:
    if said.get("from") == "function_call":
        return {"role": "assistant", "content": "", "tool_calls": [_call(said["value"], id)]}
    role = _ROLES.get(str(said.get("from")))
    if role is None:
        raise RowError(f"a turn is from {said.get('from')!r}; known: {', '.join(_ROLES)}")
    message: Message = {"role": role, "content": said["value"]}
    if role == "tool" and before and (calls := before[-1].get("tool_calls")):
        message["tool_call_id"] = calls[0]["id"]
    return message


def _call(text: str, id: str) -> dict[str, Any]:
    try:
        called = json.loads(text)
        name, arguments = called["name"], called.get("arguments") or {}
    except (ValueError, TypeError, KeyError) as error:
        raise RowError("a function_call must be JSON with name and arguments") from error
    given = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {"id": id, "type": "function", "function": {"name": name, "arguments": given}}


def _function(tool: dict[str, Any]) -> dict[str, Any]:
    return tool if "function" in tool else {"type": "function", "function": tool}
