"""The range of each number that a user gives, declared in a dataclass field's metadata.

    min, max: bounds; the number may be equal to them.
    above: a bound that the number may not be equal to.
    infinite: an infinity is a value, too.

NaN is in no range. Flags, settings files and the Python API are checked by the same function.
"""

from collections.abc import Mapping
from dataclasses import fields
from math import isfinite, isnan
from typing import Any

from treegraft.errors import UsageError

_LARGEST = 2**63 - 1
"""Integers beyond it fit neither SQLite nor a tensor."""
SEED = {"min": -(2**63), "max": _LARGEST}
"""Seeds that endpoints and torch take."""


def check_ranges(options: Any) -> None:
    """Check every number in the dataclass `options`; call it in `__post_init__`.

    Raises:
        UsageError: One is out of its range; names the flag.
    """
    for each in fields(options):
        flag = str(each.metadata.get("flag", each.name)).replace("_", "-")
        check_range(f"--{flag}", getattr(options, each.name), each.metadata)


def check_range(flag: str, value: Any, bounds: Mapping[str, Any]) -> None:
    """Check that `value`, if it is a number, is within `bounds`.

    Raises:
        UsageError: It is not.
    """
    if wrong := out_of_range(value, bounds):
        raise UsageError(f"{flag} {value}: {wrong}")


def out_of_range(value: Any, bounds: Mapping[str, Any]) -> str:
    """Return what a number must be, as the end of a message; "" if it is that, or no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if isnan(value) or not (isfinite(value) or bounds.get("infinite")):
        return f"must be a number{_stated(bounds)}"
    if isinstance(value, int) and abs(value) > _LARGEST:
        return f"must be at most {_LARGEST}"
    low, high, above = (bounds.get(name) for name in ("min", "max", "above"))
    if low is not None and value < low:
        return f"must be at least {low}"
    if above is not None and value <= above:
        return f"must be above {above}"
    if high is not None and value > high:
        return f"must be at most {high}"
    return ""


def _stated(bounds: Mapping[str, Any]) -> str:
    words = {"min": "at least", "above": "above", "max": "at most"}
    parts = [f"{word} {bounds[name]}" for name, word in words.items() if name in bounds]
    return f", {' and '.join(parts)}" if parts else ""
