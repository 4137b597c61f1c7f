"""Task files: whole tasks, read back as they were, with paths that lead to the same files."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import environments
from environments.errors import DataError
from environments.plays import play
from environments.sql.tasks.formats import BUNDLED as SQL_DATA
from environments.task_files import IN_DATA, IN_PACKAGE, read_tasks, write_tasks
from environments.tools import SAY
from environments.types import Task

WORLDS = ("bird", "database", "kg", "os", "python", "search-qa", "webshop", "api")
TASK = Task("a", "Do it.", {"answer": "42"})


def plain(task: Task) -> str:
    """What a task holds, with lists for tuples."""
    return json.dumps([task.id, task.prompt, task.secret, task.details, task.tags, task.made])


@pytest.mark.parametrize("world", WORLDS)
def test_a_worlds_tasks_are_the_same_after_writing_and_reading(world: str, tmp_path: Path) -> None:
    env = environments.make(world)
    tasks = env.tasks[:20]
    write_tasks(tmp_path / "t.jsonl", tasks, world=world)
    again = environments.make(world, task_file=tmp_path / "t.jsonl")
    assert list(map(plain, again.tasks)) == list(map(plain, tasks))
    solution = again.solution(again.tasks[0])
    assert solution is not None
    assert play(again, again.tasks[0], solution)[-1].solved
    env.close()
    again.close()


def test_bundled_paths_are_relative_to_the_package(tmp_path: Path) -> None:
    env = environments.make("bird")
    write_tasks(tmp_path / "t.jsonl", env.tasks[:1], world="bird")
    line = json.loads((tmp_path / "t.jsonl").read_text())
    path = line["details"]["database"][IN_PACKAGE]
    assert path.startswith("sql/data/train_databases/")
    env.close()


def test_paths_of_own_data_lead_into_the_folder_that_is_given(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        shutil.copytree(SQL_DATA, folder)
    env = environments.make("bird", data=str(here))
    write_tasks(tmp_path / "t.jsonl", env.tasks[:1], world="bird", data=here)
    assert str(tmp_path) not in (tmp_path / "t.jsonl").read_text()
    with pytest.raises(DataError, match=r"t\.jsonl: line 1: .* name them with --data"):
        read_tasks(tmp_path / "t.jsonl")
    shutil.rmtree(here)
    moved = environments.make("bird", data=str(there), task_file=tmp_path / "t.jsonl")
    task = moved.tasks[0]
    assert task.details["database"].startswith(f"{there}/")
    assert play(moved, task, moved.solution(task) or [])[-1].solved
    moved.close()


def test_a_path_that_leads_out_of_the_data_is_refused(tmp_path: Path) -> None:
    """A task file may come from somebody else."""
    file = tmp_path / "t.jsonl"
    write_tasks(file, [replace(TASK, details={"database": "here"})], world="bird")
    for path in ("../../etc/passwd", "/etc/passwd"):
        file.write_text(
            json.dumps(json.loads(file.read_text()) | {"details": {"f": {IN_PACKAGE: path}}})
        )
        with pytest.raises(DataError, match=f"line 1: the path {path} leads out of"):
            read_tasks(file)


def test_the_schema_is_in_the_prompt_once_if_the_world_is_told_so(tmp_path: Path) -> None:
    known = environments.make("bird", schema="prompt")
    plain_world = environments.make("bird")
    for number, tasks in enumerate((known.tasks[:1], plain_world.tasks[:1])):
        file = tmp_path / f"{number}.jsonl"
        write_tasks(file, tasks, world="bird")
        again = environments.make("bird", schema="prompt", task_file=file)
        assert again.tasks[0].prompt == known.tasks[0].prompt
        again.close()
    known.close()
    plain_world.close()


def test_tools_and_provenance_are_kept(tmp_path: Path) -> None:
    made = {"by": "rules", "how": "rules", "from": ["b"]}
    task = replace(TASK, tools=(SAY,), made=made, findable=("answer",))
    write_tasks(tmp_path / "t", [task], world="kg")
    (found,) = read_tasks(tmp_path / "t", worlds=["kg"])
    assert found.tools == (SAY,)
    assert found.made == made and found.findable == ("answer",)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "line 2: not JSON"),
        ("[]", "line 2: no task: .* is not of type 'object'"),
        ('{"world": "kg", "id": "b", "prompt": "x"}', "line 2: .*'secret' is a required"),
        ('{"world": "kg", "id": 1, "prompt": "x", "secret": {}}', "line 2: .*field 'id'"),
        ('{"world": "kg", "id": "b", "prompt": "x", "secret": {}, "n": 1}', "line 2: .*'n' was"),
        ('{"world": "os", "id": "b", "prompt": "x", "secret": {}}', "line 2: .*'os', not of 'kg'"),
        ('{"world": "kg", "id": "a", "prompt": "x", "secret": {}}', "line 2: a second task"),
        (f'{{"world": "kg", "id": "b", "prompt": "x", "secret": {{}}, "details": {{"d": '
         f'{{"{IN_DATA}": "x"}}}}}}', "line 2: .*--data"),
    ],
)  # fmt: skip
def test_a_bad_line_is_named(line: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "t.jsonl"
    write_tasks(file, [TASK], world="kg")
    file.write_text(f"{file.read_text()}{line}\n")
    with pytest.raises(DataError, match=says):
        read_tasks(file, worlds=["kg"])


def test_a_task_that_is_not_json_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "t.jsonl"
    write_tasks(file, [TASK], world="kg")
    with pytest.raises(DataError, match="task 'a' cannot be written"):
        write_tasks(file, [replace(TASK, details={"x": object()})], world="kg")
    assert read_tasks(file) == [TASK]


def test_an_empty_file_holds_no_task(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("\n")
    with pytest.raises(DataError, match="holds no task"):
        read_tasks(tmp_path / "t")


def test_a_registered_name_and_its_class_are_one_world(tmp_path: Path) -> None:
    write_tasks(tmp_path / "t", [TASK], world="environments.kg.env:KgEnv")
    assert environments.make("kg", task_file=tmp_path / "t").tasks == [TASK]


def test_a_split_is_chosen(tmp_path: Path) -> None:
    tasks = [replace(TASK, id=split, split=split) for split in ("train", "test")]
    write_tasks(tmp_path / "t", tasks, world="kg")
    env = environments.make("kg", split="test", task_file=tmp_path / "t")
    assert [task.id for task in env.tasks] == ["test"]
