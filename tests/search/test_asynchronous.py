"""Worlds whose methods are coroutines: searched on the event loop, without threads."""

import asyncio
import threading
from dataclasses import replace

import pytest

from environments import Action, Outcome, Task
from search import Dfsdt
from search.faults import CallHangs, TaskFault
from tests.support.fakes import Arms, ArmsEnv, go
from tests.support.searching import play


class AsyncArms(ArmsEnv):
    """Waits in every method, and notes in which thread it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[int] = set()
        self.saved = self.freed = 0
        self.ended = False

    async def _wait(self) -> None:
        self.threads.add(threading.get_ident())
        await asyncio.sleep(0)

    async def begin(self, task: Task) -> None:
        await self._wait()
        super().begin(task)

    async def act(self, action: Action) -> Outcome:
        await self._wait()
        return super().act(action)

    async def save(self) -> tuple[int, ...]:
        self.saved += 1
        await self._wait()
        return super().save()

    async def load(self, state: tuple[int, ...]) -> None:
        await self._wait()
        super().load(state)

    async def free(self, state: tuple[int, ...]) -> None:
        await self._wait()
        self.freed += 1

    async def end(self) -> None:
        await self._wait()
        self.ended = True


async def test_the_tree_is_that_of_the_same_world_without_coroutines() -> None:
    env = AsyncArms()
    tree = await play(Dfsdt, env, env.tasks[0], Arms(), depth=4)
    other = await play(Dfsdt, ArmsEnv(), env.tasks[0], Arms(), depth=4)
    assert tree.solved and tree.nodes == other.nodes
    assert env.threads == {threading.get_ident()}
    assert env.saved == env.freed > 0


def test_gymnasiums_methods_stay_synchronous() -> None:
    env = AsyncArms()
    assert env.reset(seed=1)[0] == "Go."
    start = env.snapshot()
    for _ in range(2):
        *_, (_, reward, terminated, _, _) = [env.step(go(1)) for _ in range(env.depth)]
        assert (reward, terminated) == (1.0, True)
        env.restore(start)
    env.release(start)
    env.close()
    env.close()
    assert env.ended


@pytest.mark.parametrize("hook", ["begin", "act", "save", "load", "free"])
async def test_one_coroutine_is_enough(hook: str) -> None:
    env = type("One", (ArmsEnv,), {hook: getattr(Waits, hook)})()
    assert env.asynchronous
    assert (await play(Dfsdt, env, env.tasks[0], Arms(), depth=4)).solved


class Waits(ArmsEnv):
    async def begin(self, task: Task) -> None:
        await asyncio.sleep(0)
        ArmsEnv.begin(self, task)

    async def act(self, action: Action) -> Outcome:
        await asyncio.sleep(0)
        return ArmsEnv.act(self, action)

    async def save(self) -> tuple[int, ...]:
        await asyncio.sleep(0)
        return ArmsEnv.save(self)

    async def load(self, state: tuple[int, ...]) -> None:
        await asyncio.sleep(0)
        ArmsEnv.load(self, state)

    async def free(self, state: tuple[int, ...]) -> None:
        await asyncio.sleep(0)


async def test_a_coroutine_that_hangs_or_raises_fails_its_task() -> None:
    class Hangs(AsyncArms):
        call_seconds = 0.05

        async def act(self, action: Action) -> Outcome:
            await asyncio.sleep(10)
            raise AssertionError

    class Raises(AsyncArms):
        async def act(self, action: Action) -> Outcome:
            await asyncio.sleep(0)
            raise TimeoutError("its own")

    with pytest.raises(CallHangs, match="call_seconds"):
        await play(Dfsdt, env := Hangs(), env.tasks[0], Arms())
    with pytest.raises(TaskFault, match="TimeoutError in test_asynchronous.py:.* its own"):
        await play(Dfsdt, env := Raises(), env.tasks[0], Arms())


def test_a_world_keeps_a_copy_of_the_arguments() -> None:
    class Keeps(ArmsEnv):
        def act(self, action: Action) -> Outcome:
            action.arguments["path"].append("changed")  # type: ignore[attr-defined]
            return Outcome("ok")

    env, given = Keeps(), {"arm": 1, "path": ["a"]}
    parameters = {"type": "object"}
    env.tools = (replace(env.tools[0], parameters=parameters), env.tools[1])
    env.reset()
    env.step(Action("go", given))
    assert given == {"arm": 1, "path": ["a"]}
