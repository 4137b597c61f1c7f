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
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.budget import Budget
from engine.config import Config
from engine.errors import UsageError
from engine.executors.actors import Asking, Gate, Worker
from engine.executors.base import Keep
from environments import Task
from sandbox import TreegraftError

LOSSES = 3
"""Workers that one task may take with it, before it counts as failed."""
DRAIN_SECONDS = 60.0


class WorkerLost(TreegraftError):
    """The workers that searched a task died, one after another."""


@dataclass(frozen=True, slots=True)
class Paying:
    """What the gate needs.  journal: its file.  base_url: the endpoint, as the journal names it."""

    journal: Path
    base_url: str
    budget: Budget
    asking: Asking


class Cluster:
    """Searches on the Ray cluster at `address`; "" starts one on this machine.

    workers: actors; None for one a CPU.   concurrency: tasks at once, of each.
    paying: None for a teacher that asks nobody.
    """

    def __init__(
        self, address: str, workers: int | None, concurrency: int, paying: Paying | None
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
            work = _Work(deque(tasks), keep)
            crew = [_Member(hire, work) for _ in range(number)]
            await self._search(crew, work, gate)
        finally:
            ray.shutdown()

    async def _search(self, crew: list["_Member"], work: "_Work", gate: Any) -> None:
        serving = asyncio.gather(*(member.serve() for member in crew))
        ended = asyncio.create_task(work.ended())
        try:
            first = asyncio.FIRST_COMPLETED
            await asyncio.wait((asyncio.ensure_future(ended), serving), return_when=first)
            if serving.done():
                serving.result()  # a defect, or a cluster that cannot be had
        finally:
            for job in (ended, serving):
                job.cancel()
            await asyncio.gather(ended, serving, return_exceptions=True)
            await _let_go(crew, gate)

    def _gate(self, ray: Any) -> Any:
        if self._paying is None:
            return None
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        made = ray.remote(Gate).options(
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
    asking: Asking | None
    concurrency: int

    def __call__(self) -> Any:
        made = self.ray.remote(Worker).options(num_cpus=1, max_concurrency=100_000)
        return made.remote(self.config, self.gate, self.asking, self.concurrency, os.getcwd())


@dataclass(slots=True)
class _Work:
    """The tasks that are left.  under_way: how many are being searched."""

    left: deque[Task]
    keep: Keep
    under_way: int = 0
    losses: Counter[str] = field(default_factory=Counter)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self) -> Task:
        """The next task; waits where there is none, since one may be given back."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.left)
            self.under_way += 1
            return self.left.popleft()

    async def settle(self, task: Task, found: Any) -> None:
        """Keep what came of `task`; None: its worker was lost."""
        if found is None:
            self.losses[task.id] += 1
            if self.losses[task.id] >= LOSSES:
                found = WorkerLost(f"{LOSSES} workers died that searched {task.id}")
        async with self.changed:
            self.under_way -= 1
            if found is None:
                self.left.appendleft(task)
            else:
                self.keep(task, found)
            self.changed.notify_all()

    async def ended(self) -> None:
        """Waits until every task is kept."""
        async with self.changed:
            await self.changed.wait_for(lambda: not self.left and not self.under_way)


@dataclass(slots=True)
class _Member:
    """A worker that has begun, if there is one; after it is lost another."""

    hire: _Hiring
    work: _Work
    worker: Any = None

    async def serve(self) -> None:
        """Search tasks until cancelled.

        Raises:
            TreegraftError: a worker cannot begin: it lacks the data or a sandbox, or dies.
        """
        barren = 0
        while barren < LOSSES:
            worker = self.hire()
            barren = 0 if await self._ready(worker) else barren + 1
            if not barren:
                self.worker = worker
                async with asyncio.TaskGroup() as group:
                    for _ in range(self.hire.concurrency):
                        group.create_task(self._slot(worker))
                self.worker = None
        raise TreegraftError(f"{LOSSES} Ray workers in a row died when they began; see Ray's logs")

    async def _ready(self, worker: Any) -> bool:
        """Whether it began; waits where the cluster has no room for it."""
        from ray.exceptions import RayActorError

        try:
            trouble = await worker.ready.remote()
        except RayActorError:
            return False
        if trouble is not None:
            raise trouble
        return True

    async def _slot(self, worker: Any) -> None:
        """Search one task after another, until the worker is lost."""
        from ray.exceptions import ObjectLostError, RayActorError

        while True:
            task, found = await self.work.take(), None
            try:
                found = await worker.search.remote(task)
            except (RayActorError, ObjectLostError):
                return
            finally:
                await self.work.settle(task, found)


async def _let_go(crew: list[_Member], gate: Any) -> None:
    """Send nothing more, keep what is paid for, close the sandboxes."""
    from ray.exceptions import RayError

    workers = [member.worker for member in crew if member.worker is not None]

    async def told(call: Any) -> None:
        with suppress(RayError, TimeoutError):  # it is lost already
            await asyncio.wait_for(call, DRAIN_SECONDS)

    await asyncio.gather(*(told(worker.stop.remote()) for worker in workers))
    if gate is not None:
        await told(gate.drain.remote(DRAIN_SECONDS))
        await told(gate.close.remote())
    await asyncio.gather(*(told(worker.close.remote()) for worker in workers))
