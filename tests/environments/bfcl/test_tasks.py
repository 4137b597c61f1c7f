"""Tasks, splits, tools, and records that make no task."""

import json
import logging
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from environments import DataError, make
from environments.bfcl.calls import parse
from environments.bfcl.env import BfclEnv
from environments.bfcl.package import STATELESS, data_folder
from environments.extras import ExtraMissing

UNSOUND = {
    # The gold answer gives a text where the function is defined with an integer.
    "multi_turn_base_173",
    "multi_turn_miss_func_173",
    "multi_turn_miss_param_173",
    "multi_turn_long_context_173",
    # The gold answer calls a function two turns before the user adds it.
    "multi_turn_miss_func_49",
}


def test_gold_answers_but_the_known_solve_their_tasks(world: BfclEnv) -> None:
    """Every fifth; `benchmarks/bfcl_checker.py` plays all."""
    unsound = set()
    for task in (task for n, task in enumerate(world.tasks) if n % 5 == 0 or task.id in UNSOUND):
        world.reset(options={"task": task})
        for action in world.solution(task):
            _, reward, over, _, info = world.step(action)
            if over or "error" in info:
                break
        if reward != 1.0:
            unsound.add(task.id)
    assert unsound == UNSOUND
    assert set(Counter(task.tags["category"] for task in world.tasks).values()) == {200}


def test_the_splits_share_no_initial_configuration(world: BfclEnv) -> None:
    configs: dict[str, set[str]] = {"train": set(), "test": set()}
    for task in world.tasks:
        for name, config in task.details["config"].items():
            if config and name not in STATELESS and name in task.details["classes"]:
                configs[task.split].add(name + json.dumps(config, sort_keys=True))
        configs[task.split].add(task.id.rpartition("_")[2])
    assert not configs["train"] & configs["test"]
    held_out = Counter(task.split for task in world.tasks)["test"]
    assert 100 < held_out < 200
    assert len(make("bfcl", split="test").tasks) < held_out  # one category, the same split


def test_tools_are_json_schema(world: BfclEnv) -> None:
    tools = {tool.name: tool for task in world.tasks for tool in world.tools_of(task)}
    assert len(tools) == 128 + 3  # and say, give_up, call_added_function
    for tool in tools.values():
        jsonschema.Draft202012Validator.check_schema(tool.parameters)
    assert tools["power"].parameters["properties"]["exponent"]["maximum"] == 1000
    assert tools["mean"].parameters["properties"]["numbers"]["items"] == {"type": "number"}
    assert "default" not in tools["echo"].parameters["properties"]["file_name"]
    task = world.tasks[0]
    assert world.tools_of(task) == world.tools_of(task)
    assert world.tools_of(task)[0] is world.tools_of(task)[0]


@pytest.mark.parametrize(
    ("text", "positional", "named"),
    [
        ("sort('a.txt')", ("a.txt",), {}),
        (" mean(numbers=[1, -2.5], deep=True)", (), {"numbers": [1, -2.5], "deep": True}),
        ("pwd()", (), {}),
    ],
)
def test_gold_calls_are_read(text: str, positional: Any, named: Any) -> None:
    call = parse(text)
    assert (call.positional, dict(call.named)) == (positional, named)


@pytest.mark.parametrize(
    "text", ["", "pwd", "os.system('x')", "cd(open('x'))", "cd(**{'folder': 1})", "cd(", "a();b()"]
)
def test_gold_that_is_no_call_of_literals_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a call with literal arguments"):
        parse(text)


Change = Callable[[dict[str, Any], dict[str, Any]], object]
CHANGES: dict[str, Change] = {
    "unknown class 'Browser'": lambda task, _: task.update(involved_classes=["Browser"]),
    "field 'question' must be a list of lists": lambda task, _: task.update(question="hello"),
    "a message of 'question' has no text 'content'": lambda task, _: task.update(
        question=[[{"role": "user"}]]
    ),
    "field 'missed_function' is malformed": lambda task, _: task.update(
        missed_function={"9": ["sort"]}
    ),
    "no possible answer": lambda _, gold: gold.update(id="other"),
    "turns of calls for": lambda _, gold: gold["ground_truth"].append([]),
    "not a call with literal arguments": lambda _, gold: gold.update(
        ground_truth=[["cd(x)"], *gold["ground_truth"][1:]]
    ),
    "unknown function 'fly'": lambda _, gold: gold.update(
        ground_truth=[["fly()"], *gold["ground_truth"][1:]]
    ),
}


def folder(path: Path, change: Change) -> str:
    """A folder in the package's layout: the first task, and the second one changed."""
    records = []
    for part in ("", "possible_answer"):
        file = data_folder() / part / "BFCL_v4_multi_turn_base.json"
        records.append([json.loads(line) for line in file.read_text().splitlines()[:2]])
    change(records[0][1], records[1][1])
    for part, two in zip(("", "possible_answer"), records, strict=True):
        (path / part).mkdir(exist_ok=True)
        file = path / part / "BFCL_v4_multi_turn_base.json"
        file.write_text("\n".join(map(json.dumps, two)))
    return str(path)


@pytest.mark.parametrize("why", CHANGES)
def test_a_bad_record_is_told_and_left_out(
    why: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = folder(tmp_path, CHANGES[why])
    with caplog.at_level(logging.WARNING):
        assert [task.id for task in make("bfcl", data=data, split="all").tasks] == [
            "multi_turn_base_0"
        ]
    assert why in caplog.text and "line 2" in caplog.text
    strict = make("bfcl", data=data, split="all")
    strict.strict = True
    with pytest.raises(DataError, match=why):
        _ = strict.tasks


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"categories": "base,hard"}, "no categories 'hard'"),
        ({"classes": "Browser"}, "no classes 'Browser'"),
        ({"empty_turns": "never"}, "no empty_turns 'never'"),
        ({"split": "dev"}, "no split 'dev'"),
        ({"classes": "MathAPI"}, "no task needs only MathAPI"),
        ({"data": "no/such/folder"}, "there is no such file"),
    ],
)
def test_wrong_options_are_told(options: dict[str, Any], why: str) -> None:
    with pytest.raises(DataError, match=why):
        _ = make("bfcl", **options).tasks


def test_a_missing_package_is_told_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bfcl_eval", None)
    with pytest.raises(ExtraMissing, match="pip install --no-deps bfcl-eval"):
        _ = make("bfcl").tasks
