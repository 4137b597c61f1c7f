"""A run of rounds from start to end: check the settings, lock the folder, do the rounds."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from engine.errors import UsageError
from engine.runs.explore import locked
from trainer.runtime.prepare import prepare_torch
from treegraft.rounds import curve
from treegraft.rounds.curve import Point
from treegraft.rounds.loop import Loop
from treegraft.rounds.plot import write_markdown
from treegraft.rounds.report import write_report
from treegraft.rounds.serving import choose_port
from treegraft.rounds.settings import Settings
from treegraft.rounds.state import State
from treegraft.rounds.step_options import HELD_OUT, StepOptions, check_settings
from treegraft.rounds.tasks import choose, write_ids


@dataclass(frozen=True, slots=True)
class RoundsStatus:
    """How far a run is.

    Attributes:
        points: One per round.
        stopped: Why no further round follows; "" if one does.
        now: The step under way or next, such as "2/sft".
    """

    points: list[Point]
    stopped: str
    now: str


def rounds(
    settings: Settings, out: Path, *, on_round: Callable[[Point], None] = lambda point: None
) -> RoundsStatus:
    """Do all rounds in folder `out`, or those that are left.

    Args:
        settings: What the file says.
        out: The run's folder.
        on_round: Called with each round that is finished.

    Raises:
        LeakedTask: Held-out tasks are among those to train on.
        StepFailed: A step ended with an error.
        UsageError: Options contradict each other, or `out` was made with other settings.
    """
    folder = out.resolve()
    prepare_torch()
    check_settings(settings)
    chosen = choose(settings.tasks)
    with locked(folder):
        state = State.load(folder)
        tasks = {"train": chosen.train, "held_out": chosen.measured}
        state.claim(state.port or choose_port(folder), tasks, settings.rounds.method)
        write_ids(folder / HELD_OUT, chosen.measured)
        loop = Loop(StepOptions(settings, folder), state, chosen)
        for number in count():
            loop.play(number)
            status = read_status(settings, folder)
            write_markdown(folder, status.points, status.stopped)
            write_report(folder, status.points, status.stopped)
            if status.points and status.points[-1].round == number:
                on_round(status.points[-1])
            if status.stopped:
                state.begin("")
                return replace(status, now="")
    raise AssertionError("count() has no end")


def read_status(settings: Settings, out: Path) -> RoundsStatus:
    """Return how far the run in folder `out` is; change nothing.

    Raises:
        UsageError: There is no run.
    """
    state = State.load(out.resolve())
    if not state.tasks:
        raise UsageError(f"no rounds in {out}: the same command without --status begins them")
    points = curve.points(state)
    finished = [point for point in points if f"{point.round}/evaluate" in state.done]
    stopped = curve.why_stop(finished, settings.rounds) if finished else ""
    return RoundsStatus(points, stopped, state.now)


def is_running(out: Path) -> bool:
    """Return whether a process is working in folder `out`."""
    try:
        with locked(out):
            return False
    except UsageError:
        return True
