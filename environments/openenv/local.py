"""A session with an environment object in this process. Needs `openenv`.

The object lives in a thread of its own with an event loop of its own, as each session of OpenEnv's
server does: some libraries belong to one thread, and a method that hangs must not stop the search.
"""

import asyncio
import inspect
import typing
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from threading import Thread
from typing import Any, TypeVar

from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.mcp_environment import MCPEnvironment
from openenv.core.env_server.serialization import deserialize_action, serialize_observation
from openenv.core.env_server.types import Action, WSObservationResponse
from pydantic import ValidationError

from environments.errors import UnknownEnvironment
from environments.openenv.connection import ActionRefused, Reply, split_name
from sandbox.errors import SandboxError

T = TypeVar("T")


class LocalConnection:
    """A session with what `make` returns, an OpenEnv `Environment`.

    Args:
        action_class: the class of its actions; None to read it from the types of its `step`.
        seconds: how long a reset or a step may take.
    """

    def __init__(
        self, make: Callable[[], Any], action_class: type[Any] | None, seconds: float
    ) -> None:
        self._make, self._action_class, self._seconds = make, action_class, seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._env: Any = None

    async def reset(self, arguments: Mapping[str, Any]) -> Reply:
        """See `Connection.reset`."""
        return await self._run(self._reset(arguments))

    async def step(self, action: Mapping[str, Any]) -> Reply:
        """See `Connection.step`."""
        return await self._run(self._step(action))

    async def action_schema(self) -> Mapping[str, Any]:
        """See `Connection.action_schema`."""
        schema: Mapping[str, Any] = self._actions.model_json_schema()
        return schema

    async def splits(self) -> Sequence[str] | None:
        """See `Connection.splits`."""
        return await self._run(self._splits())

    async def tasks(self, split: str) -> Sequence[Mapping[str, Any]]:
        """See `Connection.tasks`."""
        return await self._run(self._tasks(split))

    async def close(self) -> None:
        """See `Connection.close`."""
        if self._loop is not None:
            loop, self._loop = self._loop, None
            closing = asyncio.run_coroutine_threadsafe(self._close(), loop)
            await asyncio.wait([asyncio.wrap_future(closing)], timeout=self._seconds)
            loop.call_soon_threadsafe(loop.stop)

    @property
    def _actions(self) -> type[Any]:
        """The class of the actions: the given one, or that of the environment's `step`."""
        found = self._action_class or action_class_of(type(self._env))
        if found is Action and not isinstance(self._env, MCPEnvironment):
            raise UnknownEnvironment(
                f"the types of {type(self._env).__name__}.step name no class of actions: name it "
                "with --env-arg action=module:Class"
            )
        return found

    async def _opened(self) -> Any:
        if self._env is None:
            self._env = self._make()
            self._stack = AsyncExitStack()
            if callable(session := getattr(self._env, "mcp_session", None)):
                await self._stack.enter_async_context(session())
        return self._env

    async def _reset(self, arguments: Mapping[str, Any]) -> Reply:
        return _reply(await _called(await self._opened(), "reset", **arguments))

    async def _step(self, action: Mapping[str, Any]) -> Reply:
        try:
            made = deserialize_action(dict(action), self._actions)
        except ValidationError as error:
            raise ActionRefused(str(error)) from error
        return _reply(await _called(self._env, "step", made))

    async def _splits(self) -> Sequence[str] | None:
        if not hasattr(await self._opened(), "list_splits"):
            return None
        return [split_name(each) for each in await _awaited(self._env.list_splits())]

    async def _tasks(self, split: str) -> Sequence[Mapping[str, Any]]:
        number = await _awaited(self._env.num_tasks(split))
        return [_plain(await _awaited(self._env.get_task(split, i))) for i in range(number)]

    async def _close(self) -> None:
        env, self._env = self._env, None
        if env is not None:
            await self._stack.aclose()
            env.close()

    async def _run(self, call: Coroutine[Any, Any, T]) -> T:
        """Run `call` on the event loop of the environment's thread.

        Raises:
            SandboxError: It takes too long. The thread is left to itself.
        """
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            Thread(target=_serve, args=[self._loop], name="openenv", daemon=True).start()
        outcome = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call, self._loop))
        await asyncio.wait([outcome], timeout=self._seconds)
        if not outcome.done():
            name, self._env, self._loop = type(self._env).__name__, None, None
            raise SandboxError(
                f"{name} did not return within {self._seconds:g} s "
                "(--env-arg seconds=... waits longer)"
            )
        return outcome.result()


def action_class_of(environment: type[Any]) -> type[Any]:
    """Return the class of the actions that `environment.step` takes; `Action` if it names none."""
    try:
        hints = typing.get_type_hints(environment.step)
    except (NameError, TypeError, AttributeError):
        hints = {}
    named = [hints.get(name) for name in list(inspect.signature(environment.step).parameters)[1:2]]
    for base in getattr(environment, "__orig_bases__", ()):
        named += typing.get_args(base)[:1]
    for each in named:
        if isinstance(each, type) and issubclass(each, Action):
            return each
    any_action: type[Any] = Action
    return any_action


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


def _reply(observation: Any) -> Reply:
    """Return what a client of OpenEnv's server would receive."""
    sent = WSObservationResponse(data=serialize_observation(observation)).model_dump(mode="json")
    data = sent["data"]
    return Reply(data["observation"], data["reward"], bool(data["done"]))


async def _called(env: Any, name: str, *given: Any, **named: Any) -> Any:
    """Call `reset` or `step` as OpenEnv's server does.

    That is the coroutine, if the environment defines it; else the method, with what it takes.
    """
    own = getattr(type(env), f"{name}_async", None)
    if own is not getattr(Environment, f"{name}_async"):
        return await getattr(env, f"{name}_async")(*given, **named)
    method = getattr(env, name)
    parameters = inspect.signature(method).parameters
    if not any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        named = {key: value for key, value in named.items() if key in parameters}
    return method(*given, **named)


async def _awaited(found: Any) -> Any:
    return await found if inspect.isawaitable(found) else found


def _plain(spec: Any) -> Mapping[str, Any]:
    if hasattr(spec, "model_dump"):
        spec = spec.model_dump(mode="json")
    return spec if isinstance(spec, Mapping) else {"task": spec}
