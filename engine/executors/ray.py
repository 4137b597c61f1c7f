"""Tasks sharded over a Ray cluster (design section 4, "Scale out").

Each worker is an actor that holds one CPU and searches several tasks at once. Trees come back to
this process, the one writer. A task whose worker is lost (its process, its node) is searched again
by another; its replies so far are in the journal, so it is not paid for twice.

Limitations: the machines need Treegraft, the task data at the same path, and a sandbox. The gate
runs on this machine; if it is lost the run stops, and the same command resumes it.
"""

import asyncio
import logging
import os
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from engine.config import Config
from engine.errors import UsageError
from engine.executors.base import Keep
from engine.executors.pool import Lost, LostBeforeStart, TaskQueue, WorkerSlot, run_pool
from engine.executors.ray_actors import BudgetGate, RayWorker
from engine.executors.spec import ChatSpec, EndpointSpec
from environments import Task
from search import Tree
from treegraft.errors import TreegraftError

DRAIN_SECONDS = 60.0


class Cluster:
    """Searches on the Ray cluster at `address`; "" starts one on this machine.

    workers: actors; None for one a CPU.   concurrency: tasks at once, of each.
    paying: None for a teacher that asks nobody.
    """

    def __init__(
        self, address: str, workers: int | None, concurrency: int, paying: ChatSpec | None
    ) -> None:
        self._address, self._workers, self._concurrency = address, workers, concurrency
        self._paying = paying

    async def run(self, config: Config, tasks: Iterator[Task], keep: Keep) -> None:
        """See `Executor`."""
        ray = _connected(self._address)
        try:
            number = self._workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
            gate = self._gate(ray)
            asking = self._paying.asking if self._paying else None
            hire = _Hiring(ray, config, gate, asking, self._concurrency)
            work = TaskQueue.of(tasks, keep)
            crew = [WorkerSlot(hire, work, self._concurrency) for _ in range(number)]
            await run_pool(crew, work, lambda: _let_go(crew, gate))
        finally:
            ray.shutdown()

    def _gate(self, ray: Any) -> Any:
        if self._paying is None:
            return None
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        made = ray.remote(BudgetGate).options(
            num_cpus=0, max_concurrency=100_000, scheduling_strategy=here
        )
        paying = self._paying
        return made.remote(paying.journal, paying.base_url, paying.budget)


def _connected(address: str) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
    try:
        import ray
    except ImportError as error:
        raise UsageError("--executor ray needs Ray: pip install 'treegraft[ray]'") from error
    try:
        ray.init(
            address=address or "local",
            include_dashboard=False if not address else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, ValueError) as error:
        raise UsageError(f"--address {address}: {error}; is the cluster up?") from error
    return ray


@dataclass(frozen=True, slots=True)
class _Hiring:
    ray: Any
    config: Config
    gate: Any
    asking: EndpointSpec | None
    concurrency: int

    def __call__(self) -> "_Actor":
        made = self.ray.remote(RayWorker).options(num_cpus=1, max_concurrency=100_000)
        return _Actor(
            made.remote(self.config, self.gate, self.asking, self.concurrency, os.getcwd())
        )


@dataclass(frozen=True, slots=True)
class _Actor:
    """A `RemoteWorker`."""

    actor: Any

    async def ready(self) -> TreegraftError | None:
        return await _answer(self.actor.ready.remote())  # type: ignore[no-any-return]

    async def search(self, task: Task) -> Tree | TreegraftError:
        try:
            await _answer(self.actor.alive.remote())
        except Lost as error:
            raise LostBeforeStart from error
        return await _answer(self.actor.search.remote(task))  # type: ignore[no-any-return]


async def _answer(call: Any) -> Any:
    from ray.exceptions import ObjectLostError, RayActorError

    try:
        return await call
    except (RayActorError, ObjectLostError) as error:
        raise Lost from error


async def _let_go(crew: list[WorkerSlot], gate: Any) -> None:
    """Send nothing more, keep what is paid for, close the sandboxes."""
    from ray.exceptions import RayError

    actors = [member.hand.actor for member in crew if isinstance(member.hand, _Actor)]

    async def told(call: Any) -> None:
        with suppress(RayError, TimeoutError):  # it is lost already
            await asyncio.wait_for(call, DRAIN_SECONDS)

    async def all_told(calls: list[Coroutine[Any, Any, None]]) -> None:
        await asyncio.gather(*calls)

    await all_told([told(actor.stop.remote()) for actor in actors])
    if gate is not None:
        await told(gate.drain.remote(DRAIN_SECONDS))
        await told(gate.close.remote())
    await all_told([told(actor.close.remote()) for actor in actors])
