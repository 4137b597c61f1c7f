"""Which steps are wrong in which way, on hand-made paths."""

from collections import Counter

import pytest

from environments import Action, Step, Task
from search import Tree
from search.tree import ROOT
from trainer.evaluation.measures.error_analysis import KINDS, ErrorTally, kinds, loops
from trainer.evaluation.measures.statistics import Rate


def step(letter: str, observation: str = "", **info: object) -> Step:
    return Step(Action("go", {"to": letter}), observation or letter, info=info)


def tree(id: str, *steps: Step) -> Tree:
    made, at = Tree(Task(id, "?")), ROOT
    for one in steps:
        at = made.add(at, one).id
    return made


@pytest.mark.parametrize(
    ("path", "looping"),
    [("a", ""), ("ab", ""), ("aa", "a"), ("abab", "b"), ("ababa", "ba"), ("abcab", ""),
     ("xabcabc", "c"), ("aba", ""), ("aaa", "aa")],
)  # fmt: skip
def test_a_loop_is_a_second_time_round(path: str, looping: str) -> None:
    steps = tuple(map(step, path))
    found = [path[n - 1] for n in range(1, len(path) + 1) if loops(steps[:n])]
    assert "".join(found) == looping


def test_another_observation_is_no_loop() -> None:
    assert not loops((step("a", "first"), step("a", "second")))


def test_every_kind_is_counted_with_an_example() -> None:
    words = Step(Action.malformed("hm", "no call"), "error", info={"error": "malformed"})
    trees = [
        tree("1", step("a"), step("a"), step("b", gave_up=True)),
        tree("2", words, step("b", error="unknown_tool"), step("c", error="sql", cut="depth")),
        tree("3", step("b", error="bad_arguments"), step("c")),
    ]
    counted = ErrorTally()
    for one in trees:
        counted.add(one)
    found = counted.summary()
    assert list(found) == [*KINDS, "sql error"]
    expected = {
        **{"format error": "2", "unknown tool": "2", "bad arguments": "3", "sql error": "2"},
        **{"gave up": "1", "repeated action": "1", "loop": "1", "out of steps": "2"},
    }
    assert {kind: one.example for kind, one in found.items()} == expected
    assert {(one.steps, one.tasks) for one in found.values()} == {(Rate(1, 8), Rate(1, 3))}


def test_a_task_counts_once_whatever_the_steps() -> None:
    counted = ErrorTally()
    counted.add(tree("1", *map(step, "aaa")))
    assert Counter(kinds(tree("1", *map(step, "aaa")))) == {"repeated action": 2, "loop": 2}
    assert counted.summary()["loop"].steps == Rate(2, 3)
    assert counted.summary()["loop"].tasks == Rate(1, 1)
    assert counted.summary()["gave up"].example == ""
