"""Whatever an environment does wrong, the run ends; only the tasks concerned fail, and say why."""

import json
import re
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from engine.api import explore_config
from engine.cli.runs import show
from engine.runs.build_executor import Resources
from engine.runs.explore import FirstFailure, Summary
from engine.runs.failure import failed_line
from engine.runs.run import Selection
from engine.runs.store import Store
from tests.support.configs import make_config
from tests.support.faulty_world import ACTS, FINE, METHODS, SECRET
from treegraft.errors import TreegraftError

WORLD = "tests.support.faulty_world:FaultyWorld"
SECONDS = 100
PROCESSES = Resources(executor="processes", workers=1, concurrency=8)


def explore(out: Path, how: Resources, tasks: str = "", **env_args: Any) -> Summary:
    """Explore within SECONDS; a run that hangs is left to its daemon thread."""
    config = make_config(WORLD, mistake_rate=1.0, depth=4, env_args=env_args)
    ended: Future[Summary] = Future()

    def work() -> None:
        try:
            run = explore_config(config, out, resources=how, selection=Selection(tasks=tasks))
        except BaseException as error:  # noqa: BLE001  (raised again below)
            ended.set_exception(error)
        else:
            ended.set_result(run.summary)

    threading.Thread(target=work, daemon=True).start()
    return ended.result(SECONDS)


def kept(out: Path) -> tuple[dict[str, str], set[str]]:
    """The kinds of the failures by task, and the tasks with a tree."""
    with Store.open(out) as store:
        kinds = {name: kind for name, (kind, _) in store.failures().items()}
        return kinds, set(store.task_ids())


@pytest.mark.parametrize("how", [Resources(), PROCESSES], ids=["local", "processes"])
def test_each_fault_fails_its_task_and_no_other(how: Resources, tmp_path: Path) -> None:
    explore(tmp_path, how)
    wanted = {name: kind for name, (_, kind) in ACTS.items()}
    wanted |= dict.fromkeys(METHODS, "ZeroDivisionError") | {"secret": "AttributeError"}
    if how is not PROCESSES:  # nothing is pickled
        del wanted["str"], wanted["secret"]
    kinds, trees = kept(tmp_path)
    assert kinds.keys() == wanted.keys() and set(FINE) <= trees
    assert all(re.fullmatch(wanted[name], kind) for name, kind in kinds.items()), kinds
    with Store.open(tmp_path) as store:
        assert all("\n" not in message for _, message in store.failures().values())
        failure, deep = store.failure("value"), store.failure("deep")
    assert failure and failure.message.startswith("ValueError in faulty_world.py:")
    assert failure.trace.endswith("ValueError: boom\n") and "in act" in failure.trace
    assert deep and len(deep.trace) < 30_000
    for file in tmp_path.iterdir():
        assert SECRET.encode() not in file.read_bytes()


def test_an_instant_environment_is_blamed_too(tmp_path: Path) -> None:
    explore(tmp_path, Resources(), "value,exit,cancelled,load,fine-1", instant=True)
    assert kept(tmp_path) == (
        {
            "value": "ValueError",
            "exit": "SystemExit",
            "cancelled": "CancelledError",
            "load": "ZeroDivisionError",
        },
        {"fine-1"},
    )


def test_a_task_that_kills_its_worker_takes_no_other_with_it(tmp_path: Path) -> None:
    summary = explore(tmp_path, PROCESSES, lethal="dies")
    assert kept(tmp_path) == ({"dies": "WorkerLost"}, set(FINE))
    [failure] = summary.failures
    assert failure.message == "3 workers died that searched dies: exit code 3"


@pytest.mark.parametrize(
    ("worker", "says"),
    [
        ("raises", "ImportError in .*: no module of that name on this machine$"),
        ("exits", "3 workers in a row died when they began: exit code 4$"),
    ],
)
def test_a_worker_that_cannot_begin_ends_the_run(worker: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(TreegraftError, match=says):
        explore(tmp_path, PROCESSES, worker=worker)


def test_what_failed_is_tried_again_and_counted_by_cause(tmp_path: Path) -> None:
    first = explore(tmp_path, Resources(), "value,quotes,exit,fine-0")
    assert re.fullmatch(
        r"3 tasks failed: (\w+ in faulty_world.py:\d+ fault(; |$)){3}", failed_line(first.failures)
    )
    again = explore(tmp_path, Resources(), "value,fine-0")
    assert (again.skipped, again.failed) == (1, 1)
    assert "1 task failed: ValueError in" in failed_line(again.failures)


def test_fail_fast_stops_at_the_first_failure(tmp_path: Path) -> None:
    how = Resources(fail_fast=True, concurrency=1)
    with pytest.raises(FirstFailure, match="stopped at the first failed task, value: Val") as told:
        explore(tmp_path, how, "value,fine-0")
    assert "ValueError: boom" in told.value.trace
    assert kept(tmp_path) == ({"value": "ValueError"}, set())


def test_show_prints_the_traceback_of_a_failed_task(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    explore(tmp_path, Resources(), "value,sandbox,fine-0")
    show(tmp_path, task="value")
    assert capsys.readouterr().out.rstrip().endswith("\nValueError: boom")
    show(tmp_path)
    listed = capsys.readouterr().out
    assert "value\tfailed\tValueError in faulty_world.py:" in listed
    assert "sandbox\tfailed\tOwnSandboxError" in listed
    show(tmp_path, task="value", json_=True)
    assert json.loads(capsys.readouterr().out)["kind"] == "ValueError"
