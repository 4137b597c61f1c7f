"""Runs over a task file: its tasks are searched, and the run is of that file alone."""

import json
import pickle
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

import environments
from engine.api import Run, explore
from engine.cli.env_flags import EnvChoice
from engine.errors import UsageError
from engine.runs.store import Store
from environments.task_files import write_tasks
from tests.support.chat_server import ChatServer
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.options import EvalOptions

MADE = {"by": "rules", "how": "rules"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two tasks of the graph, under ids of their own."""
    env = environments.make("kg")
    tasks = [replace(task, id=f"my-{n}", made=MADE) for n, task in enumerate(env.tasks[:2])]
    write_tasks(tmp_path / "mine.jsonl", tasks, world="kg")
    return tmp_path / "mine.jsonl"


def test_a_run_takes_the_tasks_of_the_file_and_keeps_which_it_was(
    file: Path, tmp_path: Path
) -> None:
    run = explore("kg", out=tmp_path / "run", task_file=file)
    assert {tree.task.id: dict(tree.task.made) for tree in run.trees()} == {
        "my-0": MADE,
        "my-1": MADE,
    }
    assert run.stats["solved"] == 2
    with Store.open(tmp_path / "run") as store:
        kept = store.meta()["config"]["task_file"]
    assert kept.startswith("mine.jsonl ")
    assert str(tmp_path) not in json.dumps(kept)
    moved = tmp_path / "elsewhere" / file.name
    moved.parent.mkdir()
    file.rename(moved)
    explore("kg", out=tmp_path / "run", task_file=moved)  # the same file: resumed


@pytest.mark.parametrize("how", ["changed", "none"])
def test_a_run_refuses_another_file(how: str, file: Path, tmp_path: Path) -> None:
    explore("kg", out=tmp_path / "run", task_file=file, limit=1)
    if how == "changed":
        file.write_text(file.read_text().replace("my-1", "my-2"))
    with pytest.raises(UsageError, match=r"another run \(--task-file was 'mine.jsonl "):
        explore("kg", out=tmp_path / "run", task_file=file if how == "changed" else None)
    assert list(Run(tmp_path / "run")) == ["my-0"]


def test_the_second_process_of_validate_has_the_files_tasks(file: Path) -> None:
    open_again = partial(EnvChoice(env="kg", task_file=file).make, "kg")
    world = pickle.loads(pickle.dumps(open_again))()
    assert [task.id for task in world.tasks] == ["my-0", "my-1"]


def test_a_student_is_measured_on_the_files_tasks(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with ChatServer(lambda request: "Thought: no\nAction: give_up\nAction Input: {}") as server:
        options = EvalOptions(env="kg", model="m", base_url=server.base_url, task_file=file)
        report = evaluate(options, tmp_path / "run")
    assert report.solved.total == 2
    assert set(Run(tmp_path / "run")) == {"my-0", "my-1"}
