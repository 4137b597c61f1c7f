"""Tokens and terms of the search, against Lucene's own."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.ranking.analysis import terms
from environments.ranking.stemming import stem
from environments.ranking.tokens import LONGEST, tokenize

GOLDEN = json.loads((Path(__file__).parents[2] / "golden/lucene_analysis.json").read_text())

LIVELY = "ab Z19._',:;-\"’™★®#*éאג漢ひカก한\u0301\u00ad\u200d\ufe0f\u20e3👍🏽🇺ℹ"
anything = st.text(st.one_of(st.sampled_from(LIVELY), st.characters(codec="utf-16")))
with_surrogates = st.text(st.characters(exclude_categories=()))


def test_texts_as_lucene() -> None:
    found = [[text, tokenize(text), list(terms(text))] for text, _, _ in GOLDEN["texts"]]
    assert found == GOLDEN["texts"]


def test_stems_as_lucene() -> None:
    assert {word: stem(word) for word, _ in GOLDEN["stems"]} == dict(GOLDEN["stems"])


def test_a_colon_joins_a_word_and_stars_are_tokens() -> None:
    assert tokenize("★Color:red, 9:30 wi-fi™") == ["★", "Color:red", "9", "30", "wi", "fi", "™"]


def test_what_the_terms_leave_out() -> None:
    assert list(terms("The WOMEN’s shoes will not fit, the women's do")) == (
        ["women", "shoe", "fit", "women", "do"]
    )


def test_lower_case_is_javas() -> None:
    """One character for U+0130, and no final sigma."""
    assert list(terms("İzmir ΟΔΟΣ")) == ["izmir", "οδοσ"]


@pytest.mark.parametrize("letter", ["a", "\U0001d400"])
def test_a_long_word_is_cut_every_255_units(letter: str) -> None:
    longest = 2 * LONGEST // len(letter.encode("utf-16-le"))
    assert tokenize(letter * 600) == [
        letter * min(longest, 600 - at) for at in range(0, 600, longest)
    ]


@given(anything)
def test_tokens_stand_in_the_text_in_order(text: str) -> None:
    at = 0
    for token in tokenize(text):
        assert 0 < len(token.encode("utf-16-le")) <= 2 * LONGEST
        at = text.index(token, at) + len(token)
        assert tokenize(token) == [token]


@given(anything, anything)
def test_a_blank_parts(left: str, right: str) -> None:
    assert tokenize(f"{left} {right}") == tokenize(left) + tokenize(right)


@given(with_surrogates)
def test_any_text_has_terms(text: str) -> None:
    assert all(terms(text))


@pytest.mark.parametrize("unit", ["_", "\u200d", "ℹ\u200d\u200d", "#\u0301", "'", "👍\u200d"])
def test_a_long_run_costs_no_square(unit: str) -> None:
    """Would take minutes, some of them years, if the grammar tried a run in more than one way."""
    for end in ("x", "!"):
        assert all(tokenize(unit * 50_000 + end))


@given(st.text("abeilmnoyst", max_size=12))
def test_a_stem_begins_as_its_word(word: str) -> None:
    """Only the last letters change: y to i, an e or an l more or less."""
    found = stem(word)
    assert len(found) <= len(word) + 1
    assert word.startswith(found[:-1])
