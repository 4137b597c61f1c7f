"""Fingerprints of secrets: they find a leaked secret without storing it.

A fingerprint is the length of a secret in words and a hash of those words. A text contains the
secret if some run of as many words has that hash. Secrets shorter than `SHORTEST` words ("42",
"Paris") occur in innocent text too often, so they get no fingerprint. What the agent may find
(`Task.findable`) gets none, either; but the object around it gets one, as JSON and as Python shows
it.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

SHORTEST = 4
"""Words of the shortest secret that gets a fingerprint."""

_WORD = re.compile(r"\w+|[^\w\s]")

Fingerprint = tuple[int, str]
"""Length in words, and hash."""


def fingerprints(secret: Mapping[str, Any], findable: Collection[str] = ()) -> list[Fingerprint]:
    """Return a fingerprint of each part of `secret` that has `SHORTEST` words or more."""
    word_lists = [_words(text) for text in _parts(secret, findable)]
    return sorted({(len(words), _hash(words)) for words in word_lists if len(words) >= SHORTEST})


def secrets_in(text: str, known: Iterable[Fingerprint]) -> set[Fingerprint]:
    """Return which of the secrets `text` contains, ignoring case and whitespace."""
    words, wanted = _words(text), set(known)
    return {
        found
        for length in {length for length, _ in wanted}
        for start in range(len(words) - length + 1)
        if (found := (length, _hash(words[start : start + length]))) in wanted
    }


def contains_secret(text: str, known: Iterable[Fingerprint]) -> bool:
    """Return whether `text` contains one of the secrets; see `secrets_in`."""
    return bool(secrets_in(text, known))


def strings_in(value: Any) -> Iterator[str]:
    """Yield every string among the values of `value`, at any depth of mappings and lists."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from strings_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from strings_in(item)


def _parts(value: Any, findable: Collection[str], place: str = "") -> Iterator[str]:
    """Yield every text in `value` that must not be shown by itself.

    place: where `value` is, as in `Task.findable`.
    """
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _parts(item, findable, place)
    elif isinstance(value, Mapping):
        places = {name: f"{place}.{name}" if place else str(name) for name in value}
        hidden = [name for name in value if places[name] not in findable]
        if len(hidden) < len(value):
            yield from (json.dumps(value, ensure_ascii=False, default=repr), repr(dict(value)))
        for name in hidden:
            yield from _parts(value[name], findable, places[name])


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _hash(words: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).hexdigest()[:32]
