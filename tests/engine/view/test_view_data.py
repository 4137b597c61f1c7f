"""What the page shows of a run: messages, costs, pairs, changes; and that no secret is shown."""

import json
import re
from dataclasses import replace
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import LeakError, UsageError
from engine.export.export import ExportSettings, export
from engine.runs.failure import Failure
from engine.runs.store import Store
from engine.templates import get as get_template
from engine.view.costs import first_success, subtree_costs
from engine.view.html import html_safe_json
from engine.view.live import Feed
from engine.view.reader import RunReader
from engine.view.static import tree_html, write_page
from environments import Step
from sandbox.errors import SandboxError
from search import ROOT, Tree
from search.usage import Usage
from tests.engine.export.test_rows import rows_of
from tests.support import commands
from tests.support.viewed import (
    ATTACK,
    GOLD,
    answer,
    bushy,
    fail,
    grow,
    look,
    run_of,
    searched,
)


def test_the_messages_of_a_path_are_what_the_template_renders(tmp_path):
    tree = bushy("t1", 60)
    grow(tree, ROOT, Step(replace(look("x").action, tool="", thought="no call"), "call one"))
    run = run_of(tmp_path / "run", tree)
    for name in ("native", "react", "hermes", "toolllama", "autogpt", "modelscope"):
        with RunReader.open(run) as reader:
            template = get_template(name)
            reader = replace(reader, builder=replace(reader.builder, templates=(template,)))
            shown = reader.read("t1").detail
            for node in tree.nodes:
                parts = [shown["messages"]]
                parts += [
                    shown["nodes"][above.id - 1]["messages"] for above in tree.lineage(node.id)
                ]
                whole = template.render(reader.builder.world, tree.task, tree.path(node.id))
                assert [message for part in parts for message in part] == whole


def test_costs_add_up_for_the_tree_and_until_the_first_success():
    tree = searched()
    assert subtree_costs(tree)[ROOT] == tree.usage == sum((c.usage for c in tree.calls), Usage())
    assert [used.calls for used in subtree_costs(tree)] == [6, 3, 1, 1, 3, 1, 1]
    first = first_success(tree)
    assert first is not None and (first["depth"], first["calls"], first["tokens"]) == (2, 6, 720)
    assert first_success(Tree(tree.task, nodes=tree.nodes[:3], calls=tree.calls)) is None


def test_a_request_with_several_nodes_counts_once():
    tree = searched()
    tree.add(ROOT, look("c"), 0)
    assert subtree_costs(tree)[1].calls == 3 and subtree_costs(tree)[7].calls == 0
    assert subtree_costs(tree)[ROOT].calls == 6


@pytest.mark.parametrize("pairs", ["step", "trajectory"])
def test_pairs_are_those_of_the_export(tmp_path, pairs):
    run = run_of(tmp_path / "run", searched(), bushy("t2", 200))
    export([run], tmp_path / "rows", ExportSettings("dpo", pairs=pairs))
    wanted = [(r["chosen"], r["rejected"], r["depth"]) for r in rows_of(tmp_path / "rows")]
    with RunReader.open(run, pairs) as reader:
        shown = [pair for id in ("t1", "t2") for pair in reader.read(id).detail["pairs"]]
    assert [(p["chosen"], p["rejected"], p["depth"]) for p in shown] == wanted
    assert [pair["nodes"] for pair in shown[:2]] == [[4, 1], [6, 5]] and len(shown) > 4


LEAKS = [
    searched(prompt=f"Who? {GOLD}"),
    Tree(searched().task, nodes=[]),
    Tree(searched().task, nodes=[]),
]
grow(LEAKS[1], ROOT, look("a", f"hint: {GOLD.lower()}"))
grow(LEAKS[2], ROOT, answer("x", 0.0, gold=[GOLD]))


@pytest.mark.parametrize("leaking", LEAKS, ids=["prompt", "observation", "info"])
def test_a_secret_stops_the_file_and_is_withheld_on_a_live_page(tmp_path, leaking):
    run = run_of(tmp_path / "run", leaking, searched("t2"))
    with RunReader.open(run) as reader:
        feed = Feed(reader)
        with pytest.raises(LeakError, match="t1"):
            write_page(run, tmp_path / "page.html", reader)
        assert [file.name for file in tmp_path.iterdir()] == ["run"]
        assert write_page(run, tmp_path / "page.html", reader, ["t2"]).tasks == 1
        feed.refresh()
        told = {task["id"]: task for task in feed.since(0)[1]}
    assert told["t1"]["status"] == "error" and "secret" in told["t1"]["why"]
    assert GOLD not in str(told) and told["t2"]["status"] == "solved"


def test_a_secret_that_the_agent_found_is_shown(tmp_path):
    tree = searched()
    grow(tree, ROOT, look(GOLD, f"near: {GOLD}"))
    with RunReader.open(run_of(tmp_path / "run", tree)) as reader:
        assert html_safe_json(f"near: {GOLD}")[1:-1] in html_safe_json(reader.read("t1").detail)


def test_a_failure_is_shown_without_the_secret(tmp_path):
    run = run_of(tmp_path / "run")
    with Store.create(run) as store:
        # As earlier versions wrote it.
        store.add_failure(searched("t1").task, Failure("SandboxError", f"died at {GOLD}"))
        fail(store, searched("t2").task, SandboxError("no room"))
    with RunReader.open(run) as reader:
        told = reader.failures()
    assert told["t1"]["why"] == "SandboxError: withheld"
    assert told["t2"]["why"] == "SandboxError: no room"


def test_a_tree_in_a_notebook_shows_its_actions_and_escapes_what_a_model_wrote():
    tree = searched(prompt=f"Who? {ATTACK}")
    grow(tree, ROOT, Step(replace(look("x").action, tool="", thought=ATTACK), ATTACK))
    at = ROOT
    for number in range(1500):  # deeper than the stack
        at = grow(tree, at, look(str(number), "x" * 3000))
    html = tree_html(tree)
    assert "t1: solved, 1507 nodes, 1507 calls" in html
    assert escape(tree.nodes[5].step.action.key) in html.partition("r=1 <code>")[2]
    assert html.count("<details") == html.count("</details>") == 1508
    assert set(re.findall(r"<(\w+)", html)) == {"details", "summary", "b", "p", "code", "pre"}
    assert "x" * 2000 + "…" in html and "x" * 2001 not in html
    opened = re.findall(r" open><summary>(\d+)", html)
    assert opened == ["4", "6"] and "malformed: &lt;/script&gt;" in html


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner, max_size=3)))
def test_data_cannot_end_its_block(value):
    text = html_safe_json([value, ATTACK, "\ud800"])
    assert text.isascii() and not set("<>&") & set(text) and "\n" not in text


def test_changes_are_listed_once_and_replaced_trees_again(tmp_path):
    run = run_of(tmp_path / "run", searched("t1"))
    with RunReader.open(run) as reader:
        feed = Feed(reader)
        assert feed.refresh() and not feed.refresh()
        number, told = feed.since(0)
        assert [task["id"] for task in told] == ["t1"] and feed.since(number)[1] == []
        with Store.create(run) as store:
            fail(store, searched("t2").task, SandboxError("no room"))
            longer = searched("t1")
            grow(longer, ROOT, look("c"))
            store.add_tree(longer)  # in place of the last row, under its number
        assert feed.refresh()
        number, told = feed.since(number)
        assert [(t["id"], t.get("nodes"), t["status"]) for t in told] == [
            ("t1", 7, "solved"),
            ("t2", None, "error"),
        ]
        with Store.create(run) as store:
            store.set_meta({"asked": 5})
            store.add_tree(searched("t2"))
        feed.refresh()
        assert [task["status"] for task in feed.since(number)[1]] == ["solved"]
        assert feed.asked == 5 and feed.rate > 0
        with Store.create(run) as store:
            fail(store, searched("t2").task, SandboxError("no room"))
        feed.refresh()
        with Store.create(run) as store:
            fail(store, searched("t3").task, SandboxError("no room"))
        feed.refresh()  # which reads t2 again, whose row is the last
        told = {task["id"]: task for task in feed.since(0)[1]}
        assert told["t2"]["status"] == "solved" and told["t2"]["why"] == "SandboxError: no room"


def test_the_command_writes_beside_the_run_and_says_how_large(tmp_path, capsys):
    run = run_of(tmp_path / "run", searched("t1"), searched("t2"))
    assert commands.run("engine view", run) == 0 and "2 tasks, 0." in capsys.readouterr().err
    assert (run / "view.html").stat().st_size < 100_000
    page = tmp_path / "new" / "p.html"
    assert commands.run("engine view", run, "--html", page, "--tasks", "t2", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"file": str(page), "tasks": 1, "bytes": page.stat().st_size}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["gone"], "no run in gone"),
        (["run", "--tasks", "x"], "no tree of task 'x'"),
        (["run", "--pairs", "x"], "--pairs is 'x'"),
        (["run", "--serve", "--html", "p"], "--serve shows the whole run"),
        (["run", "--import-marks", "gone.jsonl"], "no file gone.jsonl"),
        (["run", "--html", "run/run.db/p.html"], "cannot write"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, monkeypatch, capsys, arguments, says):
    run_of(tmp_path / "run", searched())
    monkeypatch.chdir(tmp_path)
    assert commands.run("engine view", *arguments) == 2
    told = capsys.readouterr().err
    assert says in told and told.count("\n") == 1


def test_a_run_that_has_not_begun_says_so(tmp_path):
    with Store.create(tmp_path / "run"):
        pass
    with pytest.raises(UsageError, match="has not begun"), RunReader.open(tmp_path / "run"):
        pass
