"""The three kinds of trajectories that FireAct mixes, over a real server: CoT, ReAct, Reflexion."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.config import config_of
from engine.errors import UsageError
from engine.export.export import ExportSettings, export_rows
from engine.policies.answer_only import ANSWER_NOW
from engine.policies.judge import REFLECT, SEARCH_TEXTS
from engine.runs.store import Store
from environments import GIVE_UP, Action, Outcome, Task, Tool, ToolEnv
from environments.tools import text_arguments
from search import Tree
from tests.support.chat_server import ChatServer
from tests.support.configs import make_config, run

LOOK = Tool("look", "Look.", text_arguments(at="a place"))
ANSWER = Tool("answer", "Answer.", text_arguments(text="the place"))
LESSON = "The key is not in the sink."


class Keys(ToolEnv):
    """A key hangs on the hook; a solution that answers shows how."""

    tools = (LOOK, ANSWER, GIVE_UP)
    instructions = "Find the key."
    instant = True

    def load_tasks(self) -> Sequence[Task]:
        return [Task("key", "Where is the key?", split="train")]

    def act(self, action: Action) -> Outcome:
        if action.tool == "look":
            return Outcome(f"at the {action.arguments['at']}")
        return Outcome("noted", float(action.arguments["text"] == "hook"), terminated=True)

    def solution(self, task: Task) -> list[Action]:
        return [Action("look", {"at": "hook"}), Action("answer", {"text": "hook"}, "Seen.")]


class NoAnswer(Keys):
    """Tasks end by looking."""

    tools = (LOOK, GIVE_UP)

    def solution(self, task: Task) -> list[Action]:
        return [Action("look", {"at": "hook"})]


def call(name: str, **arguments: str) -> dict:
    function = {"name": name, "arguments": json.dumps(arguments)}
    called = {"id": "x", "type": "function", "function": function}
    return {"role": "assistant", "content": "Keys hang on hooks.", "tool_calls": [called]}


def mind(request: dict) -> dict | str:
    """Looks first, if it may; learns from a reflection where the key is."""
    told = json.dumps(request["messages"])
    if REFLECT in told:
        return LESSON
    if ANSWER_NOW in told:
        return call("look", at="sink") if request["seed"] == 0 else call("answer", text="hook")
    if not any(m["role"] == "tool" for m in request["messages"]):
        return call("look", at="hook" if LESSON in told else "sink")
    return call("answer", text="hook" if LESSON in told else "sink")


def explore(out: Path, server: ChatServer | None = None, env: str = "Keys", **how) -> Tree | None:
    asked = {"teacher": "t", "base_url": server.base_url} if server else {}
    run(make_config(f"{__name__}:{env}", **asked, **how), out)
    with Store.open(out) as store:
        return next(store.trees(), None)


def rows(out: Path, **how) -> list[dict]:
    return list(export_rows([out], ExportSettings("sft", **how)))


def test_cot_is_the_answer_at_once(tmp_path):
    with ChatServer(mind) as server:
        tree = explore(tmp_path / "r", server, search="cot", width=3)
    assert [node.step.action.tool for node in tree.nodes] == ["", "answer"]
    assert tree.nodes[0].step.action.error == "only answer can be called"
    assert [t["function"]["name"] for t in server.requests[0]["tools"]] == ["answer"]
    assert ANSWER_NOW in server.requests[0]["messages"][-1]["content"]
    [row] = rows(tmp_path / "r")
    assert row["method"] == "cot" and [m["role"] for m in row["messages"]][2:] == ["assistant"]
    assert row["messages"][-1]["content"] == "Keys hang on hooks."
    # The student sees all tools, and decides that it needs none.
    assert [t["function"]["name"] for t in row["tools"]] == ["look", "answer", "give_up"]
    assert ANSWER_NOW in SEARCH_TEXTS and ANSWER_NOW not in json.dumps(row)


def test_reflexion_is_chains_that_see_what_went_wrong(tmp_path):
    with ChatServer(mind) as server:
        plain = explore(tmp_path / "p", server, search="react", width=3)
        tree = explore(tmp_path / "r", server, search="react", width=3, reflections=1)
    assert not plain.solved and tree.solved and len(tree.winners()) == 1
    assert [call.kind for call in tree.calls].count("reflect") == 1
    [row] = rows(tmp_path / "r")
    assert row["method"] == "reflexion" and LESSON not in json.dumps(row)
    [row] = rows(tmp_path / "r", reflections_in_rows=True)
    assert LESSON in row["messages"][1]["content"]
    assert not any(note in json.dumps(row) for note in SEARCH_TEXTS)


def test_the_last_chain_is_not_reflected_on(tmp_path):
    with ChatServer(mind) as server:
        tree = explore(tmp_path / "r", server, search="react", width=1, reflections=1)
    assert [call.kind for call in tree.calls] == ["propose", "propose"]


def test_the_demonstration_teacher_answers_at_once_where_there_is_an_answer(tmp_path):
    tree = explore(tmp_path / "r", search="cot")
    assert tree.solved and [row["method"] for row in rows(tmp_path / "r")] == ["cot"]
    explore(tmp_path / "n", search="cot", env="NoAnswer")
    with ChatServer(mind) as server:
        explore(tmp_path / "s", server, search="cot", env="NoAnswer")
    for name in ("n", "s"):
        with Store.open(tmp_path / name) as store:
            assert "no tool takes its answer" in store.failures()["key"][1]


@pytest.mark.parametrize(
    ("how", "wrong"),
    [
        ({"search": "cot", "depth": 2}, "--depth 2: must be at most 1"),
        ({"search": "cot", "restarts": 1}, "--restarts 1: must be at most 0"),
        ({"search": "react", "reflections": 1}, "--reflections needs a model"),
    ],
)
def test_options_that_do_not_go_together_are_refused(how, wrong):
    with pytest.raises(UsageError, match=wrong):
        config_of({"env": "bird", **how})
