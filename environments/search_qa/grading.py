"""How answers are compared: as SQuAD and HotpotQA do (Rajpurkar et al. 2016; Yang et al. 2018)."""

import re
import string
from collections import Counter

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_WHOLE = {"yes", "no", "noanswer"}
"""Answers that are right or wrong, but not in part."""


def normalized(answer: str) -> str:
    """Return an answer in lower case, without punctuation, articles and needless blanks."""
    return " ".join(_ARTICLES.sub(" ", answer.lower().translate(_PUNCTUATION)).split())


def exact_match(answer: str, gold: str) -> bool:
    """Return whether two answers are the same but for what `normalized` takes away."""
    return normalized(answer) == normalized(gold)


def f1(answer: str, gold: str) -> float:
    """Return the F1 of the words that two answers share."""
    one, other = normalized(answer), normalized(gold)
    if one != other and not _WHOLE.isdisjoint((one, other)):
        return 0.0
    words, right = Counter(one.split()), Counter(other.split())
    shared = (words & right).total()
    return 2 * shared / (words.total() + right.total()) if shared else float(one == other)
