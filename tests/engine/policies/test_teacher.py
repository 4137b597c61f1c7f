"""The teacher, over a real server: what it sends, what it makes of replies, what it never keeps."""

import json
from pathlib import Path

import pytest

from engine.chat.base import ChatReply
from engine.errors import UsageError
from engine.export.export import ExportSettings, export
from engine.policies.teacher import DIVERSITY, LESSONS, Teacher
from engine.runs.build_executor import Resources, RunBudget
from engine.runs.codec import tree_to_dict
from engine.runs.store import Store
from engine.templates import get
from engine.templates.base import World
from environments import Step
from search import Request, Usage
from search.policy import Child
from tests.support.chat_server import ChatServer, status
from tests.support.configs import make_config, run
from tests.support.fakes import ArmsEnv, go

ENV = "tests.support.fakes:ArmsEnv"


def call(arm: int) -> dict:
    function = {"name": "go", "arguments": json.dumps({"arm": arm})}
    return {
        "role": "assistant",
        "content": "hm",
        "tool_calls": [{"id": "x", "type": "function", "function": function}],
    }


def left_then_right(request: dict) -> list[dict]:
    """Arm 1 where arm 0 was tried, else arm 0; both where both are wanted."""
    if request.get("n", 1) == 2:
        return [call(0), call(1)]
    return [call(int(DIVERSITY in json.dumps(request["messages"][-1])))]


def explore(server: ChatServer, out: Path, **changes):
    config = make_config(ENV, teacher="t", base_url=server.base_url, **changes)
    summary = run(config, out, resources=Resources(concurrency=2))
    with Store.open(out) as store:
        return summary, next(store.trees(), None)


def test_a_search_over_the_wire(tmp_path):
    with ChatServer(left_then_right) as server:
        summary, tree = explore(server, tmp_path / "r")
    assert summary.solved == 1 and tree.usage.calls == len(server.requests) == 14
    first = server.requests[0]
    assert first["model"] == "t" and first["seed"] == 0 and first["temperature"] == 1.0
    assert first["tools"][0]["function"]["name"] == "go" and "n" not in first
    assert tree.usage.prompt_tokens > 0 and len({call.request for call in tree.calls}) == 14


def test_a_server_is_asked_with_parameters_of_its_own(tmp_path):
    """As models that reason want it: another name for the reply's length, no seed."""
    sampling = {"max_tokens": None, "max_completion_tokens": 99, "seed": None, "top_p": 0.9}
    with ChatServer(left_then_right) as server:
        summary, _ = explore(server, tmp_path / "r", sampling=sampling)
        assert summary.solved == 1
        for request in server.requests:
            assert not {"max_tokens", "seed"} & set(request)
            assert (request["max_completion_tokens"], request["top_p"]) == (99, 0.9)
        with pytest.raises(UsageError, match="--sampling was .*0.9.* and is {}"):
            explore(server, tmp_path / "r")


def test_samples_come_in_one_request(tmp_path):
    with ChatServer(left_then_right) as server:
        summary, tree = explore(server, tmp_path / "r", siblings="sample")
    assert summary.solved == 1 and len(server.requests) == 7
    assert server.requests[0]["n"] == 2


def test_the_diversity_text_is_in_requests_only(tmp_path):
    with ChatServer(left_then_right) as server:
        _, tree = explore(server, tmp_path / "r")
    assert sum(DIVERSITY in json.dumps(request) for request in server.requests) == 7
    assert DIVERSITY not in json.dumps(tree_to_dict(tree))
    for file in (tmp_path / "r").iterdir():
        assert DIVERSITY.encode() not in file.read_bytes()
    export([tmp_path / "r"], tmp_path / "o.jsonl", ExportSettings("dpo"))
    assert DIVERSITY not in (tmp_path / "o.jsonl").read_text()


def test_requests_share_their_beginnings(tmp_path):
    """Prefix caches hit: a child's request begins with its parent's messages, byte for byte."""
    with ChatServer(left_then_right) as server:
        explore(server, tmp_path / "r", siblings="sample")
    texts = [json.dumps(request["messages"])[:-1] for request in server.requests]
    assert all(any(t.startswith(e) for e in texts[:n]) for n, t in enumerate(texts) if n)


def test_text_templates_send_no_tools_and_a_stop(tmp_path):
    reply = 'Thought: hm\nAction: go\nAction Input: {"arm": 1}'
    with ChatServer(lambda request: reply) as server:
        summary, tree = explore(server, tmp_path / "r", template="react")
    assert summary.solved == 1 and "tools" not in server.requests[0]
    assert server.requests[0]["stop"] == ["\nObservation:"]


def test_an_unreadable_reply_is_an_observation_and_is_counted(tmp_path):
    with ChatServer(lambda request: "I had rather not.") as server:
        summary, tree = explore(server, tmp_path / "r", depth=2)
    assert summary.unsolved == 1
    assert {node.step.info["error"] for node in tree.nodes} == {"malformed"}
    assert tree.nodes[0].step.observation.startswith("error: no tool was called")
    assert tree.duplicates > 0  # the same words again are a repeat


def test_a_refusal_fails_the_task_with_the_servers_words(tmp_path):
    fault = status(400, message="this model's maximum context length is 8 tokens")
    with ChatServer(left_then_right, faults=[fault]) as server:
        summary, tree = explore(server, tmp_path / "r")
        assert summary.failed == 1 and tree is None and len(server.requests) == 1
        with Store.open(tmp_path / "r") as store:
            ((kind, words),) = store.failures().values()
        assert kind == "PolicyError" and "maximum context length is 8" in words
        summary, tree = explore(server, tmp_path / "r")
    assert summary.solved == 1


def test_dollars_need_a_price_and_bound_the_run(tmp_path):
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps({"t": {"input": 1e6, "output": 1e6}}))  # a dollar a token
    with ChatServer(left_then_right) as server:
        config = make_config(ENV, teacher="t", base_url=server.base_url)
        bounds = RunBudget(usd=2000.0)
        with pytest.raises(Exception, match="no price is known"):
            run(config, tmp_path / "r", budget=bounds)
        summary = run(config, tmp_path / "r", budget=bounds, resources=Resources(prices=prices))
        assert summary.stopped == 1 and 2000 <= summary.usage.usd < 4000
        sent = len(server.requests)
        # The run has spent its dollars; the same command does not spend them again.
        summary = run(config, tmp_path / "r", budget=bounds, resources=Resources(prices=prices))
        assert summary.stopped == 1 and len(server.requests) == sent


async def test_lessons_and_what_was_tried_end_the_last_message():
    """All before it stays as it is, so that prefix caches hit."""
    asked = []

    class Keeps:
        base_url = "process:keeps"

        async def complete(self, request):
            asked.append(request.messages)
            return ChatReply((call(0),), Usage(1, 1, 1))

    env = ArmsEnv()
    teacher = Teacher(Keeps(), get("native"), World("", env.tools), "t", {})
    path, tried = [Step(go(0), "at")], [Step(go(1), "no")]
    for lessons, then in (((), ()), (("L1", "L2"), ()), (("L1", "L2"), tried)):
        children = [Child(step) for step in then]
        await teacher.propose(Request(env.tasks[0], path, children, differ=True, lessons=lessons))
    plain, told, both = asked
    assert told[:-1] == plain and both[:-1] == plain
    assert told[-1] == {"role": "user", "content": f"{LESSONS}\n- L1\n- L2"}
    assert both[-1]["content"].startswith(told[-1]["content"]) and DIVERSITY in both[-1]["content"]


def test_requests_that_look_the_same_have_seeds_of_their_own(tmp_path):
    """Else a server that honours seeds gives every chain the same beginning."""
    with ChatServer(lambda request: [call(0)]) as server:
        explore(server, tmp_path / "r", search="react", width=3, seed=5)
        first = [r["seed"] for r in server.requests if len(r["messages"]) == 2]
    assert len(first) == len(set(first)) == 3 and 5 in first


@pytest.mark.parametrize("template", ["native", "react", "hermes"])
@pytest.mark.parametrize("said", ["", " \n", None])
def test_an_assistants_turn_is_never_sent_back_blank(tmp_path, template, said):
    """Mistral's API and llama.cpp refuse such a message, and every request after it."""
    with ChatServer(lambda request: [{"role": "assistant", "content": said}]) as server:
        explore(server, tmp_path / "r", template=template, search="react", depth=2)
        asked = server.requests
    turns = [m for request in asked for m in request["messages"] if m["role"] == "assistant"]
    assert turns and all(turn["content"].strip() for turn in turns)


def test_what_was_mended_is_kept_and_rows_hold_the_canonical_form(tmp_path):
    said = "<think>\nhm\n</think>\r\n\r\n**Action:** functions.go\n**Action Input:** {'arm': 1,}"
    with ChatServer(lambda request: said) as server:
        summary, tree = explore(server, tmp_path / "r", template="react", search="react", depth=8)
    assert summary.solved == 1
    words = ["crlf", "reasoning", "label", "name", "json"]
    assert {tuple(node.step.info["repaired"]) for node in tree.nodes} == {tuple(words)}
    export([tmp_path / "r"], tmp_path / "o.jsonl", ExportSettings("sft"))
    (row,) = map(json.loads, (tmp_path / "o.jsonl").read_text("utf-8").splitlines())
    written = {m["content"] for m in row["messages"] if m["role"] == "assistant"}
    assert written == {'Thought: hm\nAction: go\nAction Input: {"arm": 1}'}
