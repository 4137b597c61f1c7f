"""What runs on a Ray cluster: one gate beside the journal, and workers that search.

A worker sends its own requests, but asks the gate first: the gate holds the journal and the run's
budget, and has a request sent by the worker that asked only if nobody has paid for it and the
budget lasts. The reply goes back through the gate, so that it is committed before it is used.
Errors travel as values: what a task may fail with is no failure of an actor.
"""

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.chat.base import ChatReply, ChatRequest
from engine.chat.budget import Budget, BudgetedChat
from engine.chat.endpoint import Endpoint
from engine.chat.journal import CachedChat, Journal
from engine.config import Config
from engine.executors import base
from engine.executors.spec import EndpointSpec
from environments import Task
from sandbox.check import choose
from search import PolicyError, Tree
from search.policy import BudgetSpent
from treegraft.errors import TreegraftError

Answer = ChatReply | PolicyError | BudgetSpent


class BudgetGate:
    """The journal and the budget, for all workers."""

    def __init__(self, journal: Path, base_url: str, budget: Budget) -> None:
        self._journal = Journal(journal)
        self._chat = CachedChat(BudgetedChat(_Asker(base_url), budget), self._journal)

    async def complete(self, request: ChatRequest, asker: Any) -> Answer:
        """The reply to `request`: the journal's, or what `asker`, an actor's handle, is told."""
        _asking.set(asker)
        while True:
            try:
                return await self._chat.complete(request)
            except _AskerLost as lost:
                if lost.asker == asker:  # nobody waits for an answer
                    return PolicyError("the worker that asked is gone")
            except (PolicyError, BudgetSpent) as error:
                return error

    async def drain(self, seconds: float) -> int:
        """Wait for the requests under way, at most so long; see `CachedChat.drain`."""
        return await self._chat.drain(seconds)

    async def close(self) -> None:
        await asyncio.to_thread(self._journal.close)


_asking: ContextVar[Any] = ContextVar("asking")
"""The worker whose request is being answered."""


class _AskerLost(Exception):
    def __init__(self, asker: Any) -> None:
        super().__init__()
        self.asker = asker


@dataclass(slots=True)
class _Asker:
    """A Chat that has the worker send the request."""

    base_url: str

    async def complete(self, request: ChatRequest) -> ChatReply:
        from ray.exceptions import RayActorError

        asker = _asking.get()
        try:
            answer: Answer = await asker.ask.remote(request)
        except RayActorError as error:
            raise _AskerLost(asker) from error
        if isinstance(answer, Exception):
            raise answer
        return answer


class RayWorker:
    """Searches several tasks at once, each in an environment of its own.

    folder: where the command was given, so that relative paths and a user's own modules are found;
        a machine that lacks it stays where it is.
    """

    def __init__(
        self, config: Config, gate: Any, asking: EndpointSpec | None, concurrency: int, folder: str
    ) -> None:
        if os.path.isdir(folder):
            os.chdir(folder)
        if folder not in sys.path:
            sys.path.append(folder)  # not first: see `environments.registry.find_class`
        self._config, self._gate, self._asking = config, gate, asking
        self._concurrency = concurrency
        self._endpoint: Endpoint | None = None
        self._idle: list[base.TaskRunner] = []

    async def ready(self) -> TreegraftError | None:
        """Begin; what hinders it, if anything does."""
        pool = ThreadPoolExecutor(self._concurrency + 4, thread_name_prefix="environment")
        asyncio.get_running_loop().set_default_executor(pool)
        try:
            self._lead = base.make_env(self._config)
            if self._lead.sandboxed:
                await asyncio.to_thread(choose, self._config.sandbox)
            self._policy = base.policy(self._config, self._lead, self._chat())
        except TreegraftError as error:
            return error
        return None

    def _chat(self) -> "_Gated | None":
        if self._asking is None:
            return None
        for name, value in self._asking.environment.items():
            os.environ.setdefault(name, value)
        self._endpoint = Endpoint.from_environment(
            self._asking.base_url or None,
            price=self._asking.price,
            concurrency=self._concurrency,
        )
        return _Gated(self._endpoint.base_url, self._gate)

    async def alive(self) -> None:
        """Nothing: that it answers is all."""

    async def search(self, task: Task) -> Tree | TreegraftError:
        """The tree of `task`, or why it has none."""
        searcher = self._idle.pop() if self._idle else base.TaskRunner(self._config, self._policy)
        try:
            return await searcher.search(task)
        finally:
            self._idle.append(searcher)

    async def ask(self, request: ChatRequest) -> Answer:
        """Send a request of this worker's; only the gate calls it."""
        assert self._endpoint is not None
        try:
            return await self._endpoint.complete(request)
        except (PolicyError, BudgetSpent) as error:
            return error

    async def stop(self) -> None:
        """Send nothing more; requests under way go on."""
        if self._endpoint is not None:
            self._endpoint.stop()

    async def close(self) -> None:
        """Close the environments: their sandboxes end with them."""
        for searcher in self._idle:
            await searcher.close()
        self._lead.close()
        if self._endpoint is not None:
            await self._endpoint.aclose()


@dataclass(slots=True)
class _Gated:
    """A Chat that asks the gate, in the name of the worker that it lives in."""

    base_url: str
    gate: Any

    async def complete(self, request: ChatRequest) -> ChatReply:
        import ray

        me = ray.get_runtime_context().current_actor
        answer: Answer = await self.gate.complete.remote(request, me)
        if isinstance(answer, Exception):
            raise answer
        return answer
