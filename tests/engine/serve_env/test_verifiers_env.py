"""Worlds of ours as environments of `verifiers`: its own loop, over a scripted chat server."""

import asyncio
import json
import signal
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import psutil
import pytest

import treegraft
from engine.errors import UsageError
from engine.runs.fingerprints import contains_secret, fingerprints
from environments import Action, Outcome, Task
from examples.keypad import KeypadEnv
from tests.support.chat_server import ChatServer, Json
from tests.support.parts import missing

KEYPAD = "examples.keypad:KeypadEnv"


@pytest.fixture
def vf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    if find_spec("verifiers") is None:
        missing("verifiers")
    import verifiers

    monkeypatch.setenv("NO_KEY", "none")
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    yield verifiers
    for each, handler in before.items():  # verifiers sets its own
        signal.signal(each, handler)


def calls(*actions: Action, thought: str = "") -> Json:
    made = [
        {
            "id": f"call_{number}",
            "type": "function",
            "function": {"name": each.tool, "arguments": json.dumps(dict(each.arguments))},
        }
        for number, each in enumerate(actions)
    ]
    return {"role": "assistant", "content": thought or None, "tool_calls": made}


def played(vf: Any, env: Any, replies: dict[str, list[Json]], **how: Any) -> dict[str, Any]:
    """The rollouts of verifiers by prompt; each prompt's replies are given in their order."""

    def reply(request: Json) -> Json:
        prompt = request["messages"][1]["content"]
        turn = sum(message["role"] == "assistant" for message in request["messages"])
        assert request["tools"] and request["messages"][0]["role"] == "system"
        return replies[prompt][turn]

    with ChatServer(reply) as server:
        client = vf.ClientConfig(api_key_var="NO_KEY", api_base_url=server.base_url)
        found = asyncio.run(env.evaluate(client, "scripted", **how))
    return {each["prompt"][1]["content"]: each for each in found["outputs"]}


@pytest.mark.parametrize(
    ("name", "options"),
    [("bird", {}), ("python", {"sandbox": "process"}), ("bfcl", {}), (KEYPAD, {})],
)
def test_a_task_that_is_solved_earns_1_and_another_0(
    vf: Any, name: str, options: dict[str, Any]
) -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    env = vf.load_environment("treegraft", env=name, split="train", limit=2, **options)
    (offer,) = env._offers
    right, wrong = offer.tasks
    solution, noop = offer.guide.solution(right), offer.guide.noop(wrong)
    replies = {
        right.prompt: [calls(each, thought=each.thought) for each in solution],
        wrong.prompt: [calls(each) for each in noop],
    }
    found = played(vf, env, replies)
    assert found[right.prompt]["reward"] == 1.0 and found[wrong.prompt]["reward"] == 0.0
    for task, steps in ((right, solution), (wrong, noop)):
        rollout = found[task.prompt]
        assert rollout["error"] is None and rollout["metrics"]["num_turns"] == len(steps)
        assert rollout["stop_condition"] == "has_final_env_response"
        roles = [message["role"] for message in rollout["completion"]]
        assert roles == ["assistant", "tool"] * len(steps)
    assert not offer.live
    offer.guide.close()
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before


def test_bad_replies_are_answered_and_an_aborted_rollout_is_freed(vf: Any) -> None:
    env = vf.load_environment("treegraft", env=KEYPAD, split="train", eval_split="test")
    train, held_out = env._offers
    task = held_out.tasks[0]
    turn = Action("turn", {})
    bad = calls(Action("press", {"digit": 12}), Action("read_note", {}))
    bad["tool_calls"][0]["function"]["arguments"] = "{"
    ends = calls(turn, turn)
    others = [calls(Action("read_note", {}))] * 5
    replies = {each.prompt: others for each in held_out.tasks[1:]}
    env.max_turns = 4
    found = played(
        vf,
        env,
        replies
        | {
            task.prompt: [
                {"role": "assistant", "content": "Let me think."},
                bad,
                ends,
            ]
        },
    )
    said = [each["content"] for each in found[task.prompt]["completion"]]
    assert said[1].startswith("error: ") and "no tool was called" in said[1]
    assert said[3].startswith("error: ") and said[4] == "the note says: 184, read from behind"
    assert said[6:] == ["the door stays shut", "error: the task is over"]
    cut = found[held_out.tasks[1].prompt]
    assert (cut["stop_condition"], cut["reward"]) == ("max_turns_reached", 0.0)
    assert not held_out.live and not train.live
    assert {row["info"] for row in env.get_dataset()}.isdisjoint(
        row["info"] for row in env.get_eval_dataset()
    )


@pytest.mark.parametrize("name", ["bird", "python", "api", "bfcl", KEYPAD])
def test_what_verifiers_sees_holds_no_secret(vf: Any, name: str) -> None:
    env = vf.load_environment("treegraft", env=name, limit=10)
    offer = env._offers[0]
    for task, row in zip(offer.tasks, env.get_dataset(), strict=True):
        shown = json.dumps([row["info"], row["answer"]])
        assert json.loads(row["info"])["id"] == task.id and row["answer"] == ""
        assert not contains_secret(shown, fingerprints(task.secret, task.findable))
    offer.guide.close()


class Broken(KeypadEnv):
    """Its handle tells the code, in an exception."""

    def load_tasks(self) -> list[Task]:
        return [Task("door", "Open it.", {"code": "c0de"}, group="door", split="test")]

    def act(self, action: Action) -> Outcome:
        if action.tool == "turn" and self.task is not None:
            raise ValueError(f"the code is {self.task.secret['code']}")
        return super().act(action)


def test_a_fault_of_the_world_ends_its_rollout_without_the_secret(vf: Any) -> None:
    name = f"{Broken.__module__}:Broken"
    env = vf.load_environment("treegraft", env=name, split="test", limit=1)
    task = env._offers[0].tasks[0]
    found = played(vf, env, {task.prompt: [calls(Action("turn", {}))]})[task.prompt]
    assert found["reward"] == 0.0 and "the code is [secret]" in json.dumps(found["error"])
    assert task.secret["code"] not in json.dumps(found, default=str)
    assert not env._offers[0].live


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "verifiers", None)
    monkeypatch.delitem(sys.modules, "engine.serve_env.verifiers_env", raising=False)
    with pytest.raises(UsageError, match=r"pip install 'treegraft\[verifiers\]'"):
        treegraft.load_environment("bird")
