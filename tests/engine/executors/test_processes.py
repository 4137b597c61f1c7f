"""Exploring in several processes: workers are killed, and so is their driver."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support import commands, exploring
from tests.support.exploring import Undisturbed, engine, received, started, wait_for_requests

TASKS, WORKERS, AT_ONCE = 12, 2, 3


def explore(out: Path, base_url: str, *more: str) -> list[str]:
    return exploring.explore(out, base_url, TASKS, "--concurrency", str(AT_ONCE), *more)


PROCESSES = ("--executor", "processes", "--workers", str(WORKERS))


def children(pid: int) -> list[int]:
    """Return the worker processes of a process, without Python's own resource tracker."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            with suppress(FileNotFoundError):  # it has ended meanwhile
                if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text():
                    found.append(child)
    return found


def hired_after(killed: set[int], pid: int) -> int:
    """Wait for the worker that replaces the `killed` ones, and return it."""
    deadline = time.monotonic() + 60
    while not (found := set(children(pid)) - killed):
        assert time.monotonic() < deadline, "no worker is hired"
        time.sleep(0.02)
    return found.pop()


def living(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Undisturbed]:
    """A run in one process, to compare with."""
    with exploring.undisturbed(tmp_path_factory.mktemp("alone"), TASKS) as run:
        yield run


def test_a_worker_is_killed_in_mid_run(alone: Undisturbed, tmp_path: Path) -> None:
    base_url, log, trees, needed = alone
    before, out = received(log), tmp_path / "run"
    with started(explore(out, base_url, *PROCESSES)) as process:
        wait_for_requests(log, before.total() + 10)
        hired = children(process.pid)
        assert len(hired) == WORKERS
        os.kill(hired[0], signal.SIGKILL)
        assert process.poll() is None, "the run was over before a worker was killed"
        _, said = process.communicate(timeout=200)
    assert process.returncode == 0, said
    assert engine("show", str(out), "--json") == trees
    sent = received(log) - before
    assert sent.keys() == needed.keys()
    assert sent.total() - needed.total() <= AT_ONCE, "paid twice"


def test_a_task_is_not_blamed_for_a_dead_worker_that_never_began_it(
    alone: Undisturbed, tmp_path: Path
) -> None:
    """At the end of a run, each idle place of a dead worker took the task that it gave back; every
    time counted as another worker that died over the task."""
    base_url, log, trees, _ = alone
    before, out = received(log).total(), tmp_path / "run"
    command = exploring.explore(out, base_url, 1, "--concurrency", "4", *PROCESSES[:2])
    with started([*command, "--workers", "1"]) as process:
        wait_for_requests(log, before + 2)
        [worker] = children(process.pid)
        os.kill(worker, signal.SIGKILL)
        _, said = process.communicate(timeout=100)
    assert process.returncode == 0, said
    assert engine("show", str(out), "--json") == trees.splitlines(keepends=True)[0]


def test_a_task_that_takes_every_worker_with_it_fails(alone: Undisturbed, tmp_path: Path) -> None:
    base_url, log, _, _ = alone
    out = tmp_path / "run"
    command = exploring.explore(out, base_url, 1, "--concurrency", "4", *PROCESSES[:2])
    killed: set[int] = set()
    with started([*command, "--workers", "1"]) as process:
        while len(killed) < 3:
            worker = hired_after(killed, process.pid)
            wait_for_requests(log, received(log).total() + 1)
            os.kill(worker, signal.SIGKILL)
            killed.add(worker)
        _, said = process.communicate(timeout=100)
    assert process.returncode == 1 and "3 workers died that searched bird-train-" in said, said


def test_nothing_outlives_a_killed_engine_and_the_run_goes_on(
    alone: Undisturbed, tmp_path: Path
) -> None:
    base_url, log, trees, needed = alone
    before, out = received(log), tmp_path / "run"
    with started(explore(out, base_url, *PROCESSES)) as process:
        wait_for_requests(log, before.total() + 10)
        hired = children(process.pid)
        process.kill()
    deadline = time.monotonic() + 20
    while living(hired):
        assert time.monotonic() < deadline, "workers outlive the engine"
        time.sleep(0.05)
    engine(*explore(out, base_url))
    assert engine("show", str(out), "--json") == trees
    assert (received(log) - before).total() - needed.total() <= WORKERS * AT_ONCE, "paid twice"


def test_ctrl_c_pays_nothing_twice(alone: Undisturbed, tmp_path: Path) -> None:
    base_url, log, trees, needed = alone
    before, out = received(log), tmp_path / "run"
    with started(explore(out, base_url, *PROCESSES), start_new_session=True) as process:
        wait_for_requests(log, before.total() + 10)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process
        _, said = process.communicate(timeout=100)
    assert process.returncode == 130 and "run the same command to go on" in said, said
    engine(*explore(out, base_url))
    assert engine("show", str(out), "--json") == trees
    assert received(log) - before == needed


def test_the_runs_budget_is_one(alone: Undisturbed, tmp_path: Path) -> None:
    base_url, log, trees, needed = alone
    before, out = received(log), tmp_path / "run"
    ended = commands.engine(*explore(out, base_url, *PROCESSES, "--max-calls", "30"))
    assert ended.returncode == 1 and "budget is spent" in ended.stderr, ended.stderr
    assert (received(log) - before).total() == 30
    engine(*explore(out, base_url))
    assert engine("show", str(out), "--json") == trees
    assert received(log) - before == needed
