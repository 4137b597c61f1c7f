"""How values travel between the grader and the answer's process: as JSON, so nothing executes.

This is how the answer's values reach the grader. The answer may trust the grader, which uses
marshal.

Plain data comes back as data of the same type; an instance of a subclass as one of its base (a
named tuple keeps its names); an iterator as an iterator over its first `MOST_ITEMS`; a defaultdict
as a dict; a NumPy value as Python's. What is not data (a function, an object of another class)
stays where it is, and is referred to by number. Sharing within a value is lost: two references to
one list come back as two lists.
"""

# No import here may take long: every answer's process waits for it.
from __future__ import annotations

import itertools
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Code = Any
    """None, bool, float, str, a small int, or a list whose first item is a tag."""
    Other = Callable[[Any], Any]
    """Converts something that is not data to its number, and back."""

MOST_ITEMS = 10_000
LARGE = 1 << 53
LENGTH_BYTES = 4
MOST_BYTES = 64 << 20
"""Maximum size of one message."""


class Elsewhere:
    """Stands for something in the other process, by its number."""

    __slots__ = ()


class TooLarge(Exception):
    """A message of more than MOST_BYTES."""


def packed(data: bytes) -> bytes:
    """Return a message with its length before it; raise TooLarge if it is too long."""
    if len(data) > MOST_BYTES:
        raise TooLarge
    return len(data).to_bytes(LENGTH_BYTES, "big") + data


def encode(value: Any, other: Other) -> Code:
    """Return `value` in a form that JSON can hold; raise `RecursionError` if it is too deep."""
    kind = type(value)
    if value is None or kind in (bool, str, float):
        return value
    if kind is int:
        return value if -LARGE < value < LARGE else ["int", hex(value)]
    if kind in (list, tuple, set, frozenset):
        return [kind.__name__, [encode(item, other) for item in value]]
    if kind is dict:
        return ["dict", _pairs(value, other)]
    to = _TO.get(f"{kind.__module__}.{kind.__qualname__}")
    if to is not None:
        return [kind.__qualname__, *to(value, other)]
    return _strange(value, other)


def _strange(value: Any, other: Other) -> Code:
    """Encode a value of any other type."""
    if isinstance(value, Elsewhere):
        return ["object", other(value)]
    for base in _BASES:
        if isinstance(value, base):
            return encode(base(value), other)
    if isinstance(value, tuple):
        names = getattr(type(value), "_fields", None)
        if names is None:
            return encode(tuple(value), other)
        return ["named", [str(name) for name in names], encode(tuple(value), other)]
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return encode(value.tolist(), other)
    if isinstance(value, _module("_collections_abc").Iterator):
        return ["iterator", [encode(i, other) for i in itertools.islice(value, MOST_ITEMS)]]
    return ["object", other(value)]


_BASES: tuple[type[Any], ...] = (int, float, str, list, set, frozenset, dict)


def _pairs(value: dict[Any, Any], other: Other) -> Code:
    return [[encode(key, other), encode(item, other)] for key, item in dict.items(value)]


def _items(value: Any, other: Other) -> list[Any]:
    return [[encode(item, other) for item in value]]


_TO: dict[str, Callable[[Any, Other], list[Any]]] = {
    "builtins.complex": lambda v, _: [v.real, v.imag],
    "builtins.bytes": lambda v, _: [v.hex()],
    "builtins.bytearray": lambda v, _: [v.hex()],
    "builtins.range": lambda v, other: [[encode(n, other) for n in (v.start, v.stop, v.step)]],
    "builtins.dict_keys": _items,
    "builtins.dict_values": _items,
    "builtins.dict_items": _items,
    "collections.Counter": lambda v, other: [_pairs(v, other)],
    "collections.OrderedDict": lambda v, other: [_pairs(v, other)],
    "collections.defaultdict": lambda v, other: [_pairs(v, other)],
    "collections.deque": lambda v, other: [*_items(v, other), v.maxlen],
    "fractions.Fraction": lambda v, _: [hex(v.numerator), hex(v.denominator)],
    "decimal.Decimal": lambda v, _: [str(v)],
    "datetime.datetime": lambda v, _: [v.isoformat()],
    "datetime.date": lambda v, _: [v.isoformat()],
    "datetime.time": lambda v, _: [v.isoformat()],
    "datetime.timedelta": lambda v, _: [v.days, v.seconds, v.microseconds],
}


class Named(tuple):  # type: ignore[type-arg]  # there is no Any to say it with at run time
    """Stands for a named tuple."""

    names: tuple[str, ...]

    def __new__(cls, names: list[str], items: tuple[Any, ...]) -> Named:
        """Make a tuple with field names."""
        made = super().__new__(cls, items)
        made.names = tuple(names)
        return made

    def __getattr__(self, name: str) -> Any:
        if name in self.names:
            return self[self.names.index(name)]
        raise AttributeError(name)


def decode(code: Code, other: Other) -> Any:
    """Return the value that `encode` got. It builds data of known types and calls nothing else.

    Raises:
        ValueError, TypeError, ...: it is not such code; the sender may send anything.
    """
    if not isinstance(code, list):
        return code
    tag, *rest = code
    if tag == "object":
        return other(rest[0])
    if tag == "named":
        return Named(rest[0], decode(rest[1], other))
    return _FROM[tag](other, *rest)


def _all(other: Other, codes: list[Code]) -> list[Any]:
    return [decode(code, other) for code in codes]


def _dict(other: Other, pairs: list[list[Code]]) -> dict[Any, Any]:
    return {decode(key, other): decode(value, other) for key, value in pairs}


def _module(name: str) -> Any:
    """Import on demand, because the answer's process must start at once."""
    __import__(name)
    return sys.modules[name]


_FROM: dict[str, Callable[..., Any]] = {
    "int": lambda _, text: int(text, 16),
    "list": _all,
    "tuple": lambda other, codes: tuple(_all(other, codes)),
    "set": lambda other, codes: set(_all(other, codes)),
    "frozenset": lambda other, codes: frozenset(_all(other, codes)),
    "dict": _dict,
    "defaultdict": _dict,
    "iterator": lambda other, codes: iter(_all(other, codes)),
    "complex": lambda _, real, imag: complex(real, imag),
    "bytes": lambda _, text: bytes.fromhex(text),
    "bytearray": lambda _, text: bytearray.fromhex(text),
    "range": lambda other, codes: range(*_all(other, codes)),
    "dict_keys": lambda other, codes: dict.fromkeys(_all(other, codes)).keys(),
    "dict_values": lambda other, codes: dict(enumerate(_all(other, codes))).values(),
    "dict_items": lambda other, codes: dict(_all(other, codes)).items(),
    "Counter": lambda other, pairs: _module("collections").Counter(_dict(other, pairs)),
    "OrderedDict": lambda other, pairs: _module("collections").OrderedDict(_dict(other, pairs)),
    "deque": lambda other, codes, most: _module("collections").deque(_all(other, codes), most),
    "Fraction": lambda _, top, low: _module("fractions").Fraction(int(top, 16), int(low, 16)),
    "Decimal": lambda _, text: _module("decimal").Decimal(text),
    "datetime": lambda _, text: _module("datetime").datetime.fromisoformat(text),
    "date": lambda _, text: _module("datetime").date.fromisoformat(text),
    "time": lambda _, text: _module("datetime").time.fromisoformat(text),
    "timedelta": lambda _, *parts: _module("datetime").timedelta(*parts),
}
