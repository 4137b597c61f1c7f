"""NaN and infinite numbers, which are not JSON, enter no row, and stop no export."""

import json
import sqlite3
from contextlib import closing
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from engine.chat.base import ChatReply, ChatRequest
from engine.export.export import ExportSettings, export
from engine.export.filters import Filters
from engine.policies.teacher import Teacher
from engine.runs.codec import dumps, tree_to_dict
from engine.runs.store import FILE, Store
from engine.templates import get
from engine.templates.base import World
from engine.view.html import html_safe_json
from environments import Action, Step, Task
from search import ROOT, Request, Tree, Usage
from tests.support import commands
from tests.support.fakes import ArmsEnv
from tests.support.viewed import answer, look, run_of


def strict(text: str) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"not JSON: {name}")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A run whose file holds NaN, as an earlier version or another program wrote it.

    Of its three tasks, one has NaN in the arguments of the right answer, one in those of the wrong
    answer, and one an infinite reward.
    """
    trees = []
    for name in "abc":
        tree = Tree(Task(name, f"Who is {name}?"), "m", stopped="solved")
        tree.add(ROOT, look(name))
        tree.add(1, answer("right", 1.0))
        tree.add(1, answer("wrong"))
        trees.append(tree)
    run = run_of(tmp_path / "run", *trees)
    with closing(sqlite3.connect(run / FILE)) as db:
        set_ = "UPDATE nodes SET {} WHERE task_id = '{}' AND id = {}"
        db.execute(set_.format("""arguments = '{"at": "x", "n": NaN}'""", "a", 2))
        db.execute(set_.format("""arguments = '{"at": "y", "n": [-Infinity]}'""", "b", 3))
        db.execute(set_.format("reward = 9e999", "c", 2))
        db.execute(set_.format("""info = '{"score": NaN}'""", "b", 2))
        db.commit()
    return run


@pytest.mark.parametrize("name", ["o.jsonl", "o.parquet", "o.json"])
def test_a_row_of_an_old_run_is_left_out_and_counted(old: Path, tmp_path: Path, name: str) -> None:
    format = "sharegpt" if name == "o.json" else "jsonl"
    for kind, template, rows in (("sft", "native", 1), ("sft", "react", 1), ("dpo", "native", 0)):
        settings = ExportSettings(kind, Filters(), templates=(template,), format=format)
        counts = export([old], tmp_path / name, settings)
        assert (counts.rows, counts.dropped["not finite"]) == (rows, 3 + (kind == "dpo"))
        if name != "o.parquet":
            text = (tmp_path / name).read_text()
            assert "NaN" not in text and "Infinity" not in text
            assert name != "o.json" or len(strict(text)) == rows


def test_such_a_run_can_be_shown(
    old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.run("engine show", old, "--json") == 0
    assert commands.run("engine stats", old, "--json") == 0
    assert [strict(line) for line in capsys.readouterr().out.splitlines()]
    assert commands.run("engine view", old, "--html", tmp_path / "page.html") == 0


def test_what_is_written_is_json(tmp_path: Path) -> None:
    assert strict(dumps({"a": [nan, (inf, 1.0)], "b": None})) == {
        "a": [None, [None, 1.0]],
        "b": None,
    }
    assert strict(html_safe_json([nan])) == [None]
    tree = Tree(Task("t", "?"), "m", stopped="solved")
    tree.add(ROOT, Step(Action("look", {"at": -inf}), "rows", info={"x": nan}))
    assert strict(dumps(tree_to_dict(tree)))["nodes"][0]["arguments"] == {"at": None}
    with Store.create(tmp_path) as store:
        store.add_tree(tree)
        assert store.tree("t").nodes[0].step.info == {"x": None}


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", '{"x": [NaN]}'])
@pytest.mark.parametrize("template", ["native", "react", "hermes"])
async def test_a_call_that_holds_such_a_number_is_malformed(template: str, number: str) -> None:
    """1e999 is read as an infinite number, although no constant stands there."""
    if template == "native":
        function = {"name": "go", "arguments": f'{{"arm": {number}}}'}
        message = {"content": "", "tool_calls": [{"type": "function", "function": function}]}
    elif template == "react":
        message = {"content": f'Thought: x\nAction: go\nAction Input: {{"arm": {number}}}'}
    else:
        call = f'{{"name": "go", "arguments": {{"arm": {number}}}}}'
        message = {"content": f"<tool_call>\n{call}\n</tool_call>"}

    class Says:
        base_url = "process:says"

        async def complete(self, request: ChatRequest) -> ChatReply:
            return ChatReply((message,), Usage(1, 1, 1))

    env = ArmsEnv()
    policy = Teacher(Says(), get(template), World("", env.tools), "t", {})
    [action] = (await policy.propose(Request(env.tasks[0]))).actions
    assert not action.tool and "JSON" in action.error and number in action.thought
