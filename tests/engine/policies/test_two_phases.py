"""Plan and conclude: explored over a real server, exported as calls and as chats, evaluated."""

import json
from collections import Counter
from pathlib import Path

import pytest

import environments
from engine.chat.endpoint import Endpoint
from engine.export.export import ExportSettings, export_rows
from engine.policies.teacher import Teacher
from engine.runs.run import Selection
from engine.runs.stats import stats
from engine.runs.store import Store
from engine.templates import get
from engine.templates.base import world_of
from environments import Action, Step
from search import Request, Usage
from tests.support.chat_server import ChatServer, Json
from tests.support.configs import make_config, run
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.measures.references import reference_turns
from trainer.evaluation.options import EvalOptions

CONCLUDE, DONE = "concluding stage", "Complete tasks"


@pytest.fixture(scope="module")
def env():
    made = environments.make("search-qa", split="train")
    yield made
    made.close()


@pytest.fixture
def player(env):
    """Searches once, completes the task, and then says the right answer."""
    gold = {task.prompt: "".join(task.secret["answer"]) for task in env.tasks}

    def play(request: Json) -> str:
        told = "\n".join(message["content"] for message in request["messages"])
        asked = request["messages"][-1]["content"]
        if CONCLUDE in asked:
            return next(answer for prompt, answer in gold.items() if prompt in told)
        done = DONE in told or "Result: " in told
        command = {"name": "task_complete" if done else "search", "args": {"query": "x"}}
        return json.dumps({"task_name": f"I {command['name']}.", "command": command})

    return play


def explored(player, out: Path, **options) -> None:
    with ChatServer(player) as server:
        config = make_config(
            "search-qa", split="train", teacher="t", base_url=server.base_url, **options
        )
        assert run(config, out, selection=Selection(limit=2)).solved == 2


@pytest.mark.parametrize("template", ["kwai", "kwai:chat"])
def test_a_run_is_explored_and_exported_in_two_phases(player, tmp_path, template):
    explored(player, tmp_path / "r", template=template, search="react", width=1)
    with Store.open(tmp_path / "r") as store:
        for tree in store.trees():
            assert [node.step.action.tool for node in tree.nodes] == ["search", "finish"]
            assert tree.nodes[1].step.action.thought == "I task_complete."
            assert [call.usage.calls for call in tree.calls] == [1, 1, 1]
            assert tree.nodes[1].call == 2
        assert (stats(store).prefix_tokens == 0) == (template == "kwai")
    calls = list(export_rows([tmp_path / "r"], ExportSettings(rows="per_call")))
    chats = list(export_rows([tmp_path / "r"], ExportSettings(rows="conversation")))
    assert list(export_rows([tmp_path / "r"], ExportSettings())) == (
        calls if template == "kwai" else chats
    )
    assert [row["call"] for row in calls] == [1, 2, 3] * 2 and len(chats) == 2
    assert {row["id"].partition("#")[0] for row in calls} == {row["id"] for row in chats}
    for row in calls:
        weights = [m.get("weight", 1) for m in row["messages"] if m["role"] == "assistant"]
        assert weights == [*[0] * (len(weights) - 1), 1]
    whole = [[m["content"] for m in row["messages"] if m["role"] == "assistant"] for row in chats]
    assert [row["messages"][-1]["content"] for row in calls] == [*whole[0], *whole[1]]


def test_what_is_exported_is_what_was_asked(player, tmp_path):
    """The requests of the student are those that its rows hold, byte for byte."""
    with ChatServer(player) as server:
        options = {"template": "kwai", "search": "react", "width": 1, "teacher": "t"}
        config = make_config("search-qa", split="train", base_url=server.base_url, **options)
        run(config, tmp_path / "r", selection=Selection(limit=1))
        asked = [request["messages"] for request in server.requests]
    rows = export_rows([tmp_path / "r"], ExportSettings())
    assert [row["messages"][:-1] for row in rows] == asked


def test_a_run_of_two_phases_has_references_and_pairs(player, tmp_path):
    explored(player, tmp_path / "r", template="kwai", search="react", width=1)
    turns = reference_turns(tmp_path / "r", "kwai")
    assert [turn.accepted[0].tool for turn in turns] == ["search", "task_complete"] * 2
    assert DONE in turns[1].messages[-1]["content"]


def test_a_student_is_evaluated_in_two_phases(player, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with ChatServer(player) as server:
        options = EvalOptions(
            env="search-qa",
            split="train",
            limit=2,
            template="kwai",
            model="t",
            base_url=server.base_url,
        )
        report = evaluate(options, tmp_path / "e")
        assert len(server.requests) == 6
    assert (report.solved.hits, report.solved.total) == (2, 2)


async def test_the_second_request_is_within_the_budget(env, player):
    task, kinds = env.tasks[0], Counter[str]()

    def cut(request: Json) -> Json | str:
        said = player(request)
        if CONCLUDE not in request["messages"][-1]["content"]:
            return said
        kinds["conclude"] += 1
        message = {"role": "assistant", "content": said[:1]}
        return {"choices": [{"message": message, "finish_reason": "length"}]}

    with ChatServer(cut) as server:
        endpoint = Endpoint(server.base_url)
        teacher = Teacher(endpoint, get("kwai:chat"), world_of(env), "t", {})
        seen = Step(Action("search", {"query": "x"}), "seen")
        spent = Request(task, [seen], affords=lambda used: used.calls < 1)
        assert not (await teacher.propose(spent)).actions and not kinds
        proposal = await teacher.propose(Request(task, [seen]))
        await endpoint.aclose()
    # What is cut off is asked for again, and then it is no answer.
    assert proposal.actions[0].tool == "" and kinds["conclude"] == 3
    assert sum((call.usage for call in proposal.calls), Usage()).calls == 4
