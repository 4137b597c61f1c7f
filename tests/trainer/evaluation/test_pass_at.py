"""pass@k against enumeration, and which trees are samples of chains."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments import Action, Step, Task
from search import Tree
from search.tree import ROOT
from trainer.evaluation.measures.pass_at import chains, curve, pass_at


def chain(tree: Tree, rewards: list[float]) -> None:
    """A path from the start state; the last reward ends it."""
    at = ROOT
    for number, reward in enumerate(rewards):
        last = number == len(rewards) - 1
        at = tree.add(at, Step(Action("go", {}), "", reward, terminated=last)).id


@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), st.data())
def test_the_estimate_is_the_share_of_subsets_that_hold_a_success(
    drawn: tuple[int, int], data: st.DataObject
) -> None:
    number, solved = drawn
    k = data.draw(st.integers(1, number))
    played = [index < solved for index in range(number)]
    subsets = list(combinations(played, k))
    expected = sum(map(any, subsets)) / len(subsets)
    assert pass_at(k, number, solved) == pytest.approx(expected, abs=1e-12)


def test_chains_of_a_tree() -> None:
    tree = Tree(Task("1", "?"))
    for rewards in ([0.0, 1.0], [0.0], [1.0], [0.0, 0.0]):
        chain(tree, rewards)
    assert chains(tree) == (4, 2)
    tree.add(1, Step(Action("go", {"other": 1}), "", 1.0, terminated=True))
    assert chains(tree) == (0, 0)


def test_the_curve_is_over_tasks_and_powers_of_two() -> None:
    found = curve({"1": (5, 5), "2": (5, 1)}, failed=2)
    assert list(found) == ["1", "2", "4"]
    assert found["1"].value == pytest.approx((1 + 0.2 + 0 + 0) / 4)
    assert found["4"].value == pytest.approx((1 + 0.8 + 0 + 0) / 4)
    assert found["1"].low == pytest.approx(0)
    assert 0.5 <= found["4"].high <= 1


@pytest.mark.parametrize(
    "played", [{}, {"1": (1, 1), "2": (1, 0)}, {"1": (4, 1), "2": (2, 1)}, {"1": (0, 0)}]
)
def test_what_is_no_sample_has_no_curve(played: dict[str, tuple[int, int]]) -> None:
    assert curve(played) == {}
