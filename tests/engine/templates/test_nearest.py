"""`--repair nearest`: an action that no tool has becomes the nearest one, by BLEU."""

import json

import pytest

from engine.errors import UsageError
from engine.runs.stats import stats
from engine.runs.store import Store
from engine.templates import get
from engine.templates.nearest import Nearest, bleu, nearest
from environments.sql.env import BirdEnv
from tests.support.chat_server import ChatServer
from tests.support.configs import make_config, run

ENV = "tests.support.fakes:ArmsEnv"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("describe", "describe_table"),
        ("get_tables", "list_tables"),
        ("ExecuteSQL", "run_sql"),
        ("final_answer", "answer"),
        ("12", ""),
        ("", ""),
    ],
)
def test_the_nearest_tool_has_the_highest_bleu(name, found):
    assert nearest(name, BirdEnv.tools) == found


def test_bleu_is_one_for_equal_names_and_punishes_short_ones():
    assert bleu("run_sql", "run_sql") == 1.0
    assert bleu("run", "run_sql") < bleu("run_sq", "run_sql") < 1.0 and bleu("abc", "xyz") == 0.0


def test_only_names_without_a_tool_are_matched():
    template = Nearest(get("react"))
    said = "Thought: <think>hm</think>\nAction: show_tables\nAction Input: {}"
    action = template.parse({"content": said}, BirdEnv.tools)
    assert action.tool == "list_tables" and action.reply["repaired"][-1] == "nearest"
    known = template.parse({"content": "Action: answer\nAction Input: {}"}, BirdEnv.tools)
    assert known.tool == "answer" and not known.reply
    assert not template.parse({"content": "No."}, BirdEnv.tools).tool


@pytest.mark.parametrize(("repair", "solved"), [("none", 0), ("nearest", 1)])
def test_a_run_marks_and_counts_it(tmp_path, repair, solved):
    function = {"name": "go_there", "arguments": json.dumps({"arm": 1})}
    reply = {"content": None, "tool_calls": [{"id": "x", "type": "function", "function": function}]}
    with ChatServer(lambda request: [{"role": "assistant", **reply}]) as server:
        config = make_config(
            ENV, teacher="t", base_url=server.base_url, repair=repair, search="react", depth=3
        )
        assert run(config, tmp_path / "r").solved == solved
        with pytest.raises(UsageError, match="--repair was"):
            run(
                make_config(
                    ENV,
                    teacher="t",
                    base_url=server.base_url,
                    search="react",
                    depth=3,
                    repair="none" if solved else "nearest",
                ),
                tmp_path / "r",
            )
    with Store.open(tmp_path / "r") as store:
        nodes = next(store.trees()).nodes
        counted = stats(store).to_dict().get("repaired", {})
    assert all(
        node.step.info.get("repaired") == (["nearest"] if solved else None) for node in nodes
    )
    assert counted == ({"nearest": len(nodes)} if solved else {})


def test_an_unknown_repair_is_refused():
    with pytest.raises(UsageError, match="use one of none, nearest"):
        make_config(ENV, repair="best")
