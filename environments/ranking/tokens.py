"""The tokens of a text, as Lucene 8.11's StandardTokenizer cuts them.

Words are those of UAX #29 in Unicode 9.0; a run of a South-East Asian script, a Han or Hiragana
character and an emoji sequence (UTS #51, Emoji 11.0) are tokens too; all else parts tokens. The
longest token from each position wins, and none is longer than 255 UTF-16 units: a longer one is
cut there.

The grammar is written over classes of characters (`characters`), a letter each.
"""

import re
from collections.abc import Iterator

from environments.ranking.characters import classify

LONGEST = 255
"""UTF-16 units, since that is what Java counts."""

# Extend, Format and ZWJ belong to the character before them (WB4). Quantifiers are possessive:
# nothing in a word has to be given back. What may stand before the first sure character is bounded:
# a long run of it would cost the square of its length.
_X = "[EJFTCGgs]*+"
_LETTERS = (
    f"[Ap]++{_X}(?:[LBQ]{_X}[AHp]{_X})*+"  # letter, and MidLetter between letters: WB5-7
    f"|N++{_X}(?:[MBQ]{_X}N{_X})*+"  # number, and MidNum between digits: WB8, 11, 12
    # Hebrew: its quotes first, WB7a-c. The letter that ends such a chain begins no other.
    f"|H{_X}(?:U{_X}H{_X}|Q{_X}|[LB]{_X}[AHp]{_X}(?:[LBQ]{_X}[AHp]{_X})*+)?+"
)
_RUN = f"(?:(?:K{_X})++|(?:{_LETTERS})++)"
_JOINED = f"(?:_{_X})"  # WB13a, 13b
_WORD = f"{_JOINED}{{0,{LONGEST}}}+{_RUN}(?:{_JOINED}++{_RUN})*+{_JOINED}*+"

# In an emoji, presentation selectors do not extend; a ZWJ extends or joins, so it is given back.
_Y = "[EJCGgs]*"
_J = f"J{{0,{LONGEST}}}+"
_ELEMENT = f"(?:(?:{_J}V{_Y})?W{_Y}|{_J}[PVp]{_Y}F?)"
_EMOJI = f"(?:{_J}[PVp]{_Y}FG+g|(?:{_ELEMENT}J)*{_ELEMENT})"
# Some letters are emoji. A chain of such alone is never longer than the word that begins there.
_NOT_ALL_LETTERS = f"(?=J|(?:p(?:{_Y}+(?<=J)|{_Y}+FJ++))*+[PVW])"

_TOKEN = re.compile(
    "|".join(
        (
            _NOT_ALL_LETTERS + _EMOJI,
            _WORD,
            f"(?:[Ss]{_X})++",
            f"Y{_X}",
            f"R{_X}R{_X}",
            f"#{_Y}F?C{_Y}",
        )
    ).encode()
)


def tokenize(text: str) -> list[str]:
    """Return the tokens of the text, in order; their case is kept."""
    classes = classify(text)
    found = [text[match.start() : match.end()] for match in _TOKEN.finditer(classes)]
    if max(map(len, found), default=0) * 2 > LONGEST:  # a code point is two units at most
        return list(_cut(text, classes))
    return found


def _cut(text: str, classes: bytes) -> Iterator[str]:
    """As `tokenize`; of each token, what a window of 255 units that begins with it shows."""
    start = 0
    while start < len(text):
        match = _TOKEN.search(classes, start, start + 2 * LONGEST)
        if match is None:
            start += LONGEST  # what begins before there would have been seen
            continue
        start = match.start()
        match = _TOKEN.match(classes, start, _window_end(text, start))
        if match:
            yield text[start : match.end()]
        start = match.end() if match else start + 1


def _window_end(text: str, start: int) -> int:
    window = text[start : start + LONGEST].encode("utf-16-le", "surrogatepass")[: 2 * LONGEST]
    return start + len(window.decode("utf-16-le", "ignore"))
