"""A run of rounds from start to end: settings checked, folder locked, rounds played."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from engine.errors import UsageError
from engine.runs.explore import locked
from treegraft.errors import TreegraftError
from treegraft.rounds import curve, flags
from treegraft.rounds.commands import HELD_OUT, Commands
from treegraft.rounds.curve import Point
from treegraft.rounds.loop import Loop
from treegraft.rounds.plot import write_markdown
from treegraft.rounds.serving import choose_port
from treegraft.rounds.settings import Settings
from treegraft.rounds.state import State
from treegraft.rounds.tasks import choose, write_ids
from treegraft.rounds.toml import flag_tables

WORLDS = ("engine explore", "trainer eval")
"""Commands that make the environment."""


@dataclass(frozen=True, slots=True)
class TrainingSummary:
    """points: of the rounds.   stopped: why no other follows; "" where one does.
    now: the step under way or next, "2/sft"."""

    points: list[Point]
    stopped: str
    now: str


def rounds(
    settings: Settings, out: Path, *, told: Callable[[Point], None] = lambda point: None
) -> TrainingSummary:
    """Play every round in folder `out`, or what is left of them; `told` of each that is over.

    Raises:
        LeakedTask: what measures would be trained on.
        StepFailed: a step did not end well.
        UsageError: other settings made what is in `out`.
    """
    folder = out.resolve()
    known = flags.ask(dict.fromkeys(of for of, _, _ in flag_tables(settings)))
    checked(settings, known)
    chosen = choose(settings.tasks)
    with locked(folder):
        state = State.load(folder)
        tasks = {"train": chosen.train, "held_out": chosen.measured}
        state.claim(state.port or choose_port(folder), tasks)
        write_ids(folder / HELD_OUT, chosen.measured)
        loop = Loop(Commands(settings, folder, known), state, chosen)
        for number in count():
            loop.play(number)
            course = look(settings, folder)
            write_markdown(folder, course.points, course.stopped)
            if course.points and course.points[-1].round == number:
                told(course.points[-1])
            if course.stopped:
                state.begin("")
                return replace(course, now="")
    raise AssertionError("count() ends never")


def look(settings: Settings, out: Path) -> TrainingSummary:
    """How far the run in folder `out` is. Reads only.

    Raises:
        UsageError: there is none.
    """
    state = State.load(out.resolve())
    if not state.tasks:
        raise UsageError(f"no rounds in {out}: the same command without --status begins them")
    points = curve.points(state)
    finished = [point for point in points if f"{point.round}/evaluate" in state.done]
    stopped = curve.why_stop(finished, settings.rounds) if finished else ""
    return TrainingSummary(points, stopped, state.now)


def checked(settings: Settings, known: flags.Known) -> None:
    """See that the flags in the file are flags of the commands.

    Raises:
        UsageError: naming the table, the flag and the nearest that there is.
    """
    for of, table, given in flag_tables(settings):
        flags.check(known, of, table, given)
    for option in settings.tasks.options:
        for of in WORLDS:
            if option not in known[of]:
                raise UsageError(f"[tasks.options] {option}: `{of}` takes no such option")
    if settings.student.swift_threshold is not None and settings.explore.student:
        raise UsageError(
            "[explore.student] is for a student that searches alone; with student.swift_threshold "
            "it acts in the teacher's search: leave one of them out"
        )


def under_way(out: Path) -> bool:
    """Whether a process is at work in folder `out`."""
    try:
        with locked(out):
            return False
    except TreegraftError:
        return True
