"""The teacher's judge, over a real server: what it is asked, what is made of its answers."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.chat.base import ChatReply
from engine.policies.demonstration import DemonstrationPolicy
from engine.policies.judge import COMPARE, REFLECT, VALUE, ModelJudge
from engine.policies.teacher import LESSONS, Teacher
from engine.runs.codec import tree_to_dict
from engine.runs.run import Resources
from engine.runs.store import Store
from engine.templates import get
from engine.templates.base import World
from environments import NO_ARGUMENTS, Action, Outcome, Step, Task, Tool, ToolEnv
from search import Tree, Usage
from tests.support.chat_server import ChatServer
from tests.support.configs import make_config, run
from tests.support.fakes import ArmsEnv, go

ENV = "tests.support.fakes:ArmsEnv"
LESSON = "Do not begin with the left arm, as it ends nowhere."


def call(name: str, thought: str = "hm", **arguments) -> dict:
    function = {"name": name, "arguments": json.dumps(arguments)}
    called = {"id": "x", "type": "function", "function": function}
    return {"role": "assistant", "content": thought, "tool_calls": [called]}


def kind(request: dict) -> str:
    """Which question a request ends with, if any."""
    last = request["messages"][-1]["content"]
    return next((text for text in (VALUE, COMPARE, REFLECT) if text in last), "")


class Mind:
    """Both arms always; as judge, likes what has more right arms in it, or what is told."""

    def __init__(self, **answers: str) -> None:
        self.answers = answers

    def __call__(self, request: dict) -> str | Sequence[dict]:
        question = kind(request)
        if question == VALUE:
            rights = json.dumps(request["messages"]).count('\\"arm\\": 1')
            return self.answers.get("value", f"It is {rights} of 3. Score: {3 * rights}")
        if question == COMPARE:
            worse = "A: go {'arm': 0}" in request["messages"][-1]["content"]
            return self.answers.get("compare", f"Better: {'B' if worse else 'A'}")
        if question == REFLECT:
            return self.answers.get("reflect", LESSON)
        return [call("go", arm=arm) for arm in (0, 1)][: request.get("n", 1)]


def explore(server: ChatServer, out: Path, **changes) -> Tree:
    how = {"env": ENV, "siblings": "sample"} | changes
    config = make_config(teacher="t", base_url=server.base_url, **how)
    run(config, out, resources=Resources(concurrency=1))
    with Store.open(out) as store:
        (tree,) = store.trees()
    return tree


def questions(server: ChatServer, text: str) -> list[dict]:
    return [request for request in server.requests if kind(request) == text]


def test_values_lead_the_search(tmp_path):
    with ChatServer(Mind()) as server:
        tree = explore(server, tmp_path / "r", search="best_first")
    assert tree.solved and [node.parent for node in tree.nodes] == [0, 0, 2, 2, 4, 4]
    assert len(questions(server, VALUE)) == 4
    assert tree.usage.calls == len(server.requests) == 7  # the judge's are counted too


def test_a_question_is_the_conversation_and_one_message_more(tmp_path):
    """So prefix caches hit; and the model is told not to call a tool."""
    with ChatServer(Mind()) as server:
        explore(server, tmp_path / "r", search="best_first")
    for request in questions(server, VALUE):
        assert request["tool_choice"] == "none" and request["tools"] == server.requests[0]["tools"]
        assert request["messages"][:2] == server.requests[0]["messages"]
        assert [m["role"] for m in request["messages"][-2:]] == ["tool", "user"]


def test_text_templates_are_asked_without_a_stop(tmp_path):
    def reply(request: dict):
        if kind(request):
            return "Score: 5"
        n = request.get("n", 1)
        return [f'Thought: hm\nAction: go\nAction Input: {{"arm": {arm}}}' for arm in (0, 1)][:n]

    with ChatServer(reply) as server:
        tree = explore(server, tmp_path / "r", search="beam", beam_size=1, template="react")
    asked = questions(server, VALUE)
    assert asked and "stop" not in asked[0] and "tool_choice" not in asked[0]
    assert "stop" in server.requests[0] and tree.nodes
    roles = [message["role"] for message in asked[0]["messages"]]
    assert all(one != other for one, other in zip(roles, roles[1:], strict=False))


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("Score: 7", 0.7),
        ("score 3\n**Score:** 9.5", 0.95),
        ("SCORE = 40", 1.0),
        ("I cannot say.", 0.0),
        ("", 0.0),
    ],
)
async def test_scores_are_read(answer, value):
    judged = await judge_says(answer).value(TASK, [STEP])
    assert judged.result == value and judged.usage.calls == 1


@pytest.mark.parametrize(
    ("answer", "share"), [("Better: A", 1), ("A is bad. **Better: b**", 0), ("Neither.", 0.5)]
)
async def test_comparisons_are_read(answer, share):
    assert (await judge_says(answer).compare(TASK, [], STEP, STEP)).result == share


async def test_a_reflection_is_bounded():
    assert (await judge_says(" no \n").reflect(TASK, [STEP])).result == "no"
    assert len((await judge_says("x" * 5000).reflect(TASK, [STEP])).result) == 1000


def test_ranking_asks_both_ways_round(tmp_path):
    with ChatServer(Mind()) as server:
        tree = explore(server, tmp_path / "r", rank=True)
    assert tree.solved and [node.parent for node in tree.nodes] == [0, 0, 2, 2, 4, 4]
    asked = [request["messages"][-1]["content"] for request in questions(server, COMPARE)]
    assert len(asked) == 4 and asked[0].index("'arm': 0") < asked[0].index("'arm': 1")
    assert asked[1].index("'arm': 0") > asked[1].index("'arm': 1")


def test_lessons_reach_requests_and_stay_with_their_call(tmp_path):
    with ChatServer(Mind()) as server:
        tree = explore(server, tmp_path / "r", search="mcts", value="reward", reflections=2)
    told = [request for request in server.requests if LESSON in json.dumps(request)]
    assert len(questions(server, REFLECT)) == 2 and told
    assert all(LESSONS in request["messages"][-1]["content"] for request in told)
    assert [call.said for call in tree.calls if call.kind == "reflect"] == [LESSON] * 2
    assert not any(call.said for call in tree.calls if call.kind != "reflect")
    assert LESSON not in json.dumps(tree_to_dict(tree)["nodes"])
    kept = json.dumps(tree_to_dict(tree))
    for text in (LESSONS, REFLECT, VALUE):
        assert text not in kept
        for file in (tmp_path / "r").iterdir():
            assert text.encode() not in file.read_bytes()


class SayEnv(ToolEnv):
    """Wants to hear an exact text."""

    tools = (
        Tool("say", "Say.", {"type": "object", "properties": {"text": {"type": "string"}}}),
        Tool("give_up", "End.", NO_ARGUMENTS),
    )
    wanted = "SELECT '12:30': a, b: \"c\"\nAction: no: call"

    def load_tasks(self) -> Sequence[Task]:
        return [Task("say", "Say it.")]

    def act(self, action: Action) -> Outcome:
        return Outcome("ok", float(action.arguments["text"] == self.wanted), terminated=True)

    def solution(self, task: Task) -> list[Action]:
        return [Action("say", {"text": self.wanted})]


@pytest.mark.parametrize("template", ["native", "react"])
def test_no_action_is_cut_at_a_colon(template, tmp_path):
    """LATS takes `line.split(":")[1]` for the action."""
    thought = "Then: I say it. Action: not yet"

    def reply(request: dict):
        if kind(request):
            return "Score: 5"
        if template == "native":
            return call("say", thought, text=SayEnv.wanted)
        given = json.dumps({"text": SayEnv.wanted})
        return f"Thought: {thought}\nAction: say\nAction Input: {given}"

    with ChatServer(reply) as server:
        tree = explore(
            server, tmp_path / "r", env=f"{__name__}:SayEnv", search="mcts", template=template
        )
    assert tree.solved and tree.nodes[0].step.action == Action(
        "say", {"text": SayEnv.wanted}, thought
    )


async def test_the_demonstration_teacher_judges_by_the_solution():
    env = ArmsEnv()
    task = env.tasks[0]
    judge = DemonstrationPolicy(env)
    right, wrong = Step(go(1), "at"), Step(go(0), "at")
    for path, value in ([], 0), ([right], 1 / 3), ([wrong, right], 1 / 4), ([right] * 3, 1):
        assert (await judge.value(task, path)).result == value
    for one, other, share in (right, wrong, 1), (wrong, right, 0), (wrong, wrong, 0.5):
        judged = await judge.compare(task, [right], one, other)
        assert judged.result == share and judged.usage.calls == 0


TASK = ArmsEnv().tasks[0]
STEP = Step(go(0), "at")


def judge_says(answer: str) -> ModelJudge:
    """A `ModelJudge` over a chat model in this process."""

    class Says:
        base_url = "process:says"

        async def complete(self, request):
            return ChatReply(({"role": "assistant", "content": answer},), Usage(1, 1, 1))

    env = ArmsEnv()
    return ModelJudge(Teacher(Says(), get("native"), World("", env.tools), "t", {}))
