"""BIRD's and Spider's layouts, as they ship and as they break."""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from environments import DataError, make
from environments.sql.tasks.formats import bird_tasks, spider_tasks

RECORD = {"db_id": "shop", "question": "How many?", "SQL": "SELECT count(*) FROM item"}


def write_bird(folder: Path, records: Any, split: str = "dev") -> Path:
    database = folder / f"{split}_databases" / "shop" / "shop.sqlite"
    database.parent.mkdir(parents=True, exist_ok=True)
    sqlite3.connect(database).close()
    text = records if isinstance(records, str) else json.dumps(records)
    (folder / f"{split}.json").write_text(text, encoding="utf-8-sig")
    (folder / f"{split}_tables.json").write_text("[]")
    return folder


def write_spider(folder: Path, files: dict[str, int]) -> Path:
    database = folder / "database" / "shop" / "shop.sqlite"
    database.parent.mkdir(parents=True)
    sqlite3.connect(database).close()
    record = {"db_id": "shop", "question": "How many?", "query": "SELECT 1"}
    for name, count in files.items():
        (folder / name).write_text(json.dumps([record] * count))
    return folder


def test_bird_record(tmp_path: Path) -> None:
    full = RECORD | {"question_id": 717, "evidence": "all of them", "difficulty": "simple"}
    (task,) = bird_tasks(write_bird(tmp_path, [full]), "dev")
    assert (task.id, task.group, task.split) == ("bird-dev-717", "shop", "dev")
    assert task.prompt == "How many?\nHint: all of them\nDatabase: shop"
    assert task.secret == {"sql": RECORD["SQL"]}
    database = str(tmp_path / "dev_databases" / "shop" / "shop.sqlite")
    assert task.details == {"database": database}
    assert task.tags == {"difficulty": "simple"}


def test_birds_train_records_have_no_id_or_difficulty(tmp_path: Path) -> None:
    tasks = bird_tasks(write_bird(tmp_path, [RECORD, RECORD | {"evidence": None}], "train"), None)
    assert [task.id for task in tasks] == ["bird-train-0", "bird-train-1"]
    assert tasks[1].prompt == "How many?\nDatabase: shop"


def test_the_only_folder_of_databases_will_do(tmp_path: Path) -> None:
    write_bird(tmp_path, [RECORD])
    (tmp_path / "dev.json").rename(tmp_path / "mini.json")
    (task,) = bird_tasks(tmp_path, None)
    assert task.id == "bird-mini-0" and "dev_databases" in task.details["database"]


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ("[{", "dev.json: not JSON"),
        ({"a": 1}, "dev.json: must be a list of records, not dict"),
        ([RECORD, 3], "dev.json: record 1: must be an object"),
        ([RECORD, {"db_id": "shop"}], "dev.json: record 1: no field 'question'"),
        ([RECORD | {"SQL": ""}], "dev.json: record 0: field 'SQL' must be text"),
        ([RECORD | {"question": 5}], "dev.json: record 0: field 'question' must be text, not 5"),
        ([RECORD | {"evidence": 5}], "dev.json: record 0: field 'evidence' must be text, not 5"),
        ([RECORD | {"db_id": "x"}], "dev.json: record 0: no database .*x.sqlite"),
        ([RECORD | {"question_id": 1}] * 2, "dev.json: record 1: a second task 'bird-dev-1'"),
    ],
)
def test_malformed_bird_data_is_named(tmp_path: Path, records: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        bird_tasks(write_bird(tmp_path, records), "dev", strict=True)


def test_bytes_that_are_not_text_are_named(tmp_path: Path) -> None:
    write_bird(tmp_path, [])
    (tmp_path / "dev.json").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(DataError, match="dev.json: not UTF-8"):
        bird_tasks(tmp_path, "dev")


def test_splits_that_are_not_there_are_answered_with_those_that_are(tmp_path: Path) -> None:
    write_bird(write_bird(tmp_path, [RECORD], "dev"), [RECORD], "test")
    with pytest.raises(DataError, match="no split 'train'; the splits there: dev, test"):
        bird_tasks(tmp_path, "train")
    with pytest.raises(DataError, match="choose one with --split: dev, test"):
        bird_tasks(tmp_path, None)
    shutil.rmtree(tmp_path / "dev_databases")
    (tmp_path / "other_databases").mkdir()
    with pytest.raises(DataError, match="folders of databases there: other_databases, test_data"):
        bird_tasks(tmp_path, "dev")


def test_spider_records(tmp_path: Path) -> None:
    write_spider(tmp_path, {"train_spider.json": 2, "train_others.json": 1, "dev.json": 1})
    tasks = spider_tasks(tmp_path, None)
    assert [task.id for task in tasks] == [f"spider-train-000{i}" for i in range(3)]
    assert tasks[0].prompt == "How many?\nDatabase: shop" and tasks[0].group == "shop"
    (task,) = spider_tasks(tmp_path, "dev")
    assert task.id == "spider-dev-0000" and task.secret == {"sql": "SELECT 1"}


def test_malformed_spider_data_is_named(tmp_path: Path) -> None:
    write_spider(tmp_path, {"train_spider.json": 1})
    with pytest.raises(DataError, match="no split 'test'; the splits there: train"):
        spider_tasks(tmp_path, "test")
    (tmp_path / "dev.json").write_text('[{"db_id": "shop", "question": "?", "SQL": "SELECT 1"}]')
    with pytest.raises(DataError, match="dev.json: record 0: no field 'query'"):
        spider_tasks(tmp_path, "dev")


def test_folders_that_are_missing_are_named() -> None:
    with pytest.raises(DataError, match="/nowhere: no such folder"):
        make("bird", data="/nowhere").tasks  # noqa: B018
    with pytest.raises(DataError, match="--data DIR"):
        make("spider").tasks  # noqa: B018


def test_bundled_splits_share_no_database() -> None:
    train, test = make("bird").tasks, make("bird", split="test").tasks
    assert {task.split for task in train} == {"train"}
    assert not {task.group for task in train} & {task.group for task in test}
