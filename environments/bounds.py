"""Texts of at most so many characters, which say what was left out."""

from collections.abc import Sequence

OBSERVATION_CHARS = 8000
"""Characters of an observation at most, unless the user chooses another number."""
LEAST_OBSERVATION = 100
"""The least number to choose."""


def cut(text: str, most: int) -> str:
    """Return `text`, or its beginning and how many characters follow."""
    if len(text) <= most:
        return text
    # The number is written with as many digits as that of the whole text, at most.
    kept = max(0, most - len(_more(len(text), "character")))
    return text[:kept] + _more(len(text) - kept, "character")


def joined(parts: Sequence[str], most: int, noun: str, separator: str = "\n") -> str:
    """Return `parts` joined, or those that fit and how many follow; `noun` names one of them."""
    text = separator.join(parts)
    if len(text) <= most:
        return text
    room = most - len(separator) - len(_more(len(parts), noun, ""))
    kept = 0
    while kept < len(parts) and (room := room - len(parts[kept]) - len(separator)) >= 0:
        kept += 1
    return separator.join([*parts[:kept], _more(len(parts) - kept, noun, "")])


def _more(number: int, noun: str, start: str = "\n") -> str:
    return f"{start}... {number:,} more {noun}{'' if number == 1 else 's'}"
