"""Exploring on a real Ray cluster of two nodes, one of which is killed in mid-run."""

import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from engine.runs.store import Store
from tests.support import exploring
from tests.support.exploring import ROOT, Undisturbed, engine, received
from tests.support.faulty_world import ACTS, FINE, METHODS
from tests.support.student_first import ARMS, acted, calls, pair

TASKS, WORKERS, AT_ONCE = 20, 3, 2
FAULTY = "tests.support.faulty_world:FaultyWorld"
pytestmark = pytest.mark.filterwarnings("default")  # Ray's own


@contextmanager
def cluster() -> Iterator[tuple[str, Any]]:
    """Start two nodes; yield their address and how to kill the second, with two of three CPUs."""
    from ray.cluster_utils import Cluster

    nodes = Cluster(True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        second = nodes.add_node(num_cpus=2)
        nodes.wait_for_nodes()
        yield nodes.address, lambda: nodes.remove_node(second, allow_graceful=False)
    finally:
        nodes.shutdown()


def explore(out: Path, base_url: str, *more: str) -> list[str]:
    return exploring.explore(out, base_url, TASKS, *more)


def over(address: str) -> list[str]:
    return ["--executor", "ray", "--address", address, "--workers", str(WORKERS)] + [
        "--concurrency",
        str(AT_ONCE),
    ]


def kept(out: Path) -> int:
    """Return how many trees the store holds; 0 before it exists."""
    with (
        suppress(sqlite3.OperationalError),
        closing(sqlite3.connect(f"file:{out}/run.db?mode=ro", uri=True, timeout=20)) as db,
    ):
        [number] = db.execute("SELECT count(*) FROM trees").fetchone()
        return int(number)
    return 0


def wait_for_trees(out: Path, number: int) -> None:
    deadline = time.monotonic() + 120
    while kept(out) < number:
        assert time.monotonic() < deadline, "no tree arrives"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Undisturbed]:
    """A run in one process, to compare with."""
    with exploring.undisturbed(tmp_path_factory.mktemp("alone"), TASKS) as run:
        yield run


def test_a_node_is_killed_in_mid_run(alone: Undisturbed, tmp_path: Path) -> None:
    base_url, log, trees, needed = alone
    before, out = received(log), tmp_path / "run"
    with cluster() as (address, kill_second):
        command = explore(out, base_url, *over(address))
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
            wait_for_trees(out, 3)
            kill_second()
            done = kept(out)
            _, said = process.communicate(timeout=200)
    assert process.returncode == 0, said
    assert done < TASKS, "the run was over before the node was killed"
    assert engine("show", str(out), "--json") == trees
    sent = received(log) - before
    assert sent.keys() == needed.keys()
    assert sent.total() - needed.total() <= WORKERS * AT_ONCE, "paid twice"


def test_budget_and_journal_are_the_runs_and_not_the_workers(
    alone: Undisturbed, tmp_path: Path
) -> None:
    base_url, log, trees, needed = alone
    before, out = received(log), tmp_path / "run"
    more = ["--executor", "ray", "--workers", "2", "--max-calls", "20"]
    ended = subprocess.run(
        explore(out, base_url, *more), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1 and "budget is spent" in ended.stderr
    assert (received(log) - before).total() == 20
    subprocess.run(explore(out, base_url), cwd=ROOT, check=True, capture_output=True)
    assert engine("show", str(out), "--json") == trees
    assert received(log) - before == needed


def test_a_student_acts_first_on_ray(tmp_path: Path) -> None:
    with pair(tmp_path, lambda _: calls(1)) as both:
        flags = (
            f"--env {ARMS} --template react --depth 3 --teacher t --base-url "
            f"{both.teacher.base_url} --swift s@{both.student.base_url} --swift-threshold=-0.5 "
            f"--executor ray --workers 1 --out {tmp_path / 'run'}"
        )
        engine("explore", *flags.split())
        assert acted(both.tree) == ["student"] * 3
        assert len(both.asked) == 3 and not both.teacher.requests


def test_flags_that_do_not_go_together(tmp_path: Path) -> None:
    command = explore(tmp_path / "run", "http://127.0.0.1:9/v1", "--workers", "2")
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2 and "--workers is for --executor processes and ray" in ended.stderr


def test_what_an_environment_raises_fails_its_task_only(tmp_path: Path) -> None:
    more = ["--executor", "ray", "--workers", "1", "--output", str(tmp_path / "run")]
    command = [sys.executable, "-m", "engine", "explore", "--env", FAULTY, "--mistake-rate", "1"]
    ended = subprocess.run(
        [*command, *more], cwd=ROOT, capture_output=True, text=True, timeout=150, check=False
    )
    assert ended.returncode == 1 and "Traceback" not in ended.stderr, ended.stderr
    with Store.open(tmp_path / "run") as store:
        kinds = {name: kind for name, (kind, _) in store.failures().items()}
        assert set(FINE) <= set(store.task_ids())
    assert kinds.keys() == {*ACTS, *METHODS, "secret"}
    assert all(re.fullmatch(kind, kinds[name]) for name, (_, kind) in ACTS.items()), kinds
