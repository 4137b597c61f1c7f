"""Lucene's analysis of English text: from text to the terms that are indexed and asked for.

The chain of Anserini's DefaultEnglishAnalyzer: StandardTokenizer, EnglishPossessiveFilter,
LowerCaseFilter, StopFilter, PorterStemFilter. The same one reads products and queries.
"""

from collections.abc import Iterator

from environments.ranking.stemming import stem
from environments.ranking.tokens import tokenize

VERSION = 1
"""Raised with every change of what a text's terms are: indexes that were made before are stale."""

_STOP_WORDS = """
a an and are as at be but by for if in into is it no not of on or such that the their then there
these they this to was will with
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
_POSSESSIVES = tuple(mark + letter for mark in "'\u2019\uff07" for letter in "sS")


def terms(text: str) -> Iterator[str]:
    """Yield the terms of a text, in order, each as often as it stands there."""
    for token in tokenize(text):
        term = token_term(token)
        if term is not None:
            yield term


def token_term(token: str) -> str | None:
    """Return the term that a token stands for; None for a stop word."""
    word = _lower(_without_possessive(token))
    return None if word in STOP_WORDS else stem(word)


def _without_possessive(token: str) -> str:
    return token[:-2] if token.endswith(_POSSESSIVES) else token


def _lower(token: str) -> str:
    """Character by character, as Java does: no final sigma, and one character for U+0130."""
    return token.lower() if token.isascii() else "".join(char.lower()[0] for char in token)
