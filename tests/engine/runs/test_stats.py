"""Statistics of a run, and that any run is read one tree at a time."""

import sqlite3
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from engine.export.export import ExportSettings, export
from engine.runs.failure import Failure
from engine.runs.stats import stats
from engine.runs.store import FILE, Store
from environments import Action, Step, Task
from search import PolicyError, Tree
from search.tree import Call
from search.usage import Usage

META = {
    "config": {"env": "arms", "template": "react"},
    "world": {"instructions": "Go.", "tools": []},
}


def tree(number: int, size: int = 1) -> Tree:
    """Two steps, the second wins; `size` thousand characters per observation."""
    found = Tree(Task(f"t{number:05}", f"Question {number}?"), "m", stopped="solved")
    first = found.add(0, Step(Action("go", {"arm": number}), f"{number} " * 200 * size), 0)
    found.add(first.id, Step(Action("go", {"arm": 1}), "the end", 1.0, True), 1)
    found.calls = [
        Call(0, "a", Usage(1, 100, 10)),
        Call(1, "b", Usage(1, 300, 10, cached_tokens=80), "value"),
    ]
    return found


def test_prefix_and_cached_tokens_are_shares_of_the_prompt(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        store.add_tree(tree(1))
        assert store.tree("t00001").calls == tree(1).calls
        found = stats(store).to_dict()
    assert (found["prefix_tokens"], found["prefix_share"]) == (100, 0.25)
    assert (found["cached_tokens"], found["cached_share"]) == (80, 0.2)


def test_a_run_without_requests_has_shares_of_zero(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        found = stats(store).to_dict()
    assert found["prefix_share"] == found["cached_share"] == found["solve_rate"] == 0.0


def test_a_task_with_half_a_tree_and_a_failure_is_one_task(tmp_path: Path) -> None:
    half = tree(1)
    half.stopped = "budget"
    with Store.create(tmp_path) as store:
        store.add_tree(half)
        store.add_failure(half.task, Failure.of(half.task, PolicyError("gone")))
        found = stats(store)
        assert (found.tasks, found.trees, found.failures.total()) == (1, 1, 1)
        store.add_tree(tree(1))
        assert stats(store).failures.total() == 0


def test_a_store_without_kinds_of_calls_is_read_and_extended(tmp_path: Path) -> None:
    with Store.create(tmp_path) as store:
        store.add_tree(tree(1))
    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        db.execute("ALTER TABLE calls DROP COLUMN kind")
    with Store.open(tmp_path) as store:
        assert [call.kind for call in store.tree("t00001").calls] == ["propose", "propose"]
    with Store.create(tmp_path) as store:
        store.add_tree(tree(2))
        kinds = [[call.kind for call in each.calls] for each in store.trees()]
    assert kinds == [["propose", "propose"], ["propose", "value"]]


def peak(use: Callable[[], object]) -> int:
    """Bytes that Python held at most while `use` ran, over what it held before."""
    tracemalloc.start()
    try:
        use()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run of 25 trees of 20 kB, and one of 250."""
    folder = tmp_path_factory.mktemp("runs")
    for count in (25, 250):
        with Store.create(folder / str(count)) as store:
            store.set_meta(META)
            for number in range(count):
                store.add_tree(tree(number, size=20))
    return folder / "25", folder / "250"


def counted(run: Path) -> None:
    with Store.open(run) as store:
        stats(store)


def exported(run: Path) -> None:
    export([run], run / "rows.jsonl", ExportSettings("sft"))


@pytest.mark.parametrize("use", [counted, exported])
def test_memory_does_not_grow_with_the_number_of_trees(
    runs: tuple[Path, Path], use: Callable[[Path], None]
) -> None:
    few, many = runs
    use(few)  # so that imports and caches do not count
    held = [peak(lambda run=run: use(run)) for run in (few, many)]
    assert held[1] < held[0] + 250_000, held  # 225 more trees are 4.5 MB and more
