"""A person's correction: played, kept beside the run, exported as rows of its own source."""

import json
from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.export.export import ExportSettings, export_rows
from engine.play.correction import SOURCE, Correction, correct, corrected_run
from engine.runs.annotations import path_signatures
from engine.runs.store import Store
from search.tree import Tree
from tests.support import commands

TASK = "keypad-264"
FLAGS = ("--env", "examples/keypad.py:KeypadEnv", "--tasks", TASK, "--mistake-rate", "0")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    done = commands.engine("explore", *FLAGS, "--output", folder)
    assert done.returncode == 0, done.stderr
    return folder


def tree_of(run: Path) -> Tree:
    with Store.open(run) as store:
        return store.tree(TASK)


def test_a_thought_is_corrected_and_all_else_is_as_it_was(run: Path) -> None:
    before = tree_of(run)
    signature = path_signatures(before)[2]
    last = correct(
        run, Correction(TASK, 2, signature, thought="The note's last digit comes first.")
    )
    assert last.step.solved and tree_of(run) == before, "the run itself is never written"
    made = tree_of(corrected_run(run))
    assert made.source == SOURCE and made.solved
    thoughts = [node.step.action.thought for node in made.lineage(last.id)]
    assert thoughts[1] == "The note's last digit comes first."
    same = [node.step.action.thought for node in before.nodes]
    assert [*thoughts[:1], *thoughts[2:]] == [*same[:1], *same[2:]]
    rows = list(export_rows([run, corrected_run(run)], ExportSettings(templates=("react",))))
    assert [row["source"] for row in rows] == ["demonstration", SOURCE]
    assert "last digit comes first" in rows[1]["messages"][4]["content"]


def test_a_wrong_action_fails_and_a_second_correction_makes_a_pair(run: Path) -> None:
    wrong = correct(run, Correction(TASK, 2, arguments={"digit": 9}))
    assert not wrong.step.solved and wrong.step.ended
    right = correct(run, Correction(TASK, 5, thought="Done."))
    assert right.step.solved
    made = tree_of(corrected_run(run))
    assert len(made.children(1)) == 2, "equal beginnings are one"
    [pair] = export_rows([corrected_run(run)], ExportSettings("dpo"))
    assert (pair["depth"], pair["chosen_reward"], pair["rejected_reward"]) == (1, 1.0, 0.0)


def test_a_call_that_ends_the_task_is_the_end(run: Path) -> None:
    last = correct(run, Correction(TASK, 3, tool="turn", arguments={}, thought=""))
    path = tree_of(corrected_run(run)).lineage(last.id)
    assert [node.step.action.tool for node in path] == ["read_note", "press", "turn"]
    assert last.step.reward == 0.0


def test_what_cannot_be_corrected_is_one_line(run: Path) -> None:
    for node, signature, words in ((99, "", "no node 99"), (2, "0" * 12, "the tree has changed")):
        with pytest.raises(UsageError, match=words):
            correct(run, Correction(TASK, node, signature))
    with Store.create(run) as store:
        tree, marks = store.tree(TASK), store.fingerprints(TASK)
        step = tree.nodes[0].step
        object.__setattr__(step, "observation", "the note says: nothing")
        store.add_tree(tree, marks)
    with pytest.raises(UsageError, match="the world answers step 1 otherwise now"):
        correct(run, Correction(TASK, 2, thought="Hm."))
    for text in ("", "[]", '{"task": 1, "node": 2}', '{"task": "a", "node": 1, "arguments": []}'):
        with pytest.raises(UsageError, match="not a correction"):
            Correction.from_json(text)


def test_the_command(run: Path) -> None:
    given = ("--task", TASK, "--node", "2", "--arguments", '{"digit": 4}', "--thought", "So 4.")
    done = commands.engine("correct", run, *given, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] in ("solved", "failed")
    bad = commands.engine("correct", run, "--task", TASK, "--node", "2", "--arguments", "[1]")
    assert bad.returncode == 2 and "--arguments must be a JSON object" in bad.stderr
