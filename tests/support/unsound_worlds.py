"""Small worlds, each with one defect that makes wrong trees.

All are a basket: `put` adds a number to it, `weigh` ends the task and is right if the sum is.
"""

import random
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from environments import GIVE_UP, NO_ARGUMENTS, Action, Outcome, Task, Tool, ToolEnv

NUMBER = {
    "type": "object",
    "properties": {"numbers": {"type": "array", "items": {"type": "integer"}}},
    "required": ["numbers"],
    "additionalProperties": False,
}
WORDS = frozenset(f"word{n}" for n in range(12))


class Basket(ToolEnv):
    """Nothing is wrong with it."""

    tools = (
        Tool("put", "Put numbers in.", NUMBER),
        Tool("weigh", "The end.", NO_ARGUMENTS),
        GIVE_UP,
    )
    instructions = "Put in numbers."
    numbers: list[int]

    def load_tasks(self) -> Sequence[Task]:
        return [
            Task(f"sum-{n}", f"Put in {n}, {n}, {n}.", {"sum": 111 * n}, {"numbers": []}, group="a")
            for n in (111, 222, 333)
        ]

    def begin(self, task: Task) -> None:
        self.numbers = []

    def act(self, action: Action) -> Outcome:
        assert self.task is not None
        if action.tool == "put":
            self.numbers += action.arguments["numbers"]
            return self.put()
        right = sum(self.numbers) * 37 == self.task.secret["sum"]
        return Outcome("weighed", float(right), terminated=True)

    def put(self) -> Outcome:
        return Outcome(f"{len(self.numbers)} numbers")

    def save(self) -> Any:
        return list(self.numbers)

    def load(self, state: Any) -> None:
        self.numbers = list(state)

    def solution(self, task: Task) -> list[Action] | None:
        number = task.secret["sum"] // 111
        return [*(Action("put", {"numbers": [number]}) for _ in range(3)), Action("weigh", {})]

    def mistakes(self, task: Task, action: Action) -> list[Action]:
        return [Action("put", {"numbers": [5]})] if action.tool == "put" else []


class Forgets(Basket):
    """Its state is not saved."""

    save, load = ToolEnv.save, ToolEnv.load


class ForgetsQuietly(Forgets):
    """Nor does it show before the end."""

    def put(self) -> Outcome:
        return Outcome("done")


class SharesItsState(Basket):
    """Later actions change what `save` returned."""

    def save(self) -> Any:
        return self.numbers


class SharesTheSnapshot(Basket):
    """Actions after `load` change the snapshot."""

    def load(self, state: Any) -> None:
        self.numbers = state


class SavesTooLittle(Basket):
    """What `save` returns cannot change, and is not all."""

    def save(self) -> Any:
        return tuple(self.numbers[:1])


class TellsTheTime(Basket):
    def put(self) -> Outcome:
        return Outcome(f"put at {time.time():.6f}")


class TellsSeconds(Basket):
    def put(self) -> Outcome:
        return Outcome(f"put at {int(time.time())}")


class Draws(Basket):
    """It draws without a seed."""

    def put(self) -> Outcome:
        return Outcome(f"your lucky number is {random.randrange(10**6)}")


class CountsOn(Basket):
    """`begin` does not set up all."""

    puts = 0

    def put(self) -> Outcome:
        self.puts = min(self.puts + 1, 4)
        return Outcome(f"{self.puts} so far")


class ChangesTheTask(Basket):
    """It acts on the list that belongs to the task."""

    def begin(self, task: Task) -> None:
        self.numbers = task.details["numbers"]


class KeepsArguments(Basket):
    """What it keeps of an action it changes later: that is allowed, and must harm nothing."""

    kept: list[int] = []

    def act(self, action: Action) -> Outcome:
        outcome = super().act(action)
        if action.tool == "put":
            self.kept = action.arguments["numbers"]
            self.kept.append(0)
        return outcome


class DiffersElsewhere(Basket):
    """Each task differs between two processes in a way of its own."""

    def load_tasks(self) -> Sequence[Task]:
        order = "-".join(WORDS)
        texts = {"set": "x", "zone": "x", "fine": "x", "prompt": order, "solution": "x"}
        ids = [*texts, f"id-{order}"]
        return [Task(id, texts.get(id, "x"), {"sum": 111 * 111}, {"numbers": []}) for id in ids]

    def put(self) -> Outcome:
        assert self.task is not None
        match self.task.id:
            case "set":
                return Outcome(", ".join(WORDS))
            case "zone":
                return Outcome(f"it is {datetime.now():%H:%M}")
        return Outcome("done")

    def solution(self, task: Task) -> list[Action] | None:
        found = super().solution(task)
        if found and task.id == "solution":
            order = [int(word.removeprefix("word")) for word in WORDS]
            return [Action("put", {"numbers": [*order, -sum(order)]}), *found]
        return found
