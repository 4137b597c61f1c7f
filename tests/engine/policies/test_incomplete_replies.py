"""Replies that are not complete: asked for again, never played, never trained, always counted."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.chat.base import LOCAL, ChatReply, ChatRequest
from engine.chat.incomplete import asked_again, incomplete, why_incomplete
from engine.chat.journal import request_key
from engine.export.export import ExportSettings, export_rows
from engine.export.filters import Counts, Filters
from engine.policies.judge import ModelJudge
from engine.policies.student_first import StudentFirst
from engine.policies.teacher import Teacher
from engine.runs.build_executor import Resources, RunBudget
from engine.runs.stats import stats
from engine.runs.store import Store
from engine.templates import get
from engine.templates.base import Message, World
from environments import Step
from search import BudgetSpent, PolicyError, Request, Tree, Usage
from search.tree import STUDENT
from tests.support.chat_server import ChatServer, Json
from tests.support.configs import make_config, run
from tests.support.fakes import ArmsEnv, go

ENV = "tests.support.fakes:ArmsEnv"
REACT = 'Thought: hm\nAction: go\nAction Input: {"arm": 1}'


@pytest.mark.parametrize(
    ("finish", "message", "reason"),
    [
        *((finish, {"content": "x"}, "") for finish in ("", "stop", "STOP", "tool_calls", "eos")),
        *(
            (finish, {"content": "x"}, "length")
            for finish in ("length", "max_tokens", "MAX_TOKENS")
        ),
        ("content_filter", {"content": "x"}, "content_filter"),
        *((finish, {"content": "x"}, finish) for finish in ("error", "abort", "network_error")),
        ("stop", {"content": None, "reasoning_content": "hm"}, "only_reasoning"),
        ("stop", {"content": " ", "reasoning": "hm"}, "only_reasoning"),
        ("stop", {"content": "<think>hm</think>\n"}, "only_reasoning"),
        ("stop", {"content": "<think>hm"}, "only_reasoning"),
        ("stop", {"content": "hm</think>"}, "only_reasoning"),
        ("stop", {"content": "<think>hm</think> go"}, ""),
        ("stop", {"content": "", "reasoning": "hm", "tool_calls": [{}]}, ""),
        ("stop", {"content": ""}, ""),
    ],
)
def test_why_a_reply_is_not_complete(finish: str, message: Message, reason: str) -> None:
    assert why_incomplete(message, finish) == reason


def test_a_repeated_request_is_another_one_for_the_journal() -> None:
    """Also than those that a search makes in the same state."""
    first = ChatRequest("m", [], [], {"seed": 3, "n": 4, "stop": ["x"]})
    repeated = [asked_again(first, number, choices=2) for number in (1, 2)]
    assert [one.sampling["n"] for one in repeated] == [2, 2]
    assert "n" not in asked_again(first, 1).sampling
    attempts = [ChatRequest("m", [], [], first.sampling, attempt) for attempt in range(20)]
    keys = {request_key("u", one) for one in [*attempts, *repeated]}
    assert len(keys) == 22 and len({one.sampling["seed"] for one in repeated}) == 2


def answers(*finish: str, text: str = REACT) -> Callable[[Json], Json]:
    """Answer `text` to every request, ended for one of these reasons after the other."""
    left = list(finish)

    def answer(request: Json) -> Json:
        message = {"role": "assistant", "content": text}
        choices = [
            {"message": message, "finish_reason": left.pop(0) if len(left) > 1 else left[0]}
            for _ in range(request.get("n", 1))
        ]
        return {"choices": choices, "usage": {"prompt_tokens": 10, "completion_tokens": 2}}

    return answer


def explore(server: ChatServer, out: Path, budget: RunBudget | None = None, **more: Any) -> Tree:
    config = make_config(ENV, teacher="t", base_url=server.base_url, template="react", **more)
    run(config, out, resources=Resources(concurrency=1), budget=budget or RunBudget())
    with Store.open(out) as store:
        return next(store.trees())


def test_a_reply_that_was_cut_off_is_asked_for_again(tmp_path: Path) -> None:
    with ChatServer(answers("length", "stop", "max_tokens", "content_filter", "stop")) as server:
        tree = explore(server, tmp_path / "r")
    assert tree.solved and len(tree.nodes) == 3 and not any(n.step.info for n in tree.nodes)
    assert len(server.requests) == tree.usage.calls == 6
    assert len({call.request for call in tree.calls}) == 6
    with Store.open(tmp_path / "r") as store:
        assert stats(store).to_dict()["incomplete"] == {"length": 2, "content_filter": 1}


@pytest.mark.parametrize(("retries", "asked"), [(4, 3), (1, 2), (0, 1)])
def test_else_it_is_kept_and_is_no_call(tmp_path: Path, retries: int, asked: int) -> None:
    """Although its text holds a call: it might have been meant to go on."""
    with ChatServer(answers("length")) as server:
        tree = explore(server, tmp_path / "r", search="react", width=1, depth=1, retries=retries)
    [node] = tree.nodes
    assert (node.step.action.tool, node.step.action.thought) == ("", REACT)
    assert node.step.info["finish"] == node.step.incomplete == "length"
    assert "token limit" in node.step.observation and len(server.requests) == asked
    assert tree.calls[-1].incomplete == "length" and tree.usage.calls == asked


@pytest.mark.parametrize("budget", [{"task_budget_calls": 2}, {"task_budget_tokens": 15}])
def test_a_repeated_request_keeps_the_tasks_budget(tmp_path: Path, budget: dict[str, int]) -> None:
    with ChatServer(answers("length")) as server:
        tree = explore(server, tmp_path / "r", search="react", width=1, **budget)
    assert len(server.requests) == tree.usage.calls == 2 and len(tree.nodes) == 1


def test_what_was_paid_for_is_not_paid_again_when_the_run_goes_on(tmp_path: Path) -> None:
    with ChatServer(answers("length", "stop")) as server:
        tree = explore(server, tmp_path / "r", RunBudget(calls=1))
        assert (tree.stopped, tree.nodes) == ("budget", [])
        assert [call.incomplete for call in tree.calls] == ["length"]
        tree = explore(server, tmp_path / "r", RunBudget(calls=9))
        whole = explore(server, tmp_path / "undisturbed")
    assert tree.solved and len(server.requests) == tree.usage.calls == 4
    assert [node.step for node in whole.nodes] == [node.step for node in tree.nodes]


def test_of_several_choices_only_those_cut_off_are_asked_for_again(tmp_path: Path) -> None:
    def answer(request: Json) -> Json:
        arms = [0, 1, 2] if "n" in request else [5]
        texts = [REACT.replace("1", str(arm)) for arm in arms]
        choices = [
            {"message": {"content": text}, "finish_reason": "length" if arm == 1 else "stop"}
            for arm, text in zip(arms, texts, strict=True)
        ]
        return {"choices": choices}

    with ChatServer(answer) as server:
        tree = explore(server, tmp_path / "r", siblings="sample", width=3, depth=1)
    assert [request.get("n", 1) for request in server.requests] == [3, 1]
    assert [node.step.action.arguments["arm"] for node in tree.nodes] == [0, 5, 2]
    assert [call.incomplete for call in tree.calls] == ["length", ""]


class Replies:
    """A chat that gives these replies: a text and why it ended; or raises."""

    base_url = "process:replies"

    def __init__(self, *replies: tuple[str, str] | Exception) -> None:
        self.replies, self.requests = list(replies), []

    async def complete(self, request: ChatRequest) -> ChatReply:
        self.requests.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        message = {"role": "assistant", "content": reply[0]}
        return ChatReply((message,), Usage(1, 5, 5), finish=(reply[1],), logprobs=(-0.01,))


def teacher(*replies: tuple[str, str] | Exception, temperature: float = 1.0) -> Teacher:
    sampling = {"temperature": temperature}
    return Teacher(Replies(*replies), get("react"), World("", ArmsEnv().tools), "t", sampling)


CUT, WHOLE = (REACT, "length"), (REACT, "stop")


async def test_a_student_that_is_cut_off_is_asked_again_then_overruled() -> None:
    task = ArmsEnv().tasks[0]
    policy = StudentFirst(teacher(CUT, WHOLE), teacher(), ["go"])
    proposal = await policy.propose(Request(task))
    assert (proposal.actor, proposal.actions[0].key) == (STUDENT, go(1).key)
    assert [call.kind for call in proposal.calls] == ["student", "student"]
    policy = StudentFirst(teacher(CUT, CUT, CUT), teacher(WHOLE), ["go"])
    proposal = await policy.propose(Request(task))
    assert (proposal.why, proposal.actions[0].key) == ("malformed", go(1).key)
    assert [call.kind for call in proposal.calls] == ["student"] * 3 + ["propose"]
    policy = StudentFirst(teacher(CUT, BudgetSpent("spent")), teacher(), ["go"])
    with pytest.raises(BudgetSpent) as spent:
        await policy.propose(Request(task))
    assert [call.kind for call in spent.value.calls] == ["student"]


async def test_the_teachers_repeats_count_what_its_student_spent() -> None:
    policy = StudentFirst(teacher(CUT, CUT, CUT), teacher(CUT, WHOLE), ["go"])
    request = Request(ArmsEnv().tasks[0], affords=lambda spent: spent.calls < 4)
    proposal = await policy.propose(request)
    assert len(proposal.calls) == 4 and proposal.actions[0].reply == {"finish": "length"}


async def test_a_repeat_that_fails_leaves_what_was_paid_for() -> None:
    proposal = await teacher(CUT, PolicyError("gone")).propose(Request(ArmsEnv().tasks[0]))
    assert len(proposal.calls) == 1 and proposal.actions[0].reply == {"finish": "length"}


async def test_a_greedy_model_in_this_process_would_say_the_same_again() -> None:
    greedy = teacher(CUT, temperature=0)
    greedy.chat.base_url = f"{LOCAL}m"
    proposal = await greedy.propose(Request(ArmsEnv().tasks[0]))
    assert proposal.calls[0].incomplete == "length"


async def test_a_judgement_that_is_cut_off_is_asked_for_again() -> None:
    """Half a judgement counts as an unreadable one, although a score stands in it."""
    task, path = ArmsEnv().tasks[0], [Step(go(0), "at")]
    judge = ModelJudge(teacher(("Score: 8, because", "length"), ("Score: 3", "stop")))
    first = await judge.value(task, path)
    assert (first.result, first.incomplete) == (0.0, "length") and first.again
    second = await first.again()
    assert (second.result, second.incomplete, second.again) == (0.3, "", None)


def test_a_search_asks_its_judge_again_and_keeps_the_budget(tmp_path: Path) -> None:
    judged: list[str] = []

    def answer(request: Json) -> Json:
        if "Score: N" not in json.dumps(request["messages"]):
            # An arm that was not tried, so that the beam has something to choose from.
            tried = "Make a different call" in json.dumps(request["messages"])
            return answers("stop", text=REACT.replace("1", str(int(tried))))(request)
        judged.append("length" if len(judged) % 2 == 0 else "stop")
        return answers(judged[-1], text="Score: 5")(request)

    with ChatServer(answer) as server:
        tree = explore(server, tmp_path / "r", search="beam", beam_size=1, depth=2)
        few = explore(server, tmp_path / "s", search="beam", beam_size=1, task_budget_calls=3)
    kinds = [(call.kind, call.incomplete) for call in tree.calls if call.kind == "value"]
    assert kinds[:4] == [("value", "length"), ("value", "")] * 2
    assert few.usage.calls == 3 and few.stopped == "calls"


def test_rows_do_not_train_what_was_cut_off(tmp_path: Path) -> None:
    """Weight 0 in SFT rows; no half of a pair begins with it; formats without weights skip it."""

    def answer(request: Json) -> Json:
        said = [m for m in request["messages"] if m["role"] == "assistant"]
        if not said:
            return answers("length", text="Thought: I will take the")(request)
        arm = 0 if "different call" in json.dumps(request["messages"]) else 1
        return answers("stop", text=REACT.replace("1", str(arm)))(request)

    with ChatServer(answer) as server:
        explore(server, tmp_path / "r", depth=4, width=2, max_solutions=2)
    [row] = export_rows([tmp_path / "r"], ExportSettings("sft", Filters(per_task=1)))
    weights = [m.get("weight") for m in row["messages"] if m["role"] == "assistant"]
    assert weights == [0, None, None, None]
    for kind in ("step", "trajectory"):
        for row in export_rows([tmp_path / "r"], ExportSettings("dpo", pairs=kind)):
            halves = [*row["chosen"][:1], *row["rejected"][:1]]
            assert not any("weight" in message for message in halves)
            assert [m.get("weight") for m in row["prompt"]][:3] == [None, None, 0]
    counts = Counts()
    settings = ExportSettings("sft", templates=("toolllama",), format="toolbench")
    assert (
        not list(export_rows([tmp_path / "r"], settings, counts)) and counts.dropped["incomplete"]
    )


def test_reasons_belong_to_their_choices() -> None:
    messages = ({"content": "a"}, {"content": "b"})
    assert incomplete(ChatReply(messages, Usage(), finish=("length",))) == ["length", ""]
