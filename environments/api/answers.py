"""Compare final answers: numbers as numbers, lists in any order, words without case and marks."""

import re
from decimal import Decimal, InvalidOperation

_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_NUMBER = re.compile(r"[€$£]?\s*([-+−]?\d+(?:\.\d+)?)\s*(?:°\s*c|°|%|km/h|mm|eur|[€$£]|[a-z]{3})?")
_MARKS = " \t\n.\"'`*“”"


def same_answer(given: str, gold: str) -> bool:
    """Return whether `given` says what `gold` says, and nothing else."""
    return _parts(given) == _parts(gold)


def _parts(text: str) -> list[str]:
    # A comma between digits is a mark in "1,250", and parts a list elsewhere.
    text = _THOUSANDS.sub("", text.casefold())
    parts = (part.strip(_MARKS) for part in re.split(r"[,;\n]|\band\b", text))
    return sorted(_normal(part) for part in parts if part)


def _normal(part: str) -> str:
    found = _NUMBER.fullmatch(part)
    if found is None:
        return " ".join(part.split())
    try:
        return str(Decimal(found[1].replace("−", "-")).normalize() + 0)
    except InvalidOperation:
        return part
