"""How rows are spread over worlds, groups, tools and lengths; and rows made even."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from random import Random
from statistics import median

from treegraft.audit.rows import AuditRow, is_learned

_ACTION = re.compile(r"^(?:Action|Command): *(\S+)", re.MULTILINE)


def _tools(row: AuditRow) -> list[str]:
    """Return the tools that a row calls where it is trained, as far as its form is known."""
    names: list[str] = []
    for message in filter(is_learned, row.messages[len(row.prompt) :]):
        calls = [call["function"]["name"] for call in message.get("tool_calls") or ()]
        text = str(message.get("content") or "")
        names += calls or _ACTION.findall(text) or _json_names(text)
    return names or ["(none found)"]


def _json_names(text: str) -> list[str]:
    """Return the name in a reply that is, or ends with, one JSON object of a call."""
    start, end = text.find("{"), text.rfind("}")
    try:
        value = json.loads(text[start : end + 1])
    except ValueError:
        return []
    value = value.get("command", value) if isinstance(value, dict) else {}
    name = value.get("name") or value.get("api_name") if isinstance(value, dict) else ""
    return [str(name)] if name else []


def _length(row: AuditRow) -> str:
    number = sum(map(is_learned, row.messages[len(row.prompt) :]))
    return next(f"{at} to {2 * at - 1} turns" for at in (1, 2, 4, 8, 16, 32, 1 << 30)
                if number < 2 * at)  # fmt: skip


def _column(name: str) -> Callable[[AuditRow], list[str]]:
    return lambda row: [str(row.value.get(name) or "(none)")]


KEYS: Mapping[str, Callable[[AuditRow], list[str]]] = {
    "env": _column("env"),
    "group": _column("group"),
    "split": _column("split"),
    "source": _column("source"),
    "template": _column("template"),
    "tool": _tools,
    "length": lambda row: [_length(row)],
}
"""What rows are counted by: the values that a row has."""


def spread(rows: Sequence[AuditRow]) -> dict[str, Counter[str]]:
    """Return how many rows have each value of each key."""
    return {
        key: Counter(value for row in rows for value in set(values(row)))
        for key, values in KEYS.items()
    }


def balanced(rows: Sequence[AuditRow], key: str, most: int | None, seed: int) -> list[int]:
    """Return the places of rows to keep so that no value of `key` has more than `most`.

    Args:
        rows: The rows.
        key: One of `KEYS`. A row with several values (tools) counts for the rarest of them.
        most: Rows per value; None for what the median value has.
        seed: Of the choice among a value's rows.
    """
    counts = spread(rows)[key]
    limit = most if most is not None else int(median(counts.values() or [0]))
    by_value: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        rarest = min(KEYS[key](row), key=lambda value: (counts[value], value))
        by_value.setdefault(rarest, []).append(place)
    kept: list[int] = []
    for value, places in by_value.items():
        chosen = Random(f"{seed}|{value}").sample(places, min(limit, len(places)))
        kept += chosen
    return sorted(kept)
