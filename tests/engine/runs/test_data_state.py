"""A run notices that its databases change, while it goes on and before it is resumed."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.config import Config
from engine.runs.build_executor import Resources
from engine.runs.explore import Progress
from engine.runs.run import Selection, run, wait
from engine.runs.store import Store
from environments import DataError
from search import Tree
from tests.support.sql_tasks import write_bird

RECORDS: list[Any] = [{"question_id": 1}, {"question_id": 1}, 3, {"question_id": 2}]


class Notes(Progress):
    """Keeps what a person is told, and can do something after the first tree."""

    def __init__(self, path: Path | None = None) -> None:
        self.notes: list[str] = []
        self.path = path

    def note(self, text: str) -> None:
        self.notes.append(text)

    def tree(self, tree: Tree) -> None:
        if self.path is not None:
            add_row(self.path)
            self.path = None


def add_row(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO item DEFAULT VALUES")
        connection.commit()


def explore(folder: Path, progress: Notes, **selected: Any) -> Any:
    config = Config(env="bird", data=str(folder), split="dev", mistake_rate=0.0, sandbox="process")
    return wait(
        lambda: run(
            config,
            folder / "run",
            selection=Selection(**selected),
            resources=Resources(concurrency=1),
            progress=progress,
        )
    )


def test_a_change_between_two_commands_is_told(tmp_path: Path) -> None:
    path = write_bird(tmp_path, RECORDS)
    assert explore(tmp_path, Notes(), limit=1).complete
    add_row(path)
    progress = Notes()
    assert explore(tmp_path, progress).complete
    assert any("shop.sqlite differs from the one that this run" in note for note in progress.notes)
    with Store.open(tmp_path / "run") as store:
        assert store.task_ids() == ["bird-dev-1", "bird-dev-1-2", "bird-dev-2"]


def test_a_change_while_a_run_goes_on_fails_the_tasks_after_it(tmp_path: Path) -> None:
    path = write_bird(tmp_path, RECORDS)
    progress = Notes(path)
    summary = explore(tmp_path, progress)
    assert summary.failed and summary.solved + summary.failed == 3
    assert any("shop.sqlite has changed while the run" in note for note in progress.notes)
    with Store.open(tmp_path / "run") as store:
        for kind, message in store.failures().values():
            assert kind == "DatabaseChanged" and "\n" not in message
    assert explore(tmp_path, Notes()).complete


def test_bad_records_can_be_refused(tmp_path: Path) -> None:
    write_bird(tmp_path, RECORDS)
    with pytest.raises(DataError, match=r"dev.json: record 2: must be an object.*--strict"):
        explore(tmp_path, Notes(), strict=True)
    assert not (tmp_path / "run").exists()
