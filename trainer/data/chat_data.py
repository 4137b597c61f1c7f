"""General conversations in the formats of public data sets, as rows.

Each record has one of three forms, recognised by its keys: OpenAI's `messages`; ShareGPT's
`conversations` (from, value; tools as JSON text); Alpaca's instruction, input, output, with
`system` and `history` where present. A file is one JSON list, or JSON lines.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine.templates.base import Message
from trainer.data.row_source import RowSource, conversation, name_of, tools_of
from trainer.data.rows import Row
from trainer.errors import RowError, TrainerError
from treegraft.file_errors import FileError
from treegraft.text_files import read_text

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


def read_chats(source: RowSource) -> list[Row]:
    """Return the conversations of a source; `line` is the number of a record, from 1.

    Raises:
        TrainerError: The file cannot be read, or a record has no known form; names the record.
    """
    rows = []
    for number, record in enumerate(_records(source), 1):
        try:
            rows.append(_row(number, record))
        except RowError as error:
            raise TrainerError(
                f"--general-data {name_of(source)}: record {number}: {error}"
            ) from error
    return rows


def _records(source: RowSource) -> Iterable[Any]:
    if not isinstance(source, Path):
        return source
    try:
        text = read_text(source)
        if text.lstrip().startswith("["):
            records: list[Any] = json.loads(text)
            return records
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    except FileError as error:
        raise TrainerError(f"--general-data: {error}") from error
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise TrainerError(f"--general-data {source}: cannot be read: {reason}") from error


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
    request = [str(record["instruction"]), str(record.get("input") or "")]
    texts = [text for pair in record.get("history") or [] for text in pair]
    texts += ["\n".join(part for part in request if part), str(record["output"])]
    return [
        *_system(record),
        *({"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)),
    ]


def _system(record: dict[str, Any]) -> list[Message]:
    text = str(record.get("system") or "")
    return [{"role": "system", "content": text}] if text else []


def _sharegpt(record: dict[str, Any]) -> list[Message]:
    if not isinstance(record["conversations"], list):
        raise RowError('"conversations" must be a list')
    messages = _system(record)
    for number, turn in enumerate(record["conversations"]):
        if not isinstance(turn, dict) or not isinstance(turn.get("value"), str):
            raise RowError('every turn must have "from" and "value", which is text')
        messages.append(_message(turn, f"call_{number}", messages))
    return messages


def _message(turn: dict[str, Any], id: str, before: list[Message]) -> Message:
    if turn.get("from") == "function_call":
        return {"role": "assistant", "content": "", "tool_calls": [_call(turn["value"], id)]}
    role = _ROLES.get(str(turn.get("from")))
    if role is None:
        raise RowError(f"a turn is from {turn.get('from')!r}; known: {', '.join(_ROLES)}")
    message: Message = {"role": role, "content": turn["value"]}
    if role == "tool" and before and (calls := before[-1].get("tool_calls")):
        message["tool_call_id"] = calls[0]["id"]
    return message


def _call(text: str, id: str) -> dict[str, Any]:
    try:
        called = json.loads(text)
        name, arguments = called["name"], called.get("arguments") or {}
    except (ValueError, TypeError, KeyError) as error:
        raise RowError("a function_call must be JSON with name and arguments") from error
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _function(tool: dict[str, Any]) -> dict[str, Any]:
    return tool if "function" in tool else {"type": "function", "function": tool}
