"""Why a world is not the same twice: guesses from two plays, in words."""

import random
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from environments.base import ToolEnv
from environments.plays import first_difference, play
from environments.types import Step, Task

_TIME = re.compile(r"\d{1,2}:\d\d(:\d\d)?|\d{4}-\d\d-\d\d|\b\d{9,10}(\.\d+)?\b")
"""Times, dates, and seconds since 1970."""
PLAYS = 4
"""Plays that must be alike before they are taken to be always alike."""


def cause_of(here: str, there: str) -> str:
    """Return what makes a text differ between two processes."""
    if here != there and sorted(_words(here)) == sorted(_words(there)):
        return "the order of a set: sort it"
    if _tells_time(here, there):
        return "the clock or the time zone: tell neither"
    return "perhaps the order of a set, the clock, the time zone, or a random name"


def cause_between(env: ToolEnv, task: Task, first: Sequence[Step], second: Sequence[Step]) -> str:
    """Return what makes two plays of the same actions differ in one process."""
    actions = [step.action for step in first]
    if any(_tells_time(a.observation, b.observation) for a, b in zip(first, second, strict=False)):
        return "the clock: tell no times"
    if not any(first_difference(second, play(env, task, actions)) for _ in range(PLAYS)):
        return "an earlier play left something: set up all of the state in begin"
    with _seeded():
        one = play(env, task, actions)
    with _seeded():
        same = first_difference(one, play(env, task, actions)) is None
    if same:
        return "random numbers: draw them from random.Random(task.id), made in begin"
    return "the clock, random numbers, or something that begin does not set up"


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def _tells_time(here: str, there: str) -> bool:
    """Return whether two texts are the same but for times."""
    return here != there and _TIME.sub("", here) == _TIME.sub("", there)


@contextmanager
def _seeded() -> Iterator[None]:
    """Seed the generators that every module shares."""
    import numpy

    before, numpys = random.getstate(), numpy.random.get_state()
    random.seed(0)
    numpy.random.seed(0)
    try:
        yield
    finally:
        random.setstate(before)
        numpy.random.set_state(numpys)
