"""Exploring while the query workers are killed: every task is a tree or a recorded failure."""

import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from engine.runs.store import Store
from tests.support import exploring
from tests.support.exploring import chat_server, engine, started
from tests.support.faults import descendants, gone, living
from tests.support.sandboxes import require

TASKS = 10


def explore(out: Path, base_url: str, sandbox: str) -> list[str]:
    return exploring.explore(out, base_url, TASKS, "--concurrency", "8", "--sandbox", sandbox)


def workers(engine: int) -> list[int]:
    """The query workers themselves and what waits for them, below a process."""
    found = []
    for pid, _ in descendants(engine):
        with suppress(OSError):
            if b"query_worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def kill_workers(engine: subprocess.Popen[str], seconds: float) -> tuple[int, set[tuple[int, int]]]:
    """Kill one now and then until the engine ends: how many, and all processes ever seen."""
    draw, killed = random.Random(0), 0
    deadline, known = time.monotonic() + seconds, descendants(engine.pid)
    while engine.poll() is None:
        assert time.monotonic() < deadline, "the command does not end"
        known |= descendants(engine.pid)
        if found := workers(engine.pid):
            with suppress(ProcessLookupError):
                os.kill(draw.choice(found), signal.SIGKILL)
                killed += 1
        time.sleep(draw.uniform(0.0, 0.06))
    return killed, known


def settled(run: Path) -> tuple[set[str], set[str]]:
    """Ids of the tasks with a tree, and with a failure."""
    with Store.open(run) as store:
        return {tree.task.id for tree in store.trees()}, set(store.failures())


@pytest.mark.parametrize("name", ["bubblewrap", "landlock"])
def test_a_run_whose_workers_are_killed_ends_and_can_go_on(name: str, tmp_path: Path) -> None:
    require(name)
    run = tmp_path / "run"
    with chat_server(tmp_path / "log") as base_url:
        command = explore(run, base_url, name)
        with started(command) as process:
            killed, known = kill_workers(process, 60.0)
            assert process.stderr is not None
            told = process.stderr.read()
        trees, failures = settled(run)
        print(f"{name}: {killed} killed, {len(trees)} trees, {len(failures)} failures")
        assert killed >= 10 and "Traceback" not in told, told
        assert process.returncode in (0, 1) and len(trees | failures) == TASKS
        assert not trees & failures
        gone(lambda: living(known))
        engine(*command)
    trees, failures = settled(run)
    assert len(trees) == TASKS and not failures
