"""Runs that version 0.1 wrote are still read, and still give the rows that it gave."""

import json
from pathlib import Path

import pytest

from engine.export.export import ExportSettings, export
from engine.export.filters import Filters
from engine.runs.codec import dumps, tree_to_dict
from engine.runs.stats import stats
from engine.runs.store import Store

RUNS = Path(__file__).parents[2] / "golden" / "runs_of_0_1"
NAMES = ["demonstrated", "searched", "student_first", "teacher"]


@pytest.mark.parametrize("name", NAMES)
def test_trees_and_counts_are_read_as_they_were_written(name: str) -> None:
    with Store.open(RUNS / name) as store:
        trees = [dumps(tree_to_dict(tree)) for tree in store.trees()]
        counts = json.loads(json.dumps(stats(store).to_dict()))
    assert trees == (RUNS / name / "trees.jsonl").read_text("utf-8").splitlines()
    assert counts == json.loads((RUNS / name / "stats.json").read_text("utf-8"))


@pytest.mark.parametrize(
    ("name", "rows", "settings"),
    [
        *((name, "sft", ExportSettings("sft")) for name in NAMES),
        *((name, "dpo", ExportSettings("dpo")) for name in NAMES),
        ("student_first", "corrected", ExportSettings("dpo", Filters(corrected=True))),
    ],
)
def test_rows_are_those_of_version_0_1(
    tmp_path: Path, name: str, rows: str, settings: ExportSettings
) -> None:
    export([RUNS / name], tmp_path / "rows.jsonl", settings)
    written = (tmp_path / "rows.jsonl").read_text("utf-8")
    assert written and written == (RUNS / name / f"{rows}.jsonl").read_text("utf-8")
