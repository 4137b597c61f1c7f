"""Environments of OpenEnv for tests: written as its users write them. Needs `openenv`."""

import itertools
import time
from typing import Any

from fastmcp import FastMCP
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.mcp_environment import MCPEnvironment
from openenv.core.env_server.types import Action, Observation, State

COUNTER = itertools.count()


class Guess(Action):
    number: int


class Seen(Observation):
    text: str = ""


class Game(Environment[Guess, Seen, State]):
    """A number from 0 to 4 is to be guessed; it is the seed's. Names its own tasks."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, index: int = 0, **_: Any
    ) -> Seen:
        self.number, self.tries = seed if seed is not None else index, 0
        return Seen(text="Guess a number from 0 to 4.")

    def step(self, action: Guess, timeout_s: float | None = None, **_: Any) -> Seen:
        self.tries += 1
        if action.number > 100:
            raise ValueError(f"{action.number} is far away")
        right = action.number == self.number
        text = f"guess {self.tries} is {'right' if right else 'wrong'}"
        return Seen(text=text, done=right, reward=1.0 if right else -1.0)

    @property
    def state(self) -> State:
        return State(step_count=self.tries)

    def list_splits(self) -> list[str]:
        return ["train", "test"]

    def num_tasks(self, split: str) -> int:
        return {"train": 3, "test": 2}[split]

    def list_tasks(self, split: str) -> list[dict[str, Any]]:
        return [self.get_task(split, index) for index in range(self.num_tasks(split))]

    def get_task(self, split: str, index: int) -> dict[str, Any]:
        return {"id": f"guess-{split}-{index}", "prompt": f"Guess number {index}."}


class Clock(Game):
    """Shows another number each time."""

    def step(self, action: Guess, timeout_s: float | None = None, **_: Any) -> Seen:
        return Seen(text=f"tick {next(COUNTER)}")


class Sleeper(Game):
    """Does not return from a step."""

    def step(self, action: Guess, timeout_s: float | None = None, **_: Any) -> Seen:
        time.sleep(3)
        return Seen()


class Untyped(Game):
    """Does not say what its actions are."""

    def step(self, action, timeout_s=None, **_):  # type: ignore[no-untyped-def]
        return Seen(text="played")


Untyped.__orig_bases__ = ()  # type: ignore[attr-defined]  # `Game` names the class of actions


class Calculator(MCPEnvironment):
    """Tools of MCP: a sum that is to reach a number."""

    def __init__(self) -> None:
        server: Any = FastMCP("calculator")
        self.total = 0

        @server.tool()
        def add(number: int) -> str:
            """Add a number."""
            self.total += number
            return f"the sum is {self.total}"

        @server.tool()
        def half() -> dict[str, float]:
            """Show half of the sum."""
            if self.total == 0:
                raise ValueError("there is no sum yet")
            return {"half": self.total / 2}

        super().__init__(server)

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **_: Any
    ) -> Observation:
        self.total = seed or 0
        return Observation(metadata={"status": "ready"})

    def _step_impl(self, action: Action, timeout_s: float | None = None, **_: Any) -> Observation:
        raise ValueError(f"no action {action!r}")

    @property
    def state(self) -> State:
        return State()
