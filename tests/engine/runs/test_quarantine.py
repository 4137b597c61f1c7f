"""What `validate` found unsound is left out of every run over the same tasks."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.runs.quarantine import Quarantine, default_file, earlier, left_out
from environments import Task

A, B, C = (Task(name, f"Do {name}.", {"gold": name * 9}) for name in "abc")
ENV = "mine:World"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    return tmp_path


def validated(data: str | None, examined: Sequence[Task], *unsound: Task) -> Path:
    """Do what the command does with its verdicts."""
    file = default_file(ENV, data)
    reasons = {task.id: "fails: x" for task in unsound}
    earlier(file, ENV, data).updated(examined, reasons).write(file)
    return file


@pytest.mark.parametrize("first", [None, "data", "./data", "data/../data/"])
@pytest.mark.parametrize("then", [None, "data", "link", "copy"])
def test_it_is_found_for_any_split_and_any_spelling(
    first: str | None, then: str | None, folder: Path
) -> None:
    (folder / "link").symlink_to(folder / "data")
    validated(first, [A, B], A)
    found = left_out(ENV, then, [A, C])
    assert found.reasons == {"a": "fails: x"}
    assert found.notes == [f"1 tasks are left out: {default_file(ENV, first)}"]


def test_verdicts_on_other_tasks_stay_and_new_ones_replace_the_old(folder: Path) -> None:
    validated("data", [A, B], A, B)
    file = validated("data", [B, C], C)
    assert Quarantine.read(file).tasks == {"a": "fails: x", "c": "fails: x"}
    assert validated("copy", [B], B) != file


def test_a_corrected_task_is_told_and_taken(folder: Path) -> None:
    file = validated("data", [A, B], A, B)
    found = left_out(ENV, "data", [replace(A, secret={"gold": "mended"}), B])
    assert list(found.reasons) == ["b"]
    assert found.notes[1] == f"1 tasks of {file} have changed since: validate them again"


def test_a_file_that_is_for_nothing_here_is_told(folder: Path) -> None:
    file = folder / "q.json"
    earlier(file, ENV, "data").updated([A], {"a": "fails: x"}).write(file)
    assert left_out(ENV, "data", [A], file).reasons == {"a": "fails: x"}
    found = left_out(ENV, "other", [C], file)
    assert not found.reasons and "is for other tasks or other data" in found.notes[0]
    assert not left_out("mine:Worlds", "data", [A]).notes


def test_files_of_earlier_versions_are_read(folder: Path) -> None:
    runs = folder / "runs"
    runs.mkdir()
    old = {"data": str(folder / "data"), "tasks": {"a": "noop: x"}}
    (runs / "quarantine-mine-World-dev.json").write_text(json.dumps(old))
    assert left_out(ENV, "data", [A, B]).reasons == {"a": "noop: x"}
    assert not left_out(ENV, None, [A, B]).reasons


@pytest.mark.parametrize("text", ["{}", "[]", "nonsense", '{"data": "", "tasks": [1]}'])
def test_what_is_no_quarantine_is_refused(text: str, folder: Path) -> None:
    (folder / "q.json").write_text(text)
    with pytest.raises(UsageError, match="not a quarantine file"):
        left_out(ENV, None, [A], folder / "q.json")
