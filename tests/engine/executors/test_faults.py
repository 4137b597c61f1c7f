"""Whatever an environment does wrong, the run ends; only the tasks concerned fail, and say why."""

import asyncio
import threading
from concurrent.futures import Future
from pathlib import Path

import pytest

from engine.api import explore_config
from engine.executors import remote_worker
from engine.runs.build_executor import Resources
from engine.runs.explore import FirstFailure, Summary
from engine.runs.failure import failed_line
from engine.runs.run import Selection
from engine.runs.store import Store
from search import PolicyError
from tests.support.configs import make_config
from tests.support.faulty_world import ACTS, FINE, METHODS, SECRET
from treegraft.errors import TreegraftError

WORLD = "tests.support.faulty_world:FaultyWorld"
SECONDS = 100
PROCESSES = Resources(executor="processes", workers=1, concurrency=8)


def explore(out: Path, how: Resources, tasks: str = "", **env_args: str) -> Summary:
    """Explore within SECONDS; a run that hangs is left to its daemon thread."""
    config = make_config(WORLD, mistake_rate=1.0, depth=4, env_args=env_args)
    ended: Future[Summary] = Future()

    def work() -> None:
        try:
            run = explore_config(config, out, resources=how, selection=Selection(tasks=tasks))
        except TreegraftError as error:
            ended.set_exception(error)
        else:
            ended.set_result(run.summary)

    threading.Thread(target=work, daemon=True).start()
    return ended.result(SECONDS)


@pytest.mark.parametrize("how", [Resources(), PROCESSES], ids=["local", "processes"])
def test_each_fault_fails_its_task_and_no_other(
    how: Resources, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    explore(tmp_path, how)
    kinds = {name: kind for name, (_, kind) in ACTS.items()} | dict.fromkeys(
        METHODS, "ZeroDivisionError"
    )
    if how is PROCESSES:
        kinds["secret"] = "AttributeError"
    else:
        del kinds["str"]  # it is never pickled
    with Store.open(tmp_path) as store:
        found = store.failures()
        assert {name: kind for name, (kind, _) in found.items()} == kinds
        assert set(FINE) <= set(store.task_ids())
        value = store.failure("value")
    assert value and "ValueError: boom" in value.trace and ", in fault" in value.trace
    assert value.message == "ValueError in faulty_world.py:53 fault: boom"
    for file in tmp_path.iterdir():
        assert SECRET.encode() not in file.read_bytes()
    assert all("\n" not in message for _, message in found.values())
