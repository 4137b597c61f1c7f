"""Runs that version 0.1 made, before the code was reorganised, are read, exported and resumed.

`tests/golden/runs_of_0_1` holds four runs, their journal, and what the code of that day printed
and exported.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from engine.export.export import ExportSettings, export
from engine.export.filters import Filters
from engine.runs.codec import dumps, tree_to_dict
from engine.runs.stats import stats
from engine.runs.store import Store
from tests.support.commands import engine
from tests.support.sandboxes import require

GOLDEN = Path(__file__).parents[2] / "golden" / "runs_of_0_1"
RUNS = ("demonstrated", "searched", "student_first", "teacher")
PAID = (
    "--env bird --split train --limit 2 --template react --depth 5 --concurrency 1 "
    "--sandbox bubblewrap --teacher player --base-url http://127.0.0.1:47811/v1 --siblings sample"
)
COMMANDS = {
    "demonstrated": "--env bird --split train --limit 3 --seed 3 --concurrency 1 --solved 2 "
    "--search dfsdt --siblings diverse --backtrack 2 --schema prompt --sandbox bubblewrap",
    "searched": "--env webshop --split train --limit 2 --search mcts --value reward "
    "--exploration 1.4",
    "student_first": "--env bird --split train --template react --depth 5 --concurrency 1 "
    "--sandbox bubblewrap --teacher player --base-url http://127.0.0.1:47811/v1 --limit 3 "
    "--swift student@http://127.0.0.1:47812/v1 --swift-threshold -0.5",
    "teacher": PAID,
}
"""The commands that made the runs, with the flags of that day."""

NEWER_COLUMNS = ("call", "made", "template", "form", "method")
NEWER_IN_PAIRS = (
    "chosen_value",
    "chosen_continuations",
    "rejected_value",
    "rejected_continuations",
)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A copy of the old runs that may be written to."""
    return Path(shutil.copytree(GOLDEN, tmp_path / "runs"))


def explore(flags: str, out: Path) -> subprocess.CompletedProcess[str]:
    if "--sandbox bubblewrap" in flags:
        require("bubblewrap")
    return engine("explore", *flags.split(), "--out", out, "--json")


@pytest.mark.parametrize("name", RUNS)
def test_trees_and_statistics_are_what_they_were(old: Path, name: str) -> None:
    with Store.open(old / name) as store:
        trees = [dumps(tree_to_dict(tree)) for tree in store.trees()]
        found = json.loads(json.dumps(stats(store).to_dict()))
    assert trees == (GOLDEN / name / "trees.jsonl").read_text("utf-8").splitlines()
    before = json.loads((GOLDEN / name / "stats.json").read_text("utf-8"))
    if "swift" in before:
        before["student_first"] = before.pop("swift")
    assert found == before


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("kind", ["sft", "dpo", "corrected"])
def test_rows_are_what_they_were(old: Path, name: str, kind: str) -> None:
    before = GOLDEN / name / f"{kind}.jsonl"
    if not before.exists():
        assert (name, kind) != ("student_first", "corrected")
        return
    settings = ExportSettings(
        "dpo" if kind == "corrected" else kind, Filters(corrected=kind == "corrected")
    )
    export([old / name], old / "rows.jsonl", settings)
    rows = [json.loads(line) for line in (old / "rows.jsonl").read_text("utf-8").splitlines()]
    for row in rows:
        for newer in NEWER_COLUMNS + (NEWER_IN_PAIRS if kind != "sft" else ()):
            del row[newer]
    written = [json.dumps(row, ensure_ascii=False) for row in rows]
    assert written == before.read_text("utf-8").splitlines()


@pytest.mark.parametrize("name", RUNS)
def test_the_old_command_resumes_the_run_and_pays_nothing(old: Path, name: str) -> None:
    done = explore(COMMANDS[name], old / name)
    assert done.returncode == 0, done.stderr
    with Store.open(old / name) as store:
        trees = [dumps(tree_to_dict(tree)) for tree in store.trees()]
    assert trees == (GOLDEN / name / "trees.jsonl").read_text("utf-8").splitlines()


def test_another_command_is_refused(old: Path) -> None:
    done = explore(COMMANDS["demonstrated"].replace("--seed 3", "--seed 4"), old / "demonstrated")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--seed was 3 and is 4" in done.stderr


def test_replies_of_the_old_journal_are_found(old: Path) -> None:
    """No server listens at the old address: every reply must come from the journal.

    A new run is of today's `react`, whose text is another; that of the old run has a name.
    """
    done = explore(PAID.replace("--template react", "--template react-0.1"), old / "again")
    assert done.returncode == 0, done.stderr
    with Store.open(old / "again") as store:
        trees = [dumps(tree_to_dict(tree)) for tree in store.trees()]
    assert trees == (GOLDEN / "teacher" / "trees.jsonl").read_text("utf-8").splitlines()
