"""Worlds and policies for tests of the search. They keep the real contracts; nothing is patched."""

from collections.abc import Sequence

from environments import NO_ARGUMENTS, Action, Outcome, Task, Tool, ToolEnv
from search import ROOT, Call, Proposal, Request, Usage

GO = Tool(
    "go",
    "Take an arm.",
    {
        "type": "object",
        "properties": {"arm": {"type": "integer"}},
        "required": ["arm"],
        "additionalProperties": False,
    },
)


class ArmsEnv(ToolEnv):
    """A complete tree of depth `depth`: `go(arm)` until the end; one leaf wins.

    A task's secret is the winning path; `give_up_leaves` makes every other leaf a dead end that
    ends the episode, instead of one that the depth limit cuts.
    """

    tools = (GO, Tool("give_up", "End.", NO_ARGUMENTS))
    instructions = "Find the leaf."
    depth = 3
    width = 2

    def load_tasks(self) -> Sequence[Task]:
        return [Task("arms", "Go.", {"path": [self.width - 1] * self.depth})]

    def begin(self, task: Task) -> None:
        self.path: tuple[int, ...] = ()

    def act(self, action: Action) -> Outcome:
        self.path += (action.arguments["arm"],)
        if len(self.path) < self.depth:
            return Outcome(f"at {self.path}")
        won = list(self.path) == list(self.task.secret["path"]) if self.task else False
        return Outcome("the end", float(won), terminated=True)

    def solution(self, task: Task) -> list[Action]:
        return [go(arm) for arm in task.secret["path"]]

    def save(self) -> tuple[int, ...]:
        return self.path

    def load(self, state: tuple[int, ...]) -> None:
        self.path = state


def go(arm: int) -> Action:
    return Action("go", {"arm": arm})


class Arms:
    """Proposes the arms that were not tried yet, in order. Each request costs 1 call, 10 tokens.

    `script`, if given, is what each request is answered with, in order, instead
    (no more of it than was asked for).
    """

    name = "arms"

    def __init__(self, width: int = 2, script: Sequence[Sequence[Action]] = ()) -> None:
        self.width, self.script = width, list(script)
        self.requests: list[tuple[tuple[str, ...], tuple[str, ...], int, int]] = []

    async def propose(self, request: Request) -> Proposal:
        known = tuple(step.action.key for step in request.tried)
        path = tuple(step.action.key for step in request.path)
        self.requests.append((path, known, request.count, request.attempt))
        if self.script:
            actions = tuple(self.script.pop(0)[: request.count])
        else:
            fresh = [go(arm) for arm in range(self.width) if go(arm).key not in known]
            actions = tuple((fresh or [go(0)])[: request.count])
        call = Call(ROOT, f"request-{len(self.requests)}", Usage(1, 8, 2))
        return Proposal(actions, (call,))
