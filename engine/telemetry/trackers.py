"""Experiment trackers: the services that `trainer ... --report-to` names, for a run's figures."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

from engine.errors import UsageError
from engine.terminal import results_only, say

NONE = "none"
PROJECT = "treegraft"
SECONDS = 1.0
"""Figures are sent this often at most."""


class Tracker(Protocol):
    """Keeps figures by step.

    Attributes:
        errors: What its package raises where the service refuses something.
    """

    errors: tuple[type[Exception], ...]

    def begin(self, run: str, facts: Mapping[str, Any]) -> None:
        """Begin a run of this name."""

    def log(self, figures: Mapping[str, float], step: int) -> None:
        """Keep figures of a step."""

    def finish(self) -> None:
        """End the run."""


class _Wandb:
    def __init__(self) -> None:
        import wandb

        self._wandb = wandb
        self.errors: tuple[type[Exception], ...] = (wandb.Error, OSError)

    def begin(self, run: str, facts: Mapping[str, Any]) -> None:
        project = os.environ.get("WANDB_PROJECT", PROJECT)
        self._run = self._wandb.init(project=project, name=run, config=dict(facts))

    def log(self, figures: Mapping[str, float], step: int) -> None:
        self._run.log(dict(figures), step=step)

    def finish(self) -> None:
        self._run.finish()


class _Mlflow:
    def __init__(self) -> None:
        import mlflow

        self._mlflow = mlflow
        self.errors: tuple[type[Exception], ...] = (mlflow.MlflowException, OSError)

    def begin(self, run: str, facts: Mapping[str, Any]) -> None:
        self._mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT))
        self._mlflow.start_run(run_name=run)
        self._mlflow.log_params(dict(facts))

    def log(self, figures: Mapping[str, float], step: int) -> None:
        self._mlflow.log_metrics(dict(figures), step=step)

    def finish(self) -> None:
        self._mlflow.end_run()


class _Trackio:
    def __init__(self) -> None:
        import trackio

        self._trackio = trackio
        self.errors: tuple[type[Exception], ...] = (OSError, RuntimeError, ValueError)

    def begin(self, run: str, facts: Mapping[str, Any]) -> None:
        project = os.environ.get("TRACKIO_PROJECT", PROJECT)
        self._trackio.init(project=project, name=run, config=dict(facts), embed=False)

    def log(self, figures: Mapping[str, float], step: int) -> None:
        self._trackio.log(dict(figures), step=step)

    def finish(self) -> None:
        self._trackio.finish()


TRACKERS: Mapping[str, Callable[[], Tracker]] = {
    "trackio": _Trackio,
    "wandb": _Wandb,
    "mlflow": _Mlflow,
}
"""By the names that TRL's `--report_to` takes."""


class Reports:
    """Sends the figures of a run to trackers."""

    def __init__(self, trackers: Mapping[str, Tracker]) -> None:
        self._trackers, self._sent = dict(trackers), 0.0
        self._began = time.monotonic()

    def update(
        self, figures: Callable[[float], Mapping[str, float]], step: int, *, last: bool = False
    ) -> None:
        """Send figures, unless that was done a moment ago and these are not the last ones.

        Args:
            figures: Makes them from the seconds since the run began.
            step: How many tasks are done.
            last: Whether no others follow.
        """
        now = time.monotonic()
        if not self._trackers or (now - self._sent < SECONDS and not last):
            return
        self._sent = now
        found = {f"explore/{name}": value for name, value in figures(now - self._began).items()}
        for name, tracker in list(self._trackers.items()):
            try:
                with results_only():
                    tracker.log(found, step)
            except tracker.errors as error:
                del self._trackers[name]
                say(f"--report-to {name}: {_line(error)}; it gets nothing more of this run")


def tracker_names(given: str) -> list[str]:
    """Return the trackers that a text names, a,b,c; none for "none".

    Raises:
        UsageError: There is no such tracker.
    """
    names = [name.strip() for name in given.split(",") if name.strip() not in ("", NONE)]
    for name in names:
        if name not in TRACKERS:
            known = ", ".join((*TRACKERS, NONE))
            raise UsageError(f"--report-to {name}: no such tracker; use one or more of {known}")
    return list(dict.fromkeys(names))


@contextmanager
def reports(given: str, run: str, facts: Mapping[str, Any]) -> Iterator[Reports]:
    """Open the trackers that `given` names, and end them.

    Args:
        given: As `tracker_names` takes it.
        run: The run's name there.
        facts: What the run is.

    Raises:
        UsageError: There is no such tracker, its package is not installed, or it refuses to begin.
    """
    trackers: dict[str, Tracker] = {}
    with ExitStack() as stack:
        for name in tracker_names(given):
            trackers[name] = _begun(name, run, facts)
            stack.callback(_finish, name, trackers[name])
        yield Reports(trackers)


def _begun(name: str, run: str, facts: Mapping[str, Any]) -> Tracker:
    try:
        with results_only():
            tracker = TRACKERS[name]()
    except ImportError as error:
        package = error.name or name
        raise UsageError(
            f"--report-to {name}: the package {package} is not installed: pip install {name}"
        ) from None
    try:
        with results_only():
            tracker.begin(run, facts)
    except tracker.errors as error:
        raise UsageError(f"--report-to {name}: {_line(error)}") from error
    return tracker


def _finish(name: str, tracker: Tracker) -> None:
    try:
        with results_only():
            tracker.finish()
    except tracker.errors as error:
        say(f"--report-to {name}: {_line(error)}")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
