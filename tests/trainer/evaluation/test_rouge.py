"""ROUGE-L against a brute-force longest common subsequence."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.evaluation.measures.rouge import arguments_likeness, rouge_l, words

TEXTS = st.lists(st.sampled_from(["a", "b", "c", "ab", "."]), max_size=9)


def common(one: list[str], other: list[str]) -> int:
    """By trying everything."""

    @cache
    def longest(i: int, j: int) -> int:
        if i == len(one) or j == len(other):
            return 0
        if one[i] == other[j]:
            return 1 + longest(i + 1, j + 1)
        return max(longest(i + 1, j), longest(i, j + 1))

    return longest(0, 0)


@given(TEXTS, TEXTS)
def test_f1_of_the_longest_common_subsequence(one: list[str], other: list[str]) -> None:
    found = rouge_l(" ".join(one), " ".join(other))
    if not one and not other:
        assert found == 1
        return
    shared = common(one, other)
    precision, recall = shared / max(len(other), 1), shared / max(len(one), 1)
    f1 = 2 * precision * recall / (precision + recall) if shared else 0.0
    assert found == pytest.approx(f1)


def test_words_of_scripts_with_and_without_blanks() -> None:
    assert words("SELECT a_b FROM t;") == ["SELECT", "a_b", "FROM", "t", ";"]
    assert words("in 2022年, 6月") == ["in", "2022", "年", ",", "6", "月"]


@pytest.mark.parametrize(
    ("reference", "said", "likeness"),
    [
        ({}, {}, 1.0),
        ({}, {"a": 1}, 0.0),
        ({"a": "x y"}, {}, 0.0),
        ({"a": "x y", "b": "z"}, {"a": "x y"}, 0.5),
        ({"a": "x y"}, {"a": "x z", "more": "z"}, 0.5),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}, 1.0),
        ({"digit": 4}, {"digit": 5}, 0.0),
    ],
)
def test_arguments(reference: dict[str, object], said: dict[str, object], likeness: float) -> None:
    assert arguments_likeness(reference, said) == pytest.approx(likeness)
