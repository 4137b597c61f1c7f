"""The example environment, used as its reader would use it."""

from pathlib import Path

import pytest

from environments import DataError, ToolEnv, make

ROOT = Path(__file__).parent.parent


@pytest.fixture
def keypad(monkeypatch: pytest.MonkeyPatch) -> ToolEnv:
    monkeypatch.chdir(ROOT)
    return make("examples.keypad:KeypadEnv")


def test_solutions_open_and_mistakes_do_not(keypad: ToolEnv) -> None:
    for task in keypad.tasks:
        solution = keypad.solution(task)
        for wrong in (None, *keypad.mistakes(task, solution[1])):
            keypad.reset(options={"task": task})
            for action in [solution[0], wrong or solution[1], *solution[2:]]:
                _, reward, terminated, _, _ = keypad.step(action)
            assert terminated and reward == (wrong is None)


def test_a_branch_does_not_see_its_siblings_presses(keypad: ToolEnv) -> None:
    task = keypad.tasks[0]
    keypad.reset(options={"task": task})
    note, first, *rest = keypad.solution(task)
    keypad.step(note)
    fork = keypad.snapshot()
    keypad.step(first)
    keypad.step(first)
    keypad.restore(fork)
    for action in [first, *rest]:
        observation, reward, *_ = keypad.step(action)
    assert (observation, reward) == ("the door opens", 1.0)


def test_splits(keypad: ToolEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    test = make("examples.keypad:KeypadEnv", split="test")
    assert not {t.id for t in test.tasks} & {t.id for t in keypad.tasks}
    with pytest.raises(DataError, match="the splits: train, test"):
        make("examples.keypad:KeypadEnv", split="dev").tasks  # noqa: B018
