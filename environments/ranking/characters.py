"""Which class a character has for the tokenizer: one byte a code point.

The classes are frozen at the Unicode version of the Lucene that built WebShop's index. A
library's tables move with each Unicode release: the colon, part of a word in 9.0 ("color:red" is
one token), has left Word_Break=MidLetter since, and the stars of shop texts ("★") are no longer
pictographs.
"""

from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

CLASSES = {
    "ALetter": "A",
    "Hebrew_Letter": "H",
    "Numeric": "N",
    "Katakana": "K",
    "ExtendNumLet": "_",
    "MidLetter": "L",
    "MidNumLet": "B",
    "MidNum": "M",
    "Single_Quote": "Q",
    "Double_Quote": "U",
    "Extend": "E",
    "ZWJ": "J",
    "Regional_Indicator": "R",
    "SouthEastAsian": "S",
    "SouthEastAsian_Extend": "s",
    "Single": "Y",
    "Emoji": "P",
    "Emoji_ALetter": "p",
    "Emoji_Modifier_Base": "V",
    "Emoji_Modifier": "W",
    "Emoji_Selector": "F",
    "Text_Selector": "T",
    "Keycap": "C",
    "Keycap_Base": "#",
    "Tag": "G",
    "Tag_End": "g",
}
OTHER = " "
_CODE_POINTS = 0x110000


def classify(text: str) -> bytes:
    """One letter of `CLASSES` for each code point of the text; a blank for what is in no token."""
    code_points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    classes: NDArray[np.uint8] = _table()[code_points]
    return classes.tobytes()


@cache
def _table() -> NDArray[np.uint8]:
    table = np.full(_CODE_POINTS, ord(OTHER), np.uint8)
    source = (files(__package__) / "characters.txt").read_text("ascii")
    name = ""
    for line in source.splitlines():
        if line.startswith("#"):
            continue
        if not line.startswith(" "):
            name, _, line = line.partition(":")
        for span in line.split():
            first, _, last = span.partition("-")
            table[int(first, 16) : int(last or first, 16) + 1] = ord(CLASSES[name])
    return table
