"""One bad record does not refuse a file: it is told, with its place, and the others are read."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from environments import DataError, ToolEnv, make
from tests.support.sql_tasks import RECORD, write_bird, write_database

Write = Callable[[Path, Sequence[Any]], ToolEnv]
MBPP = {"text": "Add.", "code": "def f(x): return x", "test_list": ["assert f(1) == 1"]}
HUMANEVAL = {
    "prompt": 'def f(x):\n    """Return x."""\n',
    "entry_point": "f",
    "canonical_solution": "    return x\n",
    "test": "def check(f):\n    assert f(1) == 1\n",
}
OWN = {"prompt": "Write f.", "tests": ["assert f(1) == 1"]}
EDIT = RECORD | {"SQL": ["DELETE FROM item"]}


def bird(folder: Path, records: Sequence[Any]) -> ToolEnv:
    write_bird(folder, records)
    return make("bird", data=str(folder), split="dev", sandbox="process")


def database(folder: Path, records: Sequence[Any]) -> ToolEnv:
    write_bird(folder, records)
    return make("database", data=str(folder), split="dev", sandbox="process")


def spider(folder: Path, records: Sequence[Any]) -> ToolEnv:
    path = folder / "database" / "shop" / "shop.sqlite"
    path.parent.mkdir(parents=True)
    write_database(path)
    (folder / "dev.json").write_text(json.dumps(records))
    return make("spider", data=str(folder), split="dev", sandbox="process")


def python(folder: Path, records: Sequence[Any]) -> ToolEnv:
    path = folder / "dev.json"
    path.write_text(json.dumps(records))
    return make("python", data=str(path), sandbox="process")


SPIDER = {"db_id": "shop", "question": "How many?", "query": "SELECT 1"}
LOADERS = [
    (bird, RECORD, "SQL"),
    (database, EDIT, "SQL"),
    (spider, SPIDER, "query"),
    (python, MBPP, "code"),
    (python, HUMANEVAL, "test"),
    (python, OWN, "prompt"),
]


@pytest.mark.parametrize(("write", "good", "needed"), LOADERS)
def test_bad_records_are_left_out_and_told(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    write: Write,
    good: dict[str, Any],
    needed: str,
) -> None:
    records = [good, 3, good | {needed: None}, good, None, [good]]
    env = write(tmp_path, records)
    assert len(env.tasks) == 2 == len({task.id for task in env.tasks})
    told = "\n".join(record.getMessage() for record in caplog.records)
    for number in (1, 2, 4, 5):
        assert f"dev.json: record {number}: " in told
    del env.tasks
    env.strict = True
    with pytest.raises(DataError, match=r"dev.json: record 1: must be an object.*--strict"):
        env.tasks  # noqa: B018


IDS = [5, 5, "a", "a", True, 1.5, None, "", {"x": 1}, "5-2"]
UNIQUE = ["5", "5-3", "a", "a-2", "true", "1.5", "6", "7", "8", "5-2"]


@pytest.mark.parametrize(
    ("write", "good", "field", "wanted"),
    [
        (bird, RECORD, "question_id", [f"bird-dev-{id}" for id in UNIQUE]),
        (database, EDIT, "question_id", [f"database-dev-{id}" for id in UNIQUE]),
        (
            python,
            OWN,
            "id",
            ["5", "5-3", "a", "a-2", "true", "1.5", "dev-0006", "dev-0007", "dev-0008", "5-2"],
        ),
        (
            python,
            MBPP,
            "task_id",
            [f"mbpp-{i}" for i in [*UNIQUE[:6], "7", "8", "9", "5-2"]],
        ),
        (
            python,
            HUMANEVAL,
            "task_id",
            [*UNIQUE[:6], *(f"humaneval-{number}" for number in (6, 7, 8)), "5-2"],
        ),
    ],
)
def test_ids_are_any_scalar_and_become_unique(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    write: Write,
    good: dict[str, Any],
    field: str,
    wanted: list[str],
) -> None:
    env = write(tmp_path, [good | {field: id} for id in IDS])
    assert [task.id for task in env.tasks] == wanted
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 3  # two doubles, and an id that is an object
    assert any("record 1: a second task" in text and "called" in text for text in told)


@pytest.mark.parametrize("write", [bird, database])
def test_a_missing_database_concerns_its_own_tasks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, write: Write
) -> None:
    good = EDIT if write is database else RECORD
    gone = good | {"db_id": "gone"}
    env = write(tmp_path, [good, gone, good, gone])
    assert [task.id.rpartition("-")[2] for task in env.tasks] == ["0", "2"]
    (told,) = (record.getMessage() for record in caplog.records)
    assert "dev.json: record 1, 3: no database" in told and "gone.sqlite" in told


def test_a_schema_that_cannot_be_read_concerns_its_own_tasks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_bird(tmp_path, [{}, {"db_id": "text"}])
    text = tmp_path / "dev_databases" / "text" / "text.sqlite"
    text.parent.mkdir()
    text.write_text("this is no database " * 99)
    env = make("bird", data=str(tmp_path), split="dev", schema="prompt", sandbox="process")
    (task,) = env.tasks
    assert task.prompt.startswith("item(id integer primary key)\n\n")
    (told,) = (record.getMessage() for record in caplog.records)
    assert "task bird-dev-1: cannot open database" in told and "file is not a database" in told
    env.close()


def test_lines_that_are_not_json_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "tasks.jsonl"
    path.write_text(f"{json.dumps(OWN)}\n{{broken\n{json.dumps(OWN)}\n")
    assert [task.id for task in make("python", data=str(path)).tasks] == [
        "tasks-0000",
        "tasks-0002",
    ]
    assert [record.getMessage() for record in caplog.records][0].startswith(
        f"{path}: line 2: not JSON"
    )


def test_many_faults_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    env = bird(tmp_path, [RECORD, *(RECORD | {"question": n} for n in range(90))])
    assert len(env.tasks) == 1
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 51 and "40 more records" in told[-1]


def test_a_malformed_product_does_not_close_the_shop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    product = {
        "asin": "A000000001",
        "name": "Cup",
        "category": "kitchen",
        "query": "cup",
        "product_category": "Kitchen",
        "full_description": "",
        "small_description": [],
        "pricing": "$5",
        "images": [],
        "customization_options": {},
    }
    products = [product | {"asin": f"A{n:09}"} for n in range(40)]
    products[7] = products[7] | {"pricing": "free"}
    mined = {
        each["asin"]: {
            "attributes": ["round"],
            "instruction": "Find a cup",
            "instruction_attributes": ["round"],
        }
        for each in products
    }
    mined["A000000009"]["instruction_attributes"] = 3
    (tmp_path / "items_shuffle.json").write_text(json.dumps(products))
    (tmp_path / "items_ins_v2.json").write_text(json.dumps(mined))
    for _ in range(2):  # the second time from the cache
        caplog.clear()
        env = make("webshop", data=str(tmp_path))
        groups = {task.group for task in env.tasks}
        assert groups and not groups & {"A000000007", "A000000009"}
        told = [record.getMessage() for record in caplog.records]
        assert f"{tmp_path}/items_shuffle.json: record 7 (A000000007): no price" in told[0]
        assert f"{tmp_path}/items_ins_v2.json: record A000000009: " in told[1]
    env = make("webshop", data=str(tmp_path))
    env.strict = True
    with pytest.raises(DataError, match="items_shuffle.json: record 7 .*--strict"):
        env.tasks  # noqa: B018
