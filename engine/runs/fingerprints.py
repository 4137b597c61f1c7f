"""Fingerprints of secrets: they find a leaked secret without storing it.

A fingerprint is the length of a secret in words and a hash of those words. A text contains the
secret if some run of as many words has that hash. Secrets shorter than `SHORTEST` words ("42",
"Paris") occur in innocent text too often, so they get no fingerprint.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

SHORTEST = 4
"""Words of the shortest secret that gets a fingerprint."""

_WORD = re.compile(r"\w+|[^\w\s]")

Fingerprint = tuple[int, str]
"""Length in words, and hash."""


def fingerprints(secret: Mapping[str, Any]) -> list[Fingerprint]:
    """Return a fingerprint of each text of `SHORTEST` words or more, anywhere in `secret`."""
    word_lists = [_words(text) for text in strings_in(secret)]
    return sorted({(len(words), _hash(words)) for words in word_lists if len(words) >= SHORTEST})


def contains_secret(text: str, known: Iterable[Fingerprint]) -> bool:
    """Return whether `text` contains one of the secrets, ignoring case and whitespace."""
    words = _words(text)
    return any(
        _hash(words[start : start + length]) == digest
        for length, digest in known
        for start in range(len(words) - length + 1)
    )


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


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _hash(words: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).hexdigest()[:32]
