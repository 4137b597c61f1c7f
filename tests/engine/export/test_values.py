"""Rows from the values of states: a tree whose values are computed by hand (`valued`)."""

import json
from pathlib import Path
from typing import Any

import pytest

import treegraft as tg
from engine.errors import UsageError
from engine.export.export import ExportSettings, export_rows
from engine.export.filters import Counts, Filters
from engine.export.no_rows import why_no_rows
from engine.export.paths import FAILS, SUCCEEDS
from engine.export.value_rules import ValueRules
from engine.templates import get as get_template
from engine.templates.base import World
from engine.view.reader import RunReader
from environments import Task
from environments.tools import Tool
from search import Tree
from search.tree import SPLICED
from tests.support import commands
from tests.support.stored import WORLD, answer, look, store, tree, valued
from trainer.data.mask import is_trained

EXAMPLES = Path(__file__).parents[3] / "examples"


def exported(
    tmp_path: Path, *trees: Tree, kind: str = "sft", search: str = "continuations", **options: Any
) -> tuple[list[dict[str, Any]], Counts]:
    template, counts = options.pop("template", "react"), Counts()
    run = store(tmp_path / "credit", trees or [valued()], template, search)
    values = {each: options.pop(each) for each in list(options) if hasattr(ValueRules, each)}
    settings = ExportSettings(kind, values=ValueRules(**values), **options)  # type: ignore[arg-type]
    return list(export_rows([run], settings, counts)), counts


def spliced() -> Tree:
    """The tree with the rest of the successful path after the wrong turn `look a`."""
    made = valued()
    at = made.add(1, look("b"), why=SPLICED).id
    made.add(at, answer("right"), why=SPLICED)
    return made


def said(messages: list[dict[str, Any]]) -> list[str]:
    """The argument of each action that the agent wrote."""
    texts = [each["content"] for each in messages if each["role"] == "assistant"]
    return [text.rpartition('": "')[2].rstrip('"}') for text in texts]


def weights(row: dict[str, Any]) -> list[float | None]:
    return [each.get("weight") for each in row["messages"] if each["role"] == "assistant"]


@pytest.mark.parametrize(
    ("options", "pairs"),
    [
        ({}, [("b", "a"), ("right", "x"), ("right", "y")]),
        ({"min_continuations": 1}, [("b", "a"), ("b", "c"), ("right", "x"), ("right", "y")]),
        ({"min_continuations": 3}, [("right", "x"), ("right", "y")]),
        ({"filters": Filters(margin=0.8)}, [("right", "x"), ("right", "y")]),
        ({"pairs": "boundary"}, [("b", "a"), ("right", "x"), ("right", "y")]),
        ({"pairs": "boundary", "drawn_ratio": 1.5}, [("b", "a"), ("right", "x")]),
    ],
)
def test_pairs_by_value(
    tmp_path: Path, options: dict[str, Any], pairs: list[tuple[str, str]]
) -> None:
    rows, counts = exported(tmp_path, kind="dpo", **{"pairs": "value", **options})
    assert [(*said(row["chosen"]), *said(row["rejected"])) for row in rows] == pairs
    # Of the pairs with `look a`, `answer x` and `answer y`, the first two are drawn more often.
    compared = {3: 3, 2: 3 if options.get("pairs") == "boundary" else 2, 4: 4}[len(rows)]
    assert counts.ranked == compared
    assert counts.misranked == 2 - (("b", "a") not in pairs)


def test_a_pair_holds_what_its_halves_are_worth(tmp_path: Path) -> None:
    rows, counts = exported(tmp_path, kind="dpo", pairs="value")
    columns = ("chosen_value", "chosen_continuations", "rejected_value", "rejected_continuations")
    assert [[row[name] for name in columns] for row in rows] == [
        [1.0, 2, 0.25, 4],
        [1.0, 0, 0.0, 0],
        [1.0, 0, 0.0, 0],
    ]
    assert [(row["chosen_reward"], row["rejected_reward"]) for row in rows][0] == (1.0, 0.25)
    assert {row["pair_kind"] for row in rows} == {"value"} and rows[1]["depth"] == 1
    assert +counts.beside == {"none": 2, "not valued": 1}
    [plain, *_], _ = exported(tmp_path / "step", kind="dpo")
    assert {name: type(plain[name]) for name in columns} == {n: type(rows[0][n]) for n in columns}


def test_prm_rows_say_of_each_step_whether_its_value_is_high(tmp_path: Path) -> None:
    rows, counts = exported(tmp_path, kind="prm", template="native")
    found = {row["id"].rpartition("/")[2]: (row["values"], row["labels"]) for row in rows}
    assert found == {
        "3": ([0.25, 0.0], [False, False]),
        "4": ([1.0, 1.0], [True, True]),
        "8": ([0.25, 1.0], [False, True]),
        "14": ([0.25, 0.0], [False, False]),
    }
    assert counts.dropped == {"duplicate": 4, "not valued": 1}
    first, second = rows[0]["completions"]
    assert first.startswith("Action: look") and first.endswith('{"table": "a"}')
    assert second.startswith("Observation: rows of a\n\nAction: answer")
    assert rows[0]["prompt"].endswith("Question: How many?\n\n")


def test_messages_are_weighed_by_advantage(tmp_path: Path) -> None:
    rows, _ = exported(tmp_path, advantage_weighted=0.5)
    # exp(0.5 / T), exp(0); exp(-0.25 / T), exp(0.75 / T)
    assert list(map(weights, rows)) == [[2.718282, 1.0], [0.606531, 4.481689]]
    assert {type(weight) for row in rows for weight in weights(row)} == {float}
    rows, _ = exported(tmp_path / "cold", advantage_weighted=0.01)
    assert list(map(weights, rows)) == [[20.0, 1.0], [0.0, 20.0]]
    unknown, _ = exported(tmp_path / "few", advantage_weighted=0.5, min_continuations=5)
    assert list(map(weights, unknown)) == [[1.0, 1.0], [1.0, 1.0]]
    calls, _ = exported(tmp_path / "calls", advantage_weighted=0.5, rows="per_call")
    assert [weights(row)[-1] for row in calls] == [2.718282, 1.0, 0.606531, 4.481689]


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({}, {("b", "right"): [1, 1], ("a", "right"): [1, 1]}),
        ({"recovery": True}, {("a", "right"): [0, 1], ("a", "b", "right"): [0, 1, 1]}),
        ({"recovery": True, "filters": Filters(per_task=1)}, {("a", "right"): [0, 1]}),
        ({"pivots": ("0.3", "0.7")}, {("b", "right"): [1, 1], ("a", "right"): [1, 1]}),
        ({"pivots": ("0.2", "0.3")}, {("a", "right"): [0, 1]}),
        (
            {"pivots": ("0.2", "0.3"), "advantage_weighted": 0.5},
            {("a", "right"): [0.0, 4.481689]},
        ),
    ],
)
def test_a_wrong_turn_and_what_comes_before_a_pivot_are_context(
    tmp_path: Path, options: dict[str, Any], rows: dict[tuple[str, ...], list[float]]
) -> None:
    found, counts = exported(tmp_path, spliced(), **options)
    assert {
        tuple(said(row["messages"])): [1 if w is None else w for w in weights(row)] for row in found
    } == rows
    trained = [
        [is_trained(m) for m in row["messages"] if m["role"] == "assistant"] for row in found
    ]
    assert trained == [[weight != 0 for weight in row] for row in rows.values()]
    assert counts.dropped["spliced"] == (0 if options.get("recovery") else 1)


def test_a_step_that_loses_value_is_a_wrong_turn(tmp_path: Path) -> None:
    """Also where the search succeeded below it: `look a` loses 1/4."""
    made = valued()
    made.nodes[2] = made.nodes[2].__class__(3, 1, answer("right"))
    assert not exported(tmp_path, made, recovery=True)[0]
    [row], _ = exported(tmp_path / "low", made, recovery=True, filters=Filters(margin=0.25))
    assert said(row["messages"]) == ["a", "right"] and weights(row) == [0, None]


def test_failed_paths_are_told_apart_by_a_line(tmp_path: Path) -> None:
    """It needs no values; a template of one's own asks a student with the same line."""
    rows, _ = exported(tmp_path, search="dfsdt", templates=("react",), nat=True)
    told = {tuple(said(row["messages"])): row["messages"][1]["content"] for row in rows}
    good, bad = (f"Question: How many?\n\n{line}" for line in (SUCCEEDS, FAILS))
    assert {path: text.endswith(good) for path, text in told.items()} == {
        ("b", "right"): True,
        ("a", "right"): True,
        ("a", "x"): False,
        ("a", "y"): False,
        ("c", "x"): False,
    }
    assert all(text.endswith(bad) for path, text in told.items() if path[-1] != "right")
    world = World(WORLD["instructions"], tuple(Tool(*tool) for tool in WORLD["tools"]))  # type: ignore[arg-type]
    asked = get_template(str(EXAMPLES / "succeeds.toml")).render(world, Task("t1", "How many?"), ())
    assert asked == next(row["messages"][:2] for row in rows if row["reward"])


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("--to dpo --pairs value", "holds no continuations, so its states have no values: run "),
        ("--to prm", "run `engine credit "),
        ("--recovery", "run `engine credit "),
        ("--pairs boundary", "--pairs boundary is for --to dpo"),
        ("--to dpo --pairs value --by judge", "compares actions by their values: leave out --by"),
        ("--to dpo --pairs value --per-task 2", "leave out --by, --corrected, --per-task"),
        ("--to dpo --nat", "--nat: for --to sft and --format jsonl"),
        ("--pivots 0.3,0.7 --format sharegpt", "--pivots: for --to sft and --format jsonl"),
        ("--recovery --pivots 0.3,0.7", "--recovery and --pivots choose other paths"),
        ("--pivots 0.7,0.3", "use two numbers from 0 to 1, such as 0.3,0.7"),
        ("--nat --advantage-weighted 1", "--advantage-weighted is not for --nat"),
        ("--recovery --prune-detours", "--prune-detours would leave out the wrong turns"),
        ("--to prm --template native", "--to prm holds text"),
        ("--to prm --format toolbench", "--to prm is for --format jsonl"),
        ("--advantage-weighted 0", "--advantage-weighted 0.0: must be above 0"),
    ],
)
def test_what_makes_no_sense_is_refused(
    tmp_path: Path, flags: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = store(tmp_path / "run", [tree("t1", look("a"), answer("right"))])
    code = commands.run("engine export", run, "--output", tmp_path / "o.jsonl", *flags.split())
    said = capsys.readouterr().err.strip()
    assert code == 2 and told in said and len(said.splitlines()) == 1


def test_the_command_and_the_api_make_the_same_pairs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, file = store(tmp_path / "credit", [valued()], search="continuations"), tmp_path / "o.jsonl"
    flags = ["--to", "dpo", "--pairs", "value", "--margin", "0.3"]
    assert not commands.run("engine export", run, *flags, "--output", file)
    told = "the policy draws the rejected action more often in 2 of the 3 value pairs"
    assert told in capsys.readouterr().err
    written = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert tg.Run(run).rows("dpo", pairs="value", margin=0.3).to_list() == written
    assert tg.Run(run).rows("prm", label_threshold=0.2)["labels"][0] == [True, False]
    assert tg.Run(run).stats["continuations"] == 7
    plain = store(tmp_path / "plain", [valued()])
    with pytest.raises(UsageError, match="holds no continuations"), RunReader.open(plain, "value"):
        pass
    with RunReader.open(run, "value") as reader:
        assert [pair["rewards"] for pair in reader.read("t1").detail["pairs"]][0] == [1.0, 0.25]


def test_an_export_without_pairs_says_why(tmp_path: Path) -> None:
    rows, counts = exported(
        tmp_path, kind="dpo", pairs="value", filters=Filters(margin=1.0), min_continuations=9
    )
    settings = ExportSettings("dpo", pairs="value", values=ValueRules(min_continuations=9))
    assert len(rows) == 2  # ends need no continuations
    assert "fewer than --min-continuations 9" in why_no_rows(settings, counts)
