"""A world in which each task goes wrong in a way of its own; the "fine" ones do not."""

import asyncio
import ctypes
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from environments import Action, Outcome, Task, ToolEnv
from sandbox import SandboxError
from tests.support.fakes import GO, go

SECRET = "SELECT the gold FROM mine"


class CannotBePickled(Exception):
    def __init__(self) -> None:
        super().__init__("it holds a lock")
        self.lock = multiprocessing.Event  # a bound method of a context
        self.held = lambda: self.lock


class CannotBeReadBack(Exception):
    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


class OwnSandboxError(SandboxError):
    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


class NoStringOfYours(str):
    def __reduce__(self) -> Any:
        return int, ("not a number",)


def throw(error: BaseException) -> Callable[[], Outcome]:
    def fault() -> Outcome:
        raise error

    return fault


def forever() -> Outcome:
    time.sleep(1e6)
    raise AssertionError


def deep() -> Outcome:
    return deep()


def returned(*values: Any, **more: Any) -> Callable[[], Outcome]:
    return lambda: Outcome(*values, **more)


def cycle() -> Outcome:
    info: dict[str, Any] = {}
    info["self"] = info
    return Outcome("x", info=info)


ACTS: dict[str, tuple[Callable[[], Any], str]] = {
    "value": (throw(ValueError("boom")), "ValueError"),
    "exit": (throw(SystemExit(3)), "SystemExit"),
    "interrupt": (throw(KeyboardInterrupt()), "KeyboardInterrupt"),
    "cancelled": (throw(asyncio.CancelledError()), "CancelledError"),
    "stop": (throw(StopIteration("end")), "StopIteration"),
    "generator": (throw(GeneratorExit()), "GeneratorExit"),
    "memory": (throw(MemoryError()), "MemoryError"),
    "deep": (deep, "RecursionError"),
    "group": (throw(ExceptionGroup("two", [ValueError("a"), KeyError("b")])), "ExceptionGroup"),
    "base": (throw(BaseException("bare")), "BaseException"),
    "unpicklable": (throw(CannotBePickled()), "CannotBePickled"),
    "unreadable": (throw(CannotBeReadBack("one", "two")), "CannotBeReadBack"),
    "unprintable": (throw(Unprintable()), "Unprintable"),
    "sandbox": (throw(OwnSandboxError("one", "two")), "OwnSandboxError"),
    "quotes": (throw(LookupError(f"wrong: {SECRET}")), "LookupError"),
    "nothing": (lambda: None, "BadOutcome"),
    "bytes": (returned(b"bytes"), "BadOutcome"),
    "str": (returned(NoStringOfYours("x"), 1.0, True), "ValueError"),
    "nan": (returned("x", float("nan"), True), "BadOutcome"),
    "reward": (returned("x", "much", True), "BadOutcome"),
    "info": (returned("x", info={"f": throw}), "BadOutcome"),
    "cycle": (cycle, "BadOutcome"),
    "hang": (forever, "CallHangs"),
}
"""What `act` does by task, and the kind of the failure."""


def leave_a_child() -> None:
    """End the process; a child that it forked holds all its pipes open."""
    if not os.fork():
        time.sleep(20)
    os._exit(3)


LETHAL: dict[str, Callable[[], Any]] = {
    "dies": leave_a_child,
    "segfault": lambda: ctypes.string_at(0),
}
METHODS = ("reset", "save", "load", "free")
FINE = ("fine-0", "fine-1", "fine-2")


class FaultyWorld(ToolEnv):
    """Two steps per task. `lethal` adds a task that kills its process."""

    tools = (GO,)
    call_seconds = 1.5

    def __init__(
        self, *, lethal: str = "", worker: str = "", instant: bool = False, **options: Any
    ) -> None:
        super().__init__(**options)
        self.lethal, self.instant = lethal, instant
        if worker and multiprocessing.parent_process() is not None:
            WORKER[worker]()

    def load_tasks(self) -> Sequence[Task]:
        names = [self.lethal, *FINE] if self.lethal else [*ACTS, *METHODS, "secret", *FINE]
        held: dict[str, Any] = {"secret": {"held": lambda: 1}}
        return [Task(name, "x", {"sql": SECRET, **held.get(name, {})}) for name in names]

    def begin(self, task: Task) -> None:
        self._fail("reset")

    def act(self, action: Action) -> Outcome:
        assert self.task is not None
        arm = action.arguments["arm"]
        if arm == 1 and self.task.id in ACTS:
            return ACTS[self.task.id][0]()  # type: ignore[no-any-return]
        if self.task.id in LETHAL:
            LETHAL[self.task.id]()
        return Outcome("done", float(arm == 1), terminated=arm != 0)

    def save(self) -> None:
        self._fail("save")

    def load(self, state: None) -> None:
        self._fail("load")

    def free(self, state: None) -> None:
        self._fail("free")

    def close(self) -> None:
        raise ValueError("not closed")

    def solution(self, task: Task) -> list[Action]:
        return [go(0), go(1)]

    def mistakes(self, task: Task, action: Action) -> list[Action]:
        return [go(2)]

    def _fail(self, method: str) -> None:
        if self.task is not None and self.task.id == method:
            raise ZeroDivisionError(method)


WORKER: dict[str, Callable[[], Any]] = {
    "raises": throw(ImportError("no module of that name on this machine")),
    "exits": lambda: os._exit(4),
}
"""What goes wrong when a worker process makes the environment, and not before."""
