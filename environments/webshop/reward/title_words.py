"""The words of a title, as spaCy's English tokenizer parts them: `noun_rules` knows those.

Its rules (spacy.lang.en), for what titles hold: at each blank; then marks off both ends, and units
off numbers ("16oz"), "'s" off its noun; then within, at hyphens and slashes between letters. Of its
several hundred special cases only common abbreviations and contractions are here. They part all of
the 1,000 published titles, and of the bundled ones, as spaCy 3.8 does.
"""

import re
from collections.abc import Iterator

_MARKS = r"…,:;!?¿¡()\[\]{}<>_#*&。？！，、；：～·।"
_QUOTES = r"'\"”“`‘´’‚„»«「」『』（）【】《》〈〉"
_SYMBOLS = r"¦©®°№™℃℉↑-↓⌀-➿⬀-⯿\U0001F000-\U0001FAFF"
_MONEY = r"$£€¥₹"
_LETTER = r"[^\W\d_]"
_UNIT = (
    "km/h|m/s|km|kmh|mph|dm|cm|mm|m|ha|µm|nm|yd|in|ft|kg|mg|µg|g|t|lb|oz|hPa|Pa|mbar"
    "|mb|MB|kb|KB|gb|GB|tb|TB|T|G|M|K|%"
)
_FRONT = re.compile(rf"\.\.+|''|[§%=—–{_MARKS}{_QUOTES}{_SYMBOLS}{_MONEY}]|\+(?!\d)")
_BACK = re.compile(
    rf"(?:\.\.+|''|['’][sS]|[{_MARKS}{_QUOTES}{_SYMBOLS}—–]|(?<=\d)(?:\+|[{_MONEY}]|{_UNIT})"
    rf"|(?<=[0-9a-z%²+\-{_MARKS}{_QUOTES}])\.|(?<=[A-Z]{{2}})\."
    r"|(?<=\w)(?:n['’]t|['’](?:ll|re|ve)))$"
)
_WITHIN = re.compile(
    rf"\.\.+|…|[{_SYMBOLS}]|(?<=\d)[+\-*^](?=[\d-])|(?<=[a-z{_QUOTES}])\.(?=[A-Z{_QUOTES}])"
    rf"|(?<={_LETTER}),(?={_LETTER})|(?<=[^\W_])(?:---?|——?|[-–~:<>=/])(?={_LETTER})"
)
_ABBREVIATIONS = "Co. Corp. Dr. Inc. Jr. Ltd. Mr. Mrs. Ms. Mt. Sr. St. vs. e.g. i.e. a.m. p.m."
_WHOLE = frozenset(_ABBREVIATIONS.split())


def words(title: str) -> Iterator[str]:
    """Yield the words and marks of a title, in order; none is empty or blank."""
    for chunk in title.split():
        yield from _parts(chunk)


def _parts(chunk: str) -> Iterator[str]:
    tail: list[str] = []
    while chunk and chunk not in _WHOLE:
        if front := _FRONT.match(chunk):
            yield front.group()
            chunk = chunk[front.end() :]
        elif back := _BACK.search(chunk):
            tail.append(back.group())
            chunk = chunk[: back.start()]
        else:
            break
    yield from _split(chunk)
    yield from reversed(tail)


def _split(core: str) -> Iterator[str]:
    if core in _WHOLE:
        yield core
        return
    at = 0
    for mark in _WITHIN.finditer(core):
        if at < mark.start():
            yield core[at : mark.start()]
        yield mark.group()
        at = mark.end()
    if core[at:]:
        yield core[at:]
