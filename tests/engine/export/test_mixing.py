"""What stands before the path of a row: examples, failed attempts, reflections; and its form."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.export.export import ExportSettings, export_rows
from engine.export.filters import Counts
from engine.export.mixing import parse_mix
from engine.policies.judge import SEARCH_TEXTS
from engine.templates.context import AGAIN, REFLECTIONS
from environments import GIVE_UP, Action, Step, Task
from search import ROOT, Tree
from search.tree import Call
from search.usage import Usage
from tests.support.viewed import GOLD, answer, look, run_of
from trainer.data.mask import is_trained

LEFT = Step(Action(GIVE_UP.name, {}, "I start anew."), "gave up", 0.0, True, info={"gave_up": True})
REFLECTED = "Look at a first."


def solved(number: int, split: str = "train") -> Tree:
    task = Task(f"t{number}", f"Question {number}?", group=f"g{number}", split=split)
    tree = Tree(task, "teacher")
    tree.add(tree.add(ROOT, look(f"a{number}")).id, answer(f"b{number}", 1.0))
    return tree


def restarted() -> Tree:
    """Looks at b, gives up, reflects, starts anew: looks at a, and answers."""
    tree = Tree(Task("r", "Who?", {"sql": GOLD}, group="people", split="train"), "teacher")
    tree.calls += [Call(ROOT, "", Usage(1)), Call(1, "", Usage(1))]
    tree.add(ROOT, look("b"), 0)
    tree.add(1, LEFT, 1)
    tree.calls.append(Call(2, "", Usage(1), "reflect", "", REFLECTED))
    tree.calls.append(Call(2, "", Usage(1), "reflect", "", f"Answer with {GOLD}."))
    tree.calls += [Call(ROOT, "", Usage(1)), Call(3, "", Usage(1))]
    tree.add(ROOT, look("a"), 4, attempts=(2,))
    tree.add(3, answer(GOLD, 1.0), 5)
    return tree


def rows(tmp_path: Path, *trees: Tree, kind: str = "sft", **how) -> list[dict]:
    folder = run_of(tmp_path / "run", *trees)
    return list(export_rows([folder], ExportSettings(kind, **how), Counts()))


@pytest.fixture
def pool(tmp_path: Path) -> str:
    return str(run_of(tmp_path / "pool", *map(solved, range(50, 60))))


def trained(row: dict) -> list[str]:
    """The tools of the calls that the loss sees."""
    said = [m for m in row["messages"] if m["role"] == "assistant" and is_trained(m)]
    return [call["function"]["name"] for m in said for call in m["tool_calls"]]


def text(row: dict) -> str:
    return json.dumps(row["messages"])


def test_examples_are_context(tmp_path, pool):
    [plain] = rows(tmp_path, solved(1))
    [row] = rows(tmp_path, solved(1), shots=2, shots_from=pool)
    assert (plain["form"], row["form"], row["method"]) == ("zero", "few", "react")
    assert trained(row) == trained(plain) == ["look", "answer"]
    assert [m.get("weight") for m in row["messages"] if m["role"] == "assistant"][:4] == [0] * 4
    own = len(plain["messages"]) - 1
    assert row["messages"][-own:] == plain["messages"][1:]
    shown = [m["content"] for m in row["messages"] if m["role"] == "user"]
    assert len(shown) == 3 and shown[-1] == "Question 1?" and len(set(shown)) == 3
    assert text(rows(tmp_path, solved(1), shots=2, shots_from=pool)[0]) == text(row)
    assert text(rows(tmp_path, solved(1), shots=2, shots_from=pool, seed=1)[0]) != text(row)


def test_no_example_that_holds_the_secret_is_drawn(tmp_path):
    leaking = Tree(Task("x", "Question x?"), "teacher")
    leaking.add(ROOT, answer(GOLD, 1.0))
    pool = str(run_of(tmp_path / "pool", leaking))
    [row] = rows(tmp_path, restarted(), shots=1, shots_from=pool)
    assert row["form"] == "zero" and "Question x?" not in text(row)


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_each_row_takes_a_form_by_its_path(tmp_path, pool, kind):
    trees = []
    for number in range(90):
        trees.append(solved(number))
        trees[-1].add(1, answer(f"wrong {number}"))
    mix = ("zero:6", "few:3", "thoughtless:1")
    how = {"kind": kind, "shots": 1, "shots_from": pool, "mix": mix}
    made = rows(tmp_path, *trees, **how)
    forms = Counter(row["form"] for row in made)
    assert len(made) == 90 and forms["zero"] > forms["few"] > forms["thoughtless"] > 3
    again = {row["id"]: row["form"] for row in rows(tmp_path, *trees[20:], **how)}
    assert again.items() <= {row["id"]: row["form"] for row in made}.items()
    for row in made:
        shown = row["messages"] if kind == "sft" else [*row["prompt"], *row["chosen"]]
        said = [m["content"] for m in shown if m["role"] == "assistant"]
        assert len(said) == (4 if row["form"] == "few" else 2)
        assert (said == ["", ""]) == (row["form"] == "thoughtless")


@pytest.mark.parametrize("template", ["native", "react"])
@pytest.mark.parametrize("form", ["zero", "thoughtless"])
def test_attempts_before_a_restart(tmp_path, template, form):
    how = {"templates": (template,), "mix": (f"{form}:1",)}
    plain, context, path = (
        rows(tmp_path, restarted(), restarts=restarts, **how)[0]
        for restarts in ("none", "context", "path")
    )
    assert AGAIN not in text(plain) and AGAIN in text(context)
    bare = [{k: v for k, v in m.items() if k != "weight"} for m in context["messages"]]
    assert bare == [{k: v for k, v in m.items() if k != "weight"} for m in path["messages"]]

    def weights(row: dict) -> list[bool]:
        return [is_trained(m) for m in row["messages"] if m["role"] == "assistant"]

    assert weights(plain) == [True, True]
    assert weights(context) == [False, False, True, True]
    assert weights(path) == [False, True, True, True]  # giving up is trained, what failed is not
    assert ("anew" in text(context)) == (form == "zero")


def test_reflections_enter_rows_only_if_they_are_wanted(tmp_path):
    [plain] = rows(tmp_path, restarted())
    assert plain["method"] == "reflexion" and REFLECTED not in text(plain)
    how = {"reflections_in_rows": True, "restarts": "path"}
    for row in (
        *rows(tmp_path, restarted(), **how),
        *rows(tmp_path, restarted(), kind="dpo", **how),
    ):
        before = row.get("prompt") or row["messages"][:-3]
        asked = [m["content"] for m in before if m["role"] == "user"]
        # One that states the answer is left out.
        assert asked[-1].endswith(f"{AGAIN}\n\n{REFLECTIONS}\n- {REFLECTED}")
        assert not any(note in json.dumps(row) for note in SEARCH_TEXTS)
    [row] = rows(tmp_path, restarted(), **how)
    assert trained(row) == [GIVE_UP.name, "look", "answer"]


def test_the_method_is_told_of_each_row(tmp_path):
    at_once, looked, gave_up = (Tree(Task(id, f"{id}?"), "t") for id in ("cot", "react", "x"))
    at_once.add(ROOT, answer("so", 1.0))
    looked.add(ROOT, replace(look("so"), reward=1.0, terminated=True))
    gave_up.add(ROOT, replace(LEFT, reward=1.0))
    made = rows(tmp_path, at_once, looked, gave_up, restarted())
    methods = {row["id"].split("/")[1]: row["method"] for row in made}
    assert methods == {"cot": "cot", "react": "react", "r": "reflexion"}


@pytest.mark.parametrize(
    ("how", "wrong"),
    [
        ({"mix": ("one:1",)}, "--mix one:1: use zero, few, thoughtless"),
        ({"mix": ("zero:-1",)}, "--mix zero:-1"),
        ({"mix": ("zero:nan",)}, "--mix zero:nan"),
        ({"mix": ("zero",)}, "--mix zero: use"),
        ({"mix": ("zero:1", "zero:2")}, "--mix zero:2"),
        ({"mix": ("zero:0",)}, "at least one weight"),
        ({"mix": ("few:1",)}, "--mix with few needs --shots"),
        ({"mix": ("zero:1",), "shots": 1, "shots_from": "a"}, "--shots needs few"),
        ({"shots": 1}, "--shots needs --shots-from"),
        ({"restarts": "all"}, "--restarts is 'all'"),
        ({"restarts": "path", "format": "sharegpt"}, "--restarts is for --format jsonl"),
        ({"shots": 1, "shots_from": "a", "format": "toolbench"}, "--shots is for --format jsonl"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(how, wrong):
    with pytest.raises(UsageError, match=wrong):
        ExportSettings(**how)


def test_weights_of_a_mix():
    assert parse_mix(["zero: 2", "few:0"]) == {"zero": 2.0, "few": 0.0}
    assert parse_mix([]) == {}
