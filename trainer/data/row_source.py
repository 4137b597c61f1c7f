"""Rows as they come: from a JSON-lines file or from memory, checked message by message."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.templates.base import Message
from trainer.errors import RowError, TrainerError
from treegraft.text_files import read_lines

RowSource = Path | Iterable[Mapping[str, Any]]
"""A JSON-lines file, or rows in memory: dicts or a `datasets.Dataset`."""

_ROLES = {"system", "user", "assistant", "tool", "developer"}


def read_objects(source: RowSource) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of `source` with their numbers, from 1: of a file, those of the lines.

    Blank lines are skipped.

    Raises:
        TrainerError: The file is missing, or a line is not a JSON object; names the line.
    """
    if not isinstance(source, Path):
        yield from enumerate(map(dict, source), 1)
        return
    if not source.exists() and not source.is_symlink():
        raise TrainerError(
            f"{source}: no such file; write one with: engine export RUN --to sft|dpo"
        )
    for number, line in enumerate(read_lines(source), 1):
        if line.strip():
            yield number, _object(source, number, line)


def name_of(source: RowSource) -> str:
    """Return the name of `source` for error messages."""
    return str(source) if isinstance(source, Path) else "the rows in memory"


def fingerprint(source: RowSource) -> str:
    """Return what identifies `source` in the record of a run: a path, or a hash of the rows."""
    if isinstance(source, Path):
        return str(source)
    digest = hashlib.sha256()
    for row in source:
        digest.update(json.dumps(row, sort_keys=True, default=str).encode() + b"\n")
    return f"rows in memory, sha256 {digest.hexdigest()}"


def refuse_test_split(splits: Sequence[str], source: RowSource) -> None:
    """Refuse rows of a test split: a student must not be trained on what measures it.

    Raises:
        TrainerError: Some rows are of the test split.
    """
    if found := splits.count("test"):
        raise TrainerError(
            f"{name_of(source)}: {found} of {len(splits)} rows are of the test split, which would "
            "make every later measurement worthless; export another split, or add "
            "--allow-test-split"
        )


def conversation(value: Mapping[str, Any], column: str) -> list[Message]:
    """Return the messages in a column of a row.

    Raises:
        RowError: The column is missing, or holds something else.
    """
    messages = value.get(column)
    if not isinstance(messages, list):
        raise RowError(f'a row must be an object with "{column}", a list')
    for message in messages:
        _check_message(message)
    return messages


def tools_of(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row's tools.

    Some exporters write them as JSON text, to keep Arrow from merging their schemas.

    Raises:
        RowError: The text is not JSON.
    """
    tools = value.get("tools") or []
    if isinstance(tools, str):
        try:
            tools = json.loads(tools)
        except ValueError as error:
            raise RowError(f"tools is text that is not JSON ({error})") from error
    return list(tools)


def _object(file: Path, number: int, line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise TrainerError(f"{file}: line {number}: not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise TrainerError(f"{file}: line {number}: a row must be an object")
    return value


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
