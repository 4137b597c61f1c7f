"""Figures of a run for trackers. The services' own packages are tried by hand: see the docs."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.telemetry import trackers
from tests.support.commands import engine


class Ledger:
    """A tracker of our own.

    fails_at: the step at which it refuses, if any.
    """

    errors = (KeyError,)
    lines: list[tuple[int, dict[str, float]]]
    begun: tuple[str, dict[str, Any]] | None = None
    finished = 0
    refuses = ""

    def __init__(self) -> None:
        self.lines = []

    def begin(self, run: str, facts: Mapping[str, Any]) -> None:
        print("a service's own line")
        if self.refuses == "begin":
            raise KeyError("no such project")
        self.begun = run, dict(facts)

    def log(self, figures: Mapping[str, float], step: int) -> None:
        self.lines.append((step, dict(figures)))
        if self.refuses == "log":
            raise KeyError("gone away")

    def finish(self) -> None:
        self.finished += 1


def explored(
    folder: Path, monkeypatch: pytest.MonkeyPatch, refuses: str = ""
) -> tuple[Ledger, Any]:
    ledger = Ledger()
    ledger.refuses = refuses
    monkeypatch.setattr(trackers, "TRACKERS", {"wandb": lambda: ledger})
    monkeypatch.setattr(trackers, "SECONDS", 0.0)
    flags = ("--env", "kg", "--limit", 3, "--report-to", "none, wandb", "--json")
    return ledger, engine("explore", *flags, "--output", folder / "run-1")


def test_figures_go_out_while_a_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, done = explored(tmp_path, monkeypatch)
    assert done.returncode == 0 and done.stdout.startswith("{"), done
    assert ledger.begun is not None and ledger.finished == 1
    name, facts = ledger.begun
    assert (name, facts["env"], facts["teacher"]) == ("run-1", "kg", "demonstration")
    assert [step for step, _ in ledger.lines] == [1, 2, 3, 3]
    _, last = ledger.lines[-1]
    rate = last.pop("explore/tasks_per_minute")
    assert rate > 0
    assert last == {
        "explore/tasks": 3,
        "explore/solved": 3,
        "explore/solve_rate": 1.0,
        "explore/failed": 0,
        "explore/calls": 0,
        "explore/tokens": 0,
        "explore/usd": 0.0,
    }
    again, _ = explored(tmp_path, monkeypatch)
    assert again.begun is None  # nothing was left to explore


def test_a_service_that_fails_stops_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, done = explored(tmp_path, monkeypatch, refuses="log")
    assert done.returncode == 0 and len(ledger.lines) == 1
    assert "--report-to wandb: 'gone away'; it gets nothing more of this run" in done.stderr
    _, refused = explored(tmp_path / "b", monkeypatch, refuses="begin")
    assert refused.returncode == 2 and "--report-to wandb: 'no such project'" in refused.stderr


@pytest.mark.parametrize("name", ["trackio", "wandb", "mlflow"])
def test_a_missing_package_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    flags = ("--env", "kg", "--limit", 1, "--report-to", name, "--output", tmp_path / "r")
    found = engine("explore", *flags)
    assert found.returncode == 2
    assert f"--report-to {name}: the package {name} is not installed: pip" in found.stderr
