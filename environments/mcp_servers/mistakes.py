"""Plausible wrong versions of a call: another file, a number off by one, one thing forgotten."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from environments.mcp_servers.inside.paths import WORK

MOST = 3
_NUMBER = re.compile(r"\d+")


def wrong_arguments(arguments: Mapping[str, Any], files: Sequence[str]) -> list[dict[str, Any]]:
    """Return at most `MOST` wrong versions; `files` are those that the task sets up."""
    found: list[dict[str, Any]] = []
    for key, value in arguments.items():
        for wrong in _wrong(value, files):
            made = {**arguments, key: wrong}
            if made != arguments and made not in found:
                found.append(made)
    return found[:MOST]


def _wrong(value: Any, files: Sequence[str]) -> Iterator[Any]:
    if isinstance(value, str):
        yield from _wrong_text(value, files)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield value + 1
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from ([*value[:at], wrong, *value[at + 1 :]] for wrong in _wrong(item, files))
        if len(value) > 1:
            yield value[:-1]
    elif isinstance(value, dict):
        for key, item in reversed(value.items()):
            yield from ({**value, key: wrong} for wrong in _wrong(item, files))


def _wrong_text(text: str, files: Sequence[str]) -> Iterator[str]:
    if text.startswith(f"{WORK}/"):
        path = text.removeprefix(f"{WORK}/")
        folder, _, name = path.rpartition("/")
        others = [file for file in files if file != path]
        near = [file for file in others if file.rpartition("/")[0] == folder]
        yield from (f"{WORK}/{file}" for file in [*near, *others][:1])
        stem, dot, ending = name.rpartition(".")
        if dot:
            yield f"{WORK}/{folder}/{stem}s.{ending}".replace("//", "/")
        return
    if found := _NUMBER.search(text):
        yield f"{text[: found.start()]}{int(found[0]) + 1}{text[found.end() :]}"
    lines = text.splitlines(keepends=True)
    if len(lines) > 1:
        yield "".join(lines[:-1])
    elif len(words := text.split()) > 2:
        yield " ".join(words[:-1])
