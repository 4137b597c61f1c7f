"""The Porter stemmer, as Lucene's PorterStemFilter runs it.

M.F. Porter, "An algorithm for suffix stripping", Program 14(3), 1980, with the two departures of
the author's own later programs, which Lucene took over: step 2 maps "bli" to "ble" (the paper:
"abli" to "able"), and "logi" to "log". `snowballstemmer`'s "porter" follows the paper, so that
"technology" and "assembly" come out otherwise.
"""

_STEP_2 = (
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("logi", "log"),
)
_STEP_3 = (
    ("icate", "ic"),
    ("ative", ""),
    ("alize", "al"),
    ("iciti", "ic"),
    ("ical", "ic"),
    ("ful", ""),
    ("ness", ""),
)
# A suffix stands before those that it ends with: the longest one counts.
_SUFFIXES = "al ance ence er ic able ible ant ement ment ent sion tion ou ism ate iti ous ive ize"
_STEP_4 = tuple(_SUFFIXES.split())


def stem(word: str) -> str:
    """Return the stem of a lower-case word; words of up to two UTF-16 units stay."""
    if max(word, default="") <= "\uffff":
        return _stem(word)
    units = memoryview(word.encode("utf-16-le", "surrogatepass")).cast("H")
    stemmed = _stem("".join(map(chr, units)))
    return stemmed.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _stem(word: str) -> str:
    if len(word) <= 2:
        return word
    word = _past_and_gerund(_plural(word))
    if word.endswith("y") and _has_vowel(word[:-1]):
        word = word[:-1] + "i"
    word = _replace(_replace(word, _STEP_2), _STEP_3)
    return _final(_drop(word))


def _plural(word: str) -> str:
    """Step 1a."""
    if word.endswith(("sses", "ies")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _past_and_gerund(word: str) -> str:
    """Step 1b."""
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    for suffix in ("ed", "ing"):
        if word.endswith(suffix):
            rest = word.removesuffix(suffix)
            return _mend(rest) if _has_vowel(rest) else word
    return word


def _mend(rest: str) -> str:
    """Return what is left of a past form or a gerund: hop(p), fil(e), conflat(e)."""
    if rest.endswith(("at", "bl", "iz")):
        return rest + "e"
    if _ends_doubled(rest):
        return rest if rest[-1] in "lsz" else rest[:-1]
    return rest + "e" if _measure(rest) == 1 and _ends_short(rest) else rest


def _replace(word: str, rules: tuple[tuple[str, str], ...]) -> str:
    """Steps 2 and 3: the first suffix that the word has, mapped if something is left before it."""
    for suffix, replacement in rules:
        if word.endswith(suffix):
            rest = word.removesuffix(suffix)
            return rest + replacement if _measure(rest) > 0 else word
    return word


def _drop(word: str) -> str:
    """Step 4: "ion" goes after s or t only, which stay."""
    for suffix in _STEP_4:
        if word.endswith(suffix):
            rest = word.removesuffix("ion" if suffix in ("sion", "tion") else suffix)
            return rest if _measure(rest) > 1 else word
    return word


def _final(word: str) -> str:
    """Step 5: a last "e", and one l of two."""
    if word.endswith("e"):
        rest = word[:-1]
        measure = _measure(rest)
        if measure > 1 or (measure == 1 and not _ends_short(rest)):
            word = rest
    return word[:-1] if word.endswith("ll") and _measure(word) > 1 else word


def _shape(word: str) -> str:
    """Write v for a vowel and c for any other character; y is a vowel after a consonant."""
    shape = ""
    for letter in word:
        vowel = letter in "aeiou" or (letter == "y" and shape.endswith("c"))
        shape += "v" if vowel else "c"
    return shape


def _measure(word: str) -> int:
    """Return how often a consonant follows a vowel: m in the paper."""
    return _shape(word).count("vc")


def _has_vowel(word: str) -> bool:
    return "v" in _shape(word)


def _ends_doubled(word: str) -> bool:
    return word[-2:-1] == word[-1:] and _shape(word).endswith("c")


def _ends_short(word: str) -> bool:
    """*o in the paper: consonant, vowel, consonant, of which the last is not w, x or y."""
    return _shape(word).endswith("cvc") and word[-1] not in "wxy"
