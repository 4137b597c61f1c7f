"""DFSDT against its reference, ToolBench's DFS.py, on complete trees with a policy that is known.

    python benchmarks/search.py [--quick]

A task is a complete tree of `width` arms and `depth` levels, with one tool, go(arm); one leaf wins.
The policy is a chat server over HTTP. It recovers the path from the messages that it is sent, and
answers arm n (mod width) on its n-th visit of a path, each choice of a request being a visit; with
probability p it says again what it said last. Ours runs as `engine explore` runs it: template,
journal, budget, endpoint. Tokens are ceil(characters / 4) of messages and tool schemas as JSON; our
instructions are padded to the 899 characters of the reference's system message.

The reference's figures are those of its unmodified code (OpenBMB/ToolBench,
toolbench/inference/Algorithms/DFS.py) under the same policy. Rows differ in these ways:

give-up leaves: a leaf does not end the path; there the policy calls finish where it won, else
    give_up. Both searches go up 2 levels after a give-up (`--backtrack 2`).
pairwise filter: siblings are compared both ways round by a judge who always says "A", so that
    the order stays (`--rank`).
exact budget: as many requests as the search needs, and no more.
repeats: 200 tasks, no bound on requests; everything else by default.

Exit status 1: a goal was missed.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, Literal

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # beside us, `search` is this file

from engine.chat.base import Chat
from engine.chat.budget import Budget, BudgetedChat
from engine.chat.endpoint import Endpoint
from engine.chat.journal import CachedChat, Journal
from engine.config import Config, config_of
from engine.executors.local import Local
from engine.runs.explore import explore
from engine.runs.store import Store
from environments import NO_ARGUMENTS, Action, Outcome, Task, Tool, ToolEnv
from search import Tree
from tests.support.chat_server import ChatServer

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
FINISH = Tool("finish", "Answer: the path has reached its goal.", NO_ARGUMENTS)
GIVE_UP = Tool("give_up", "End the task without an answer.", NO_ARGUMENTS)
PADDING = "." * 200
Siblings = Literal["diverse", "sample"]


class Complete(ToolEnv):
    """wins: the arm that leads to the winning leaf at every level.   finish: leaves do not end a
    path.   number: of tasks.   seconds: that a step takes."""

    instructions = "Find the leaf that wins: take one arm after another.".ljust(899, ".")

    def __init__(
        self,
        *,
        depth: int = 4,
        width: int = 2,
        wins: int = 1,
        finish: bool = False,
        number: int = 1,
        seconds: float = 0.0,
        **common: Any,
    ) -> None:
        self.tools = (GO, FINISH, GIVE_UP) if finish else (GO,)
        super().__init__(**common)
        self.depth, self.width, self.wins, self.finish = depth, width, wins, finish
        self.number, self.seconds = number, seconds

    def load_tasks(self) -> Sequence[Task]:
        return [Task(f"tree-{n}", f"Tree {n}: find the leaf.") for n in range(self.number)]

    def begin(self, task: Task) -> None:
        self.path: tuple[int, ...] = ()

    def act(self, action: Action) -> Outcome:
        time.sleep(self.seconds)
        won = self.path == (self.wins,) * self.depth
        if action.tool == "finish":
            return Outcome("finished", float(won), terminated=True)
        if len(self.path) == self.depth:
            return Outcome("there are no more arms", info={"error": "leaf"})
        self.path += (action.arguments["arm"],)
        won = self.path == (self.wins,) * self.depth
        place = f"{self.path}{' won' if won else ' end' if len(self.path) == self.depth else ''}"
        ended = len(self.path) == self.depth and not self.finish
        return Outcome(f"{place} {PADDING}", float(won and ended), terminated=ended)

    def solution(self, task: Task) -> list[Action]:
        path = [Action("go", {"arm": self.wins})] * self.depth
        return [*path, Action("finish", {})] if self.finish else path

    def save(self) -> tuple[int, ...]:
        return self.path

    def load(self, state: tuple[int, ...]) -> None:
        self.path = state


class ArmPolicy:
    """The policy, as a reply of `ChatServer`.   repeats: how likely it repeats itself."""

    def __init__(self, width: int, repeats: float) -> None:
        self.width, self.repeats = width, repeats
        self.visits: Counter[tuple[Any, ...]] = Counter()
        self.said: dict[tuple[Any, ...], int] = {}

    def __call__(self, request: dict[str, Any]) -> Any:
        if request.get("tool_choice") == "none":
            return "Better: A"
        messages = request["messages"]
        calls = [
            message["tool_calls"][0]["function"] for message in messages if "tool_calls" in message
        ]
        path = tuple(json.loads(call["arguments"])["arm"] for call in calls)
        seen = messages[-1 if messages[-1]["role"] == "tool" else -2]["content"]
        if seen.endswith(f" end {PADDING}"):
            return [_call("give_up")] * request.get("n", 1)
        if seen.endswith(f" won {PADDING}"):
            return [_call("finish")] * request.get("n", 1)
        place = (messages[1]["content"].partition(":")[0], *path)
        return [_call("go", arm=self._arm(place)) for _ in range(request.get("n", 1))]

    def _arm(self, place: tuple[Any, ...]) -> int:
        visit = self.visits[place]
        self.visits[place] += 1
        again = visit and Random(f"{place} {visit}").random() < self.repeats
        if not again:
            self.said[place] = visit % self.width
        return self.said[place]


def _call(name: str, **arguments: int) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    called = {"id": "call", "type": "function", "function": function}
    return {"role": "assistant", "content": "", "tool_calls": [called]}


@dataclass(frozen=True)
class Row:
    """name, reference: as printed.   tree: options of `Complete`.   how: of `Config`.
    repeats: of the policy.   exact: requests that each kind of siblings may make."""

    name: str
    reference: str
    tree: Mapping[str, Any] = field(default_factory=dict)
    how: Mapping[str, Any] = field(default_factory=dict)
    repeats: float = 0.0
    exact: Mapping[str, int] = field(default_factory=dict)


DEEP = {"depth": 6}
MANY = {"number": 200}
ROWS = (
    Row("depth 4, width 2, last leaf wins", "30 requests, 21,704 tokens"),
    Row("first leaf wins", "4 requests, 2,006 tokens", {"wins": 0}),
    Row(
        "give-up leaves, last wins",
        "46 requests, 33,703 tokens",
        {"finish": True},
        {"backtrack": 2},
    ),
    Row("pairwise filter, last leaf wins", "60 requests", {}, {"rank": True}),
    Row(
        "depth 4, width 3, last leaf wins", "120 requests, 100,262 tokens", {"width": 3, "wins": 2}
    ),
    Row("depth 6, width 2, last leaf wins", "126 requests, 114,568 tokens", DEEP),
    Row("exact budget", "lost (30 of 30)", exact={"diverse": 30, "sample": 15}),
    Row("repeats, p = .136", "119 of 200 solved", MANY, repeats=0.136),
    Row("repeats, p = .3", "48 of 200 solved", MANY, repeats=0.3),
)
REFERENCE_SECONDS = 13.7


@dataclass(frozen=True)
class Result:
    """Of the tasks of one row: sums."""

    tasks: int
    solved: int
    requests: int
    tokens: int
    seconds: float

    def __str__(self) -> str:
        if self.tasks > 1:
            mean = self.requests / self.tasks
            return f"{self.solved} of {self.tasks} solved, {mean:.1f} requests each"
        what = f"{self.requests} requests, {self.tokens:,} tokens"
        return what if self.solved else f"lost ({what})"


def measured(row: Row, siblings: Siblings, *, at_once: int = 64, latency: float = 0.0) -> Result:
    """Search the tasks of a row, in a run and over a journal of their own."""
    width = row.tree.get("width", 2)
    config = config_of(
        {
            "env": f"{__name__}:Complete"
            if __name__ != "__main__"
            else "benchmarks.search:Complete",
            "env_args": row.tree,
            "teacher": "arms",
            "siblings": siblings,
            "width": width,
            "depth": 12,
            "task_budget_calls": row.exact.get(siblings),
            **row.how,
        }
    )
    with ChatServer(ArmPolicy(width, row.repeats), latency=latency) as server, _folder() as folder:
        seconds = asyncio.run(_explored(config, server.base_url, folder, at_once))
        with Store.open(folder / "run") as store:
            trees = list(store.trees())
    return _result(trees, seconds)


async def _explored(config: Config, base_url: str, folder: Path, at_once: int) -> float:
    """Seconds that exploring took."""
    endpoint = Endpoint(base_url, concurrency=at_once)
    with Journal(folder / "journal.db") as journal:
        chat: Chat = CachedChat(BudgetedChat(endpoint, Budget()), journal)
        try:
            tasks = Complete(**config.options).tasks
            began = time.perf_counter()
            await explore(config, tasks, folder / "run", Local(chat, at_once))
            return time.perf_counter() - began
        finally:
            await endpoint.aclose()


def _result(trees: Sequence[Tree], seconds: float) -> Result:
    used = [tree.usage for tree in trees]
    return Result(
        len(trees),
        sum(tree.solved for tree in trees),
        sum(usage.calls for usage in used),
        sum(usage.prompt_tokens for usage in used),
        seconds,
    )


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def together(siblings: Siblings, number: int) -> tuple[float, float]:
    """Seconds of `number` tasks at once, and of one alone, each as long as any other: medians of 5
    runs in turn. 50 ms a request, 5 ms a step."""
    tree = {"number": number, "seconds": 0.005}
    many, one = Row("", "", tree), Row("", "", {**tree, "number": 1})
    once, alone = [], []
    for _ in range(5):
        once.append(measured(many, siblings, at_once=number, latency=0.05).seconds)
        alone.append(measured(one, siblings, at_once=1, latency=0.05).seconds)
    return statistics.median(once), statistics.median(alone)


def goals(found: Mapping[tuple[str, Siblings], Result]) -> Iterator[tuple[str, bool]]:
    """What was to be reached, and whether it was."""
    first, deep = found[ROWS[0].name, "sample"], found[ROWS[5].name, "sample"]
    yield "15 requests, 8,700 tokens at depth 4", first.requests <= 15 and first.tokens <= 8700
    yield "63 requests, 48,000 tokens at depth 6", deep.requests <= 63 and deep.tokens <= 48000
    for row in ROWS:
        for siblings in ("diverse", "sample"):
            result = found[row.name, siblings]
            yield f"{row.name}, {siblings}: solved", result.solved == result.tasks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="20 tasks instead of 200")
    quick = parser.parse_args().quick
    print(f"Machine: {os.cpu_count()} cores, kernel {platform.release()}")
    print(f"Command: python benchmarks/search.py{' --quick' if quick else ''}\n")
    print("| | reference | diverse | sample |\n|---|---|---|---|")
    found: dict[tuple[str, Siblings], Result] = {}
    for row in ROWS:
        if quick and row.repeats:
            row = replace(row, tree={"number": 20})
        for siblings in ("diverse", "sample"):
            found[row.name, siblings] = measured(row, siblings)
        ours = " | ".join(str(found[row.name, siblings]) for siblings in ("diverse", "sample"))
        print(f"| {row.name} | {row.reference} | {ours} |", flush=True)
    reached = list(goals(found))
    seconds = []
    for siblings in ("diverse", "sample"):
        all_, one = together(siblings, 8)
        seconds.append(f"{all_:.2f} s; one alone {one:.2f} s")
        reached.append((f"8 tasks within 1.3 times one alone, {siblings}", all_ <= 1.3 * one))
    print(
        f"| 8 tasks, 50 ms a request, 5 ms a step | {REFERENCE_SECONDS} s | {' | '.join(seconds)} |"
    )
    print()
    for goal, met in reached:
        print(f"{'ok  ' if met else 'FAIL'}  {goal}")
    sys.exit(not all(met for _, met in reached))


if __name__ == "__main__":
    main()
