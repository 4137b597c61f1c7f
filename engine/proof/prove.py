"""Prove tasks: each check, with the number of tasks that pass it and the failures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from engine.errors import UsageError
from engine.proof.trial import Trial
from engine.validate import Unsound
from environments import Task

_ROUNDING = 1e-9

PLAYS, GOLD, NOOP, UNCHANGED = "plays", "gold", "noop", "unchanged"
RESTORE, DETERMINISM, ORACLE, UNHARMED = "restore", "determinism", "oracle", "unharmed"

ABOUT = {
    PLAYS: "the world's code and the sandbox do not fail",
    GOLD: "the solution earns the maximum",
    NOOP: "doing nothing does not solve the task",
    UNCHANGED: "playing does not change the task itself",
    RESTORE: "after a restore, the same actions return the same, over interleaved branches",
    DETERMINISM: "two plays, and a play in a second process, return the same",
    ORACLE: "no prompt, tool, observation or info shows the secret before the agent writes it",
    UNHARMED: "the solution and doing nothing are played as before after all cheaters",
}
"""The checks beside the cheaters, in the order in which they are made."""

_KINDS = {
    "raises": (PLAYS, "the world's code raises an exception"),
    "sandbox": (PLAYS, "the sandbox fails"),
    "fails": (GOLD, "the solution does not earn the maximum"),
    "errors": (GOLD, "the solution ends in an error"),
    "suspect": (GOLD, "the world doubts the solution"),
    "noop": (NOOP, "doing nothing earns the maximum"),
    "changes": (UNCHANGED, "playing changes the task"),
    "unsaved": (RESTORE, "the state is not saved"),
    "random": (DETERMINISM, "the same actions return something else"),
}
_ORDER = (PLAYS, GOLD, NOOP, UNCHANGED, RESTORE, DETERMINISM)


@dataclass
class Check:
    """A check of all tasks.

    Attributes:
        about: What it says.
        checked: On how many tasks it was made.
        failures: Why it fails, by task id; nothing of a secret.
        mean: The mean reward that a cheater earned; None for other checks.
        floor: The mean reward that it may earn.
        attempts: How many it made.
    """

    about: str
    checked: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    mean: float | None = None
    floor: float | None = None
    attempts: int = 0

    @property
    def passed(self) -> bool:
        """Whether nothing failed; a cheater may earn its floor."""
        if self.mean is not None and self.floor:
            return self.mean <= self.floor + _ROUNDING
        return not self.failures

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        found = {
            "about": self.about,
            "checked": self.checked,
            "passed": self.checked - len(self.failures),
            "holds": self.passed,
            "failures": dict(sorted(self.failures.items())),
        }
        if self.mean is not None:
            found |= {"mean": round(self.mean, 6), "floor": self.floor or 0.0}
            found["attempts"] = self.attempts
        return found


def prove(
    tasks: Sequence[Task],
    unsound: Iterable[Unsound],
    trials: Iterable[Trial],
    floors: Mapping[str, float],
    about: Mapping[str, str],
) -> dict[str, Check]:
    """Return each check by its name; those of cheaters are named "cheater NAME".

    Args:
        tasks: Those that were played.
        unsound: What `engine.validate` found.
        trials: One for each task.
        floors: What cheaters may earn, as a mean over the tasks, by their names.
        about: What each cheater of the panel does.

    Raises:
        UsageError: A floor is for a cheater that did not play.
    """
    checks = {name: Check(words) for name, words in ABOUT.items()}
    found = {one.task: one for one in unsound}
    for task in tasks:
        _count_plays(checks, task.id, found.get(task.id))
    earned: dict[str, list[float]] = {}
    for trial in trials:
        _count_trial(checks, trial)
        for name, reward in trial.earned.items():
            earned.setdefault(name, []).append(reward)
            check = checks.setdefault(f"cheater {name}", Check(about.get(name, "the world's own")))
            check.checked += 1
            check.attempts += trial.attempts.get(name, 0)
            if reward > trial.floor + _ROUNDING:
                by = trial.last_tools.get(name, "")
                check.failures[trial.task] = (
                    f"earns {reward:g} by {by}, and doing nothing {trial.floor:g}"
                )
    for name, rewards in earned.items():
        check = checks[f"cheater {name}"]
        check.mean, check.floor = fmean(rewards), floors.get(name, 0.0)
    if strange := floors.keys() - earned.keys():
        known = ", ".join(earned) or "none"
        raise UsageError(f"--floor {min(strange)}: no such cheater played; those that did: {known}")
    return checks


def _count_plays(checks: dict[str, Check], id: str, unsound: Unsound | None) -> None:
    """Count a task of `engine.validate`, which stops at the first check that fails."""
    failed, words = _KINDS[unsound.kind] if unsound else ("", "")
    for name in _ORDER:
        checks[name].checked += 1
        if name == failed:
            checks[name].failures[id] = words
            return


def _count_trial(checks: dict[str, Check], trial: Trial) -> None:
    for name in (ORACLE, UNHARMED):
        checks[name].checked += 1
    if trial.shown:
        checks[ORACLE].failures[trial.task] = "; ".join(trial.shown)
    if trial.harmed:
        checks[UNHARMED].failures[trial.task] = trial.harmed
    if trial.raised:
        words = (f"{name}: {what}" for name, what in sorted(trial.raised.items()))
        checks[PLAYS].failures.setdefault(trial.task, "; ".join(words))
