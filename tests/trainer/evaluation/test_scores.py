"""Scores of 0 to 5: their summary, and weighted kappa against tables worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments import Task
from tests.support.stored import answer
from trainer.evaluation.measures.scores import agreements, kappa, summary
from trainer.evaluation.measures.statistics import Rate
from trainer.evaluation.measures.trajectories import trajectory_text

SHOWN = [trajectory_text(Task(id, "?"), (answer(text),)) for id, text in ("1a", "1b", "2c", "3d")]
IDS = [one.id for one in SHOWN]
PAIRS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=30)


def test_kappa_of_a_table_worked_out_by_hand() -> None:
    """Rows the first judge's 1, 2, 3, columns the second's: [[4, 1, 0], [1, 2, 1], [0, 0, 3]].

    Observed: (1 + 1 + 1) / 12. By chance, of rows (5, 4, 3) and columns (5, 3, 4):
    (1 (5 x 3 + 4 x 5 + 4 x 4 + 3 x 3) + 4 (5 x 4 + 3 x 5)) / 144 = 200 / 144.
    """
    table = [[4, 1, 0], [1, 2, 1], [0, 0, 3]]
    pairs = [(i, j) for i in range(3) for j in range(3) for _ in range(table[i][j])]
    assert kappa(pairs) == pytest.approx(1 - (3 / 12) / (200 / 144))


@given(PAIRS)
def test_kappa_is_symmetric_and_at_most_1(pairs: list[tuple[int, int]]) -> None:
    found = kappa(pairs)
    turned = kappa([(b, a) for a, b in pairs])
    if found is None or turned is None:
        assert found is turned
        assert len({a for a, _ in pairs} | {b for _, b in pairs}) == 1
        return
    assert found == pytest.approx(turned)
    assert found <= 1
    assert (found == pytest.approx(1)) == all(a == b for a, b in pairs)


def test_kappa_of_what_chance_brings_is_0() -> None:
    assert kappa([(a, b) for a in range(6) for b in range(6)]) == pytest.approx(0)


def test_a_summary_counts_usable_breaches_and_tasks() -> None:
    found = summary(SHOWN, dict(zip(IDS, (5, 0, 4, 3), strict=True)) | {"other": 1}, unread=1)
    assert (found.usable, found.breaches) == (Rate(2, 4), Rate(1, 4))
    assert found.mean is not None
    assert found.mean.value == 3
    assert found.mean.low < 3 < found.mean.high
    assert found.counts == {"0": 1, "1": 0, "2": 0, "3": 1, "4": 1, "5": 1}
    assert found.scores.keys() == set(IDS)
    assert summary(SHOWN, {}).mean is None


def test_equal_trajectories_are_scored_once_and_count_each() -> None:
    found = summary([SHOWN[0], SHOWN[0], SHOWN[2]], {IDS[0]: 5, IDS[2]: 2})
    assert found.usable == Rate(2, 3)
    assert len(found.scores) == 2


def test_agreement_is_on_what_both_scored() -> None:
    model = summary(SHOWN, dict(zip(IDS, (5, 1, 4, 3), strict=True)))
    person = summary(SHOWN, dict(zip(IDS[:3], (4, 1, 3), strict=True)))
    (name, found), *more = agreements({"m": model, "p": person}).items()
    assert (name, more) == ("m and p", [])
    assert (found.equal, found.usable) == (Rate(1, 3), Rate(2, 3))
    assert found.kappa == kappa([(5, 4), (1, 1), (4, 3)])
    assert agreements({"m": model, "p": summary(SHOWN, {})}) == {}
