"""Exploring while the query workers are killed: every task is a tree or a recorded failure."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from engine.runs.store import Store
from tests.support.faults import ROOT_FOLDER, descendants, gone, living
from tests.support.sandboxes import require

TASKS = 10


@contextmanager
def chat_server(log: Path) -> Iterator[str]:
    command = [
        sys.executable,
        "-m",
        "tests.support.chat_server",
        "--log",
        str(log),
        "--latency",
        "0.03",
    ]
    process = subprocess.Popen(command, cwd=ROOT_FOLDER, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
        finally:
            process.kill()


def explore(out: Path, base_url: str, sandbox: str) -> list[str]:
    flags = (
        f"--env bird --split train --limit {TASKS} --teacher player --base-url {base_url} "
        f"--concurrency 8 --depth 6 --sandbox {sandbox} --out {out}"
    )
    return [sys.executable, "-m", "engine", "explore", *flags.split()]


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
        with subprocess.Popen(
            command, cwd=ROOT_FOLDER, stderr=subprocess.PIPE, text=True
        ) as engine:
            killed, known = kill_workers(engine, 60.0)
            assert engine.stderr is not None
            told = engine.stderr.read()
        trees, failures = settled(run)
        print(f"{name}: {killed} killed, {len(trees)} trees, {len(failures)} failures")
        assert killed >= 10 and "Traceback" not in told, told
        assert engine.returncode in (0, 1) and len(trees | failures) == TASKS
        assert not trees & failures
        gone(lambda: living(known))
        subprocess.run(command, cwd=ROOT_FOLDER, check=True, capture_output=True, timeout=60)
    trees, failures = settled(run)
    assert len(trees) == TASKS and not failures
