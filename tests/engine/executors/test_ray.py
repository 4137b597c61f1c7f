"""Exploring on a real Ray cluster of two nodes, one of which is killed in mid-run."""

import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.runs.store import Store
from tests.support import commands, exploring
from tests.support.exploring import Undisturbed, engine, received, started
from tests.support.faulty_world import ACTS, FINE, METHODS
from tests.support.student_first import ARMS, acted, calls, pair

TASKS, WORKERS, AT_ONCE = 20, 3, 2
FAULTY = "tests.support.faulty_world:FaultyWorld"
pytestmark = pytest.mark.filterwarnings("default")  # Ray's own


@dataclass(frozen=True)
class Nodes:
    """A cluster of two nodes: one with one CPU, and one with two that can be killed."""

    address: str
    kill_second: Callable[[], None]


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    from ray.cluster_utils import Cluster

    cluster = Cluster(True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        second = cluster.add_node(num_cpus=2)
        cluster.wait_for_nodes()
        yield Nodes(cluster.address, lambda: cluster.remove_node(second, allow_graceful=False))
    finally:
        cluster.shutdown()


def explore(out: Path, base_url: str, *more: str) -> list[str]:
    return exploring.explore(out, base_url, TASKS, *more)


def over(nodes: Nodes, workers: int) -> list[str]:
    return ["--executor", "ray", "--address", nodes.address, "--workers", str(workers)]


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


def test_what_an_environment_raises_fails_its_task_only(tmp_path: Path) -> None:
    """The first test: no Ray is there, and the command starts one."""
    more = ["--executor", "ray", "--workers", "1", "--output", str(tmp_path / "run")]
    with started(["explore", "--env", FAULTY, "--mistake-rate", "1", *more]) as process:
        _, said = process.communicate(timeout=150)
    assert process.returncode == 1 and "Traceback" not in said, said
    with Store.open(tmp_path / "run") as store:
        kinds = {name: kind for name, (kind, _) in store.failures().items()}
        assert set(FINE) <= set(store.task_ids())
    assert kinds.keys() == {*ACTS, *METHODS, "secret"}
    assert all(re.fullmatch(kind, kinds[name]) for name, (_, kind) in ACTS.items()), kinds


def test_budget_and_journal_are_the_runs_and_not_the_workers(
    alone: Undisturbed, nodes: Nodes, tmp_path: Path
) -> None:
    base_url, log, trees, needed = alone
    before, out = received(log), tmp_path / "run"
    with started(explore(out, base_url, *over(nodes, 2), "--max-calls", "20")) as process:
        _, said = process.communicate(timeout=200)
    assert process.returncode == 1 and "budget is spent" in said
    assert (received(log) - before).total() == 20
    engine(*explore(out, base_url))
    assert engine("show", str(out), "--json") == trees
    assert received(log) - before == needed


def test_a_student_acts_first_on_ray(nodes: Nodes, tmp_path: Path) -> None:
    with pair(tmp_path, lambda _: calls(1)) as both:
        flags = (
            f"--env {ARMS} --template react --depth 3 --teacher t --base-url "
            f"{both.teacher.base_url} --swift s@{both.student.base_url} --swift-threshold=-0.5 "
            f"--out {tmp_path / 'run'}"
        )
        with started(["explore", *flags.split(), *over(nodes, 1)]) as process:
            _, said = process.communicate(timeout=200)
        assert process.returncode == 0, said
        assert acted(both.tree) == ["student"] * 3
        assert len(both.asked) == 3 and not both.teacher.requests


def test_flags_that_do_not_go_together(tmp_path: Path) -> None:
    ended = commands.engine(*explore(tmp_path / "run", "http://127.0.0.1:9/v1", "--workers", "2"))
    assert ended.returncode == 2 and "--workers is for --executor processes and ray" in ended.stderr


def test_a_node_is_killed_in_mid_run(alone: Undisturbed, nodes: Nodes, tmp_path: Path) -> None:
    """The last test: it leaves one node."""
    base_url, log, trees, needed = alone
    before, out = received(log), tmp_path / "run"
    more = [*over(nodes, WORKERS), "--concurrency", str(AT_ONCE)]
    with started(explore(out, base_url, *more)) as process:
        wait_for_trees(out, 3)
        nodes.kill_second()
        done = kept(out)
        _, said = process.communicate(timeout=200)
    assert process.returncode == 0, said
    assert done < TASKS, "the run was over before the node was killed"
    assert engine("show", str(out), "--json") == trees
    sent = received(log) - before
    assert sent.keys() == needed.keys()
    assert sent.total() - needed.total() <= WORKERS * AT_ONCE, "paid twice"
