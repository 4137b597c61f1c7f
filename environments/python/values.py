"""Compare an answer that is a number or a text with the right one.

Numbers are compared as numbers, whatever their form: commas, a currency sign, a unit, a percent
sign, trailing zeros; "50%" is 50, as in GSM8K's own answers. An answer with two numbers is not a
number: else "17 18 19" would be right for three tasks. "3/4" is one number.
"""

import re
from fractions import Fraction

TOLERANCE = Fraction(1, 10**6)
"""Relative tolerance for an answer that is not an integer."""
LONGEST = 400
"""Maximum characters of an answer that is searched for a number."""

NUMBER = re.compile(
    r"[-+\N{MINUS SIGN}]?\s?[$€£¥]?\s?"
    r"(?P<digits>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+)"
    r"(?P<power>[eE][-+]?\d{1,3})?(?:\s?/\s?(?P<below>[1-9]\d*))?"
)
GOLD = re.compile(r"####\s*(.+?)\s*$", re.MULTILINE)
"""What precedes the answer in GSM8K (Cobbe et al. 2021, arXiv:2110.14168)."""


def same_answer(given: str, right: str) -> bool:
    """Return whether `given` equals the answer `right`, as numbers if `right` is one."""
    wanted = number(right)
    if wanted is None:
        return _plain(given) == _plain(right)
    found = number(given)
    if found is None:
        return False
    if wanted.denominator == 1:
        return found == wanted
    return abs(found - wanted) <= TOLERANCE * abs(wanted)


def number(text: str) -> Fraction | None:
    """Return the only number in `text`; None if there is none, or more than one."""
    if "####" in text:
        text = text.rpartition("####")[2]
    if len(text) > LONGEST:
        return None
    found = list(NUMBER.finditer(text))
    if len(found) != 1:
        return None
    match = found[0]
    value = Fraction(match["digits"].replace(",", "") + (match["power"] or ""))
    value /= int(match["below"] or 1)
    return -value if match[0][0] in "-\N{MINUS SIGN}" else value


def gold_of(answer: str) -> str | None:
    """Return the number after GSM8K's last `####`; None if there is none."""
    found = GOLD.findall(answer)
    return found[-1] if found and number(found[-1]) is not None else None


def _plain(text: str) -> str:
    """Return the text without case, outer quotes, final stop and double blanks."""
    return " ".join(text.casefold().split()).strip("\"'`.")
