"""kill -9, again and again: nothing is lost, nothing is paid twice but what was in flight."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from engine.runs.store import FILE
from tests.support import commands, exploring
from tests.support.exploring import Undisturbed, engine, received, started, wait_for_requests
from tests.support.faults import descendants, living

TASKS, KILLS, CONCURRENCY = 20, 3, 8


def explore(out: Path, base_url: str, *more: str) -> list[str]:
    return exploring.explore(out, base_url, TASKS, "--concurrency", str(CONCURRENCY), *more)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Undisturbed]:
    folder = tmp_path_factory.mktemp("undisturbed")
    with exploring.undisturbed(folder, TASKS, "--concurrency", str(CONCURRENCY)) as run:
        yield run


def test_a_killed_run_ends_as_if_nothing_had_happened(undisturbed, tmp_path):
    base_url, log, trees, needed = undisturbed
    before = received(log)
    random, out = Random(0), tmp_path / "run"
    for _ in range(KILLS):
        some = random.randint(1, needed.total() // (KILLS + 1))
        with started(explore(out, base_url)) as process:
            wait_for_requests(log, received(log).total() + some)
            process.kill()
        assert process.returncode == -signal.SIGKILL, "the run was over before it was killed"
    engine(*explore(out, base_url))
    assert engine("show", str(out), "--json") == trees
    sent = received(log) - before
    assert sent.keys() == needed.keys()
    twice = sent.total() - needed.total()
    assert 0 <= twice <= KILLS * CONCURRENCY, f"{twice} requests were paid twice"


def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(undisturbed, tmp_path):
    base_url, log, trees, needed = undisturbed
    before, out = received(log), tmp_path / "run"
    out.mkdir()
    (out / FILE).touch()  # as a kill leaves it between the file and its tables
    with started(explore(out, base_url)) as process:
        wait_for_requests(log, before.total() + 30)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "run the same command to go on" in said and "Traceback" not in said
    engine(*explore(out, base_url))
    assert engine("show", str(out), "--json") == trees
    # What was in flight was awaited and kept: nothing was paid twice.
    assert received(log) - before == needed


def test_the_runs_budget_stops_it_and_a_larger_one_goes_on(undisturbed, tmp_path):
    base_url, log, trees, _ = undisturbed
    before, out = received(log).total(), tmp_path / "run"
    for _ in range(2):  # the second command finds the budget spent
        stopped = commands.engine(*explore(out, base_url, "--max-calls", "50"))
        assert stopped.returncode == 1 and "budget is spent" in stopped.stderr
        assert received(log).total() - before == 50
    engine(*explore(out, base_url))
    assert engine("show", str(out), "--json") == trees


def test_nothing_is_left_running(undisturbed, tmp_path):
    """The query workers of a killed engine end with it."""
    base_url, log, *_ = undisturbed
    with started(explore(tmp_path / "run", base_url)) as process:
        wait_for_requests(log, received(log).total() + 30)
        children = descendants(process.pid)
        process.kill()
    assert len(children) >= CONCURRENCY
    deadline = time.monotonic() + 2
    while left := living(children):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
