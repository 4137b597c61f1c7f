"""Whether an answer that is a number or a text is the right one.

Numbers are compared as numbers, whatever their form: commas, a currency sign, a unit, a percent
sign, trailing zeros; "50%" is 50, as in GSM8K's own answers. An answer that holds two numbers is
none: else "17 18 19" would be right three times. "3/4" is one number.
"""

import re
from fractions import Fraction

TOLERANCE = Fraction(1, 10**6)
"""Relative; of an answer that is not an integer."""
LONGEST = 400
"""Characters of an answer that is looked at for a number."""

NUMBER = re.compile(
    r"[-+\N{MINUS SIGN}]?\s?[$€£¥]?\s?"
    r"(?P<digits>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+)"
    r"(?P<power>[eE][-+]?\d{1,3})?(?:\s?/\s?(?P<below>[1-9]\d*))?"
)
GOLD = re.compile(r"####\s*(.+?)\s*$", re.MULTILINE)
"""Where GSM8K says its answer (Cobbe et al. 2021, arXiv:2110.14168)."""


def same_answer(given: str, right: str) -> bool:
    """Whether `given` is the answer `right`: as a number if that is one, else as a text."""
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
    """The only number in `text`; None if there is none, or more than one."""
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
    """What stands after GSM8K's last `####`, if a number does."""
    found = GOLD.findall(answer)
    return found[-1] if found and number(found[-1]) is not None else None


def _plain(text: str) -> str:
    """Without case, outer quotes, final stop and double blanks."""
    return " ".join(text.casefold().split()).strip("\"'`.")
