"""A world without solutions is explored by a model; what plays solutions refuses it."""

from collections.abc import Sequence

import pytest

from engine.config import Config
from engine.executors.local import Local
from engine.runs.explore import explore
from engine.runs.run import Resources
from engine.runs.store import Store
from environments import GIVE_UP, Action, Outcome, Task, Tool, ToolEnv
from tests.support.chat_server import ChatServer
from tests.support.commands import engine
from tests.support.configs import run
from tests.support.fakes import ArmsEnv

SAY = Tool(
    "say",
    "Say something kind. This ends the task.",
    {
        "type": "object",
        "properties": {"text": {"type": "string"}},
        "required": ["text"],
        "additionalProperties": False,
    },
)


class KindEnv(ToolEnv):
    """Graded by ear: nobody wrote the right answers down."""

    tools = (SAY, GIVE_UP)
    instructions = "Be kind."

    def load_tasks(self) -> Sequence[Task]:
        return [Task(f"kind-{n}", "Say something.") for n in range(2)]

    def act(self, action: Action) -> Outcome:
        return Outcome("thanks", float("kind" in action.arguments["text"]), terminated=True)


class HalfSolvedEnv(KindEnv):
    """Only the first task has a solution."""

    def solution(self, task: Task) -> list[Action] | None:
        return [Action("say", {"text": "kind"})] if task.id == "kind-0" else None


KIND = f"{__name__}:KindEnv"


def answer(request: dict) -> dict:
    function = {"name": "say", "arguments": '{"text": "how kind"}'}
    called = {"id": "1", "type": "function", "function": function}
    return {"role": "assistant", "content": "", "tool_calls": [called]}


def test_a_model_explores_a_world_without_solutions(tmp_path):
    with ChatServer(answer) as server:
        config = Config(env=KIND, teacher="t", base_url=server.base_url)
        found = run(config, tmp_path / "r", resources=Resources(concurrency=1))
    assert (found.solved, found.failed) == (2, 0)
    with Store.open(tmp_path / "r") as store:
        assert [tree.nodes[0].step.reward for tree in store.trees()] == [1.0, 1.0]


@pytest.mark.parametrize(
    "command",
    [("validate",), ("bench-env",), ("explore", "--teacher", "demonstration", "--out", "{out}")],
)
def test_what_plays_solutions_refuses_it_in_one_line(command, tmp_path):
    out = tmp_path / "r"
    flags = [flag.format(out=out) for flag in command]
    done = engine(*flags, "--env", KIND)
    assert done.returncode == 2 and not done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ") and "KindEnv" in line and "solution(task)" in line
    assert not out.exists()


async def test_a_task_without_a_solution_fails_alone(tmp_path):
    config = Config(env=f"{__name__}:HalfSolvedEnv", mistake_rate=0.0)
    found = await explore(config, HalfSolvedEnv().tasks, tmp_path / "r", Local(concurrency=1))
    assert (found.solved, found.failed) == (1, 1)
    with Store.open(tmp_path / "r") as store:
        assert "no solution for task 'kind-1'" in str(store.failures())


def test_a_class_that_defines_solution_needs_no_mixin():
    assert ArmsEnv().solution(ArmsEnv().tasks[0])
