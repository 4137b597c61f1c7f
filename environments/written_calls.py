"""Calls as task files write them: `{"tool": ..., "arguments": {...}, "thought": ...}`."""

from collections.abc import Mapping, Sequence
from typing import Any

from environments.records import BadRecord, Record
from environments.types import Action


def calls_in(record: Record, field: str, value: Any, **more: type) -> list[dict[str, Any]]:
    """Return the calls that a field of a record holds; none for None.

    Args:
        more: further fields that each call must have, by type.

    Raises:
        BadRecord: it holds something else.
    """
    fields = {"tool": str, **more}
    calls = value or []
    if not isinstance(calls, list) or not all(_is_call(call, fields) for call in calls):
        names = dict.fromkeys(["tool", "arguments", *more])
        raise BadRecord(
            record.place, f"field {field!r} must be a list of calls ({', '.join(names)})"
        )
    return calls


def actions_of(calls: Sequence[Mapping[str, Any]]) -> list[Action]:
    """Return calls as actions."""
    return [
        Action(call["tool"], call.get("arguments", {}), str(call.get("thought", "")))
        for call in calls
    ]


def _is_call(call: Any, fields: Mapping[str, type]) -> bool:
    return (
        isinstance(call, dict)
        and all(isinstance(call.get(name), kind) for name, kind in fields.items())
        and isinstance(call.get("arguments", {}), dict)
    )
