"""Who acted: how it is kept, shown and exported."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.chat.journal_db import decode_reply, encode_reply
from engine.export.export import ExportSettings, export
from engine.export.filters import Filters
from engine.runs.stats import prefix_tokens
from engine.runs.store import FILE, Store
from environments import Step, Task
from search import ROOT, Call, Tree, Usage
from tests.support.chat_server import Json
from tests.support.exploring import engine
from tests.support.fakes import go
from tests.support.student_first import calls, pair


@pytest.fixture(scope="module")
def corrected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which the student failed in every state, and the teacher won."""
    folder = tmp_path_factory.mktemp("corrected")
    with pair(folder, lambda _: calls(0)) as both:
        both.explore()
    return folder / "run"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which the student won alone."""
    folder = tmp_path_factory.mktemp("alone")
    with pair(folder, lambda _: calls(1)) as both:
        both.explore()
    return folder / "run"


def rows(file: Path) -> list[Json]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.parametrize(("kind", "number"), [("sft", 1), ("dpo", 3)])
def test_only_what_the_teacher_corrected_is_exported(
    corrected: Path, alone: Path, tmp_path: Path, kind: Any, number: int
) -> None:
    wanted = Filters(corrected=True)
    counts = export([corrected, alone], tmp_path / "rows", ExportSettings(kind, wanted))
    assert counts.rows == number and counts.dropped["uncorrected"] == 1
    for row in rows(tmp_path / "rows"):
        if kind == "dpo":
            assert row["chosen"][-1]["content"] == calls(1)
            assert row["rejected"][-1]["content"] == calls(0)


def test_pairs_of_the_teachers_own_are_none_of_the_students(tmp_path: Path) -> None:
    """The teacher's first try fails, and so does the student's; the teacher's second wins."""

    def teacher(request: Json) -> str:
        told = str(request["messages"][-1]["content"])
        return calls(2 if "{'arm': 2}" not in told else 1)

    with pair(tmp_path, lambda _: calls(0), teacher) as both:
        both.explore(width=3, depth=3, task_budget_calls=None)
        run_folder = tmp_path / "run"
        every = export([run_folder], tmp_path / "all", ExportSettings("dpo"))
        some = export(
            [run_folder], tmp_path / "some", ExportSettings("dpo", Filters(corrected=True))
        )
    assert (every.rows, some.rows) == (6, 3)
    assert all(row["rejected"][-1]["content"] == calls(0) for row in rows(tmp_path / "some"))


def test_the_command_line_tells_who_acted(corrected: Path, tmp_path: Path) -> None:
    shown = engine("show", str(corrected), "--task", "arms")
    assert "student: " in shown and "teacher (failed): " in shown
    engine("show", str(corrected), "--task", "arms", "--graphml", str(tmp_path / "tree"))
    assert ">student<" in (tmp_path / "tree").read_text()
    counted = json.loads(engine("stats", str(corrected), "--json"))["student_first"]
    assert (counted["student_nodes"], counted["failed"], counted["student_share"]) == (7, 7, 0.5)
    out = tmp_path / "rows.jsonl"
    engine("export", str(corrected), "--output", str(out), "--corrected")
    assert len(rows(out)) == 1


def test_the_student_and_the_teacher_have_caches_of_their_own() -> None:
    tree = Tree(Task("t", "Go."))
    tree.add(ROOT, Step(go(0), "at"))
    student = Call(ROOT, "a", Usage(1, 100), "student")
    tree.calls = [student, Call(ROOT, "b", Usage(1, 300)), Call(1, "c", Usage(1, 500))]
    assert prefix_tokens(tree) == 300


def test_a_run_without_a_student_tells_nothing_of_one(tmp_path: Path) -> None:
    with pair(tmp_path, lambda _: calls(1)) as both:
        both.explore(student="")
        assert "student_first" not in both.stats and not both.student.requests
        shown = json.loads(engine("show", str(tmp_path / "run"), "--json"))
    assert all("actor" not in node and "why" not in node for node in shown["nodes"])


def test_a_run_from_before_there_were_students_is_read_and_written(
    corrected: Path, tmp_path: Path
) -> None:
    with Store.open(corrected) as store:
        tree = store.tree("arms")
    with Store.create(tmp_path) as store:
        store.add_tree(tree)
        assert store.tree("arms").nodes == tree.nodes
    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        db.execute("ALTER TABLE nodes DROP COLUMN actor")
        db.execute("ALTER TABLE nodes DROP COLUMN why")
    with Store.open(tmp_path) as store:
        assert {(node.actor, node.why) for node in store.tree("arms").nodes} == {("", "")}
    with Store.create(tmp_path) as store:
        assert len(store.tree("arms").nodes) == 14
        store.add_tree(tree)
        assert store.tree("arms").nodes == tree.nodes


def test_a_journal_from_before_log_probabilities_is_read() -> None:
    old = b'[[{"role":"assistant","content":"a"}],[1,2,3,0,0.0],"m",["stop"]]'
    assert decode_reply(old).logprobs == () and encode_reply(decode_reply(old)) == old
    new = old[:-1] + b",[-0.25,null]]"
    assert decode_reply(new).logprobs == (-0.25, None) and encode_reply(decode_reply(new)) == new
