"""Secrets never reach a row, and a run's store never holds them: it keeps fingerprints.

A fingerprint is the length of a secret in words and the hash of those words; a text holds the
secret if some run of as many words has the hash. So a leak is found without the secret at hand.
Secrets of fewer than `SHORTEST` words ("42", "Paris") stand in innocent text too often to be
looked for.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

SHORTEST = 4
_WORD = re.compile(r"\w+|[^\w\s]")

Fingerprint = tuple[int, str]


def fingerprints(secret: Mapping[str, Any]) -> list[Fingerprint]:
    """One for each text, of `SHORTEST` words or more, anywhere in `secret`."""
    found = []
    for text in texts(secret):
        words = _words(text)
        if len(words) >= SHORTEST:
            found.append((len(words), _digest(words)))
    return sorted(set(found))


def holds(text: str, marks: Iterable[Fingerprint]) -> bool:
    """Whether `text` holds one of the secrets, whatever its case and blanks."""
    words = _words(text)
    return any(
        _digest(words[start : start + length]) == digest
        for length, digest in marks
        for start in range(len(words) - length + 1)
    )


def texts(value: Any) -> Iterable[str]:
    """Every string among the values of `value`: mappings, lists and what is in them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from texts(item)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _digest(words: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).hexdigest()[:32]
