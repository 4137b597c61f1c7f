"""`validate` names what makes wrong trees: what is not the same twice, and what is not saved."""

import random
from functools import partial

import pytest

import environments
from engine import validate as module
from engine.validate import validate
from environments import ToolEnv
from tests.support import unsound_worlds as worlds

WORLDS = worlds.__name__
DEFECTS = [
    (worlds.Forgets, "unsaved", "after restore, step 1 returned observation '2 numbers' instead"),
    (worlds.Forgets, "unsaved", "; define save and load"),
    (worlds.ForgetsQuietly, "unsaved", "step 4 returned reward '0.0' instead of '1.0'; define"),
    (worlds.SharesItsState, "unsaved", "save returns the state itself"),
    (worlds.SharesTheSnapshot, "unsaved", "load keeps the saved state itself"),
    (worlds.SavesTooLittle, "unsaved", "save must return all that acting changes"),
    (worlds.TellsTheTime, "random", "differs between two plays: step 1 returned observation"),
    (worlds.TellsTheTime, "random", "; the clock: tell no times"),
    (worlds.Draws, "random", "; random numbers: draw them from random.Random(task.id)"),
    (worlds.CountsOn, "random", "an earlier play left something"),
    (worlds.ChangesTheTask, "changes", "playing changes the task's own details"),
]


def kinds(env: ToolEnv) -> list[tuple[str, str]]:
    return [(u.kind, u.reason) if u else ("", "") for _, u in validate(env, env.tasks)]


@pytest.mark.parametrize("sound", [worlds.Basket, worlds.KeepsArguments])
def test_sound_worlds_stay_sound(sound: type[ToolEnv]) -> None:
    assert kinds(sound()) == [("", "")] * 3


@pytest.mark.parametrize(("world", "kind", "words"), DEFECTS)
def test_each_defect_is_named(world: type[ToolEnv], kind: str, words: str) -> None:
    before = random.getstate()
    found = kinds(world())
    assert {each for each, _ in found if each} == {kind}, found  # CountsOn differs once
    assert words in found[0][1]
    assert world is worlds.Draws or random.getstate() == before


def test_what_differs_between_two_processes_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.0)
    again = partial(environments.make, f"{WORLDS}:DiffersElsewhere")
    env = again()
    found = {task.id: unsound for task, unsound in validate(env, env.tasks, again)}
    reasons = {id: unsound.reason for id, unsound in found.items() if unsound}
    assert not found["fine"] and len(reasons) == len(found) - 1
    assert all(reason.startswith("differs between two processes: ") for reason in reasons.values())
    assert reasons["set"].endswith("the order of a set: sort it")
    assert reasons["zone"].endswith("the clock or the time zone: tell neither")
    assert "the prompt" in reasons["prompt"]
    assert "step 1 of the solution is put(numbers=" in reasons["solution"]
    (other,) = reasons.keys() - {"set", "zone", "prompt", "solution"}
    assert "the second has no such task" in reasons[other]


def test_a_clock_of_seconds_shows_on_the_first_task() -> None:
    again = partial(environments.make, f"{WORLDS}:TellsSeconds")
    env = again()
    (_, unsound), *_ = validate(env, env.tasks[:1], again)
    assert unsound is not None and unsound.reason.endswith("the clock: tell no times")


class Dies(worlds.Basket):
    """It dies in a second process."""

    def __init__(self) -> None:
        import multiprocessing
        import os

        if multiprocessing.parent_process() is not None:
            os._exit(3)
        super().__init__()


def test_a_second_process_that_dies_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    env = Dies()
    found = list(validate(env, env.tasks, Dies))
    assert [unsound for _, unsound in found] == [None] * 3
    assert capsys.readouterr().err.count("the second process ended") == 1
