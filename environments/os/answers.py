"""Compare an answer with the right ones."""

import re
from collections.abc import Sequence
from fractions import Fraction

NUMBER = re.compile(r"[-+]?\d[\d,]*(\.\d+)?")


def same_answer(given: str, right: Sequence[str]) -> bool:
    """Return whether `given` is one of the texts of `right`, as a number or as words.

    Quotes around it, a full stop at its end and the kind of white space do not count; names in a
    list may be parted by commas, spaces or lines. Letter case counts.
    """
    return any(_normal(given) == _normal(text) for text in right)


def _normal(text: str) -> tuple[str | Fraction, ...]:
    bare = text.strip().strip("`'\"").rstrip(".").strip()
    if NUMBER.fullmatch(bare):
        return (Fraction(bare.replace(",", "")),)
    return tuple(part for part in re.split(r"[\s,]+", bare) if part)
