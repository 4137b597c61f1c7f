"""Many tasks at once on the machines of a Ray cluster.

Each worker is an actor that holds one CPU and searches several tasks at once. This process holds
the journal and the budget, and writes the trees. A task whose worker is lost (its process or its
machine) is searched again by another; its replies so far are in the journal, so they are not paid
for twice.

Limitations: the machines need Treegraft, the task data at the same path, and a sandbox. Two workers
that send the same request at the same time both pay.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

from engine.chat.journal import Journal
from engine.chat.limiter import Throttle
from engine.chat.open import ChatSpec
from engine.config import Config
from engine.errors import UsageError
from engine.executors.base import OnResult
from engine.executors.pool import PoolSize, run_pool
from engine.executors.remote_worker import RemoteWorker
from engine.executors.worker import Message, Worker, WorkerSpec
from environments import Task

_CALLS = 100_000  # at once, of one actor: its calls only wait


class Cluster:
    """Searches on the Ray cluster at `address`; "" starts one on this machine.

    Args:
        workers: how many actors; None for one per CPU.
        concurrency: tasks at once, per actor.
    """

    def __init__(
        self, address: str, workers: int | None, concurrency: int, chats: ChatSpec
    ) -> None:
        self._address, self._workers, self._concurrency = address, workers, concurrency
        self._chats = chats
        self._hired: list[RemoteWorker] = []

    def throttle(self) -> Throttle:
        """See `Executor`; as the workers said last."""
        return sum((worker.throttle for worker in self._hired), Throttle())

    async def run(self, config: Config, tasks: Iterator[Task], on_result: OnResult) -> None:
        """See `Executor`."""
        chats = self._chats
        asked = chats.teacher, chats.student, chats.grader
        spec = WorkerSpec(config, self._concurrency, *asked)
        paid = any(asked)
        ray = _connect(self._address)
        try:
            actors = ray.remote(RayWorker).options(num_cpus=1, max_concurrency=_CALLS)
            number = self._workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
            with Journal(chats.journal) if paid else nullcontext() as journal:

                def hire() -> RemoteWorker:
                    actor = actors.remote(spec, os.getcwd())
                    transport = ActorTransport(actor)
                    self._hired.append(RemoteWorker(transport, chats.budget, journal))
                    return self._hired[-1]

                await run_pool(hire, PoolSize(number, self._concurrency), tasks, on_result)
        finally:
            ray.shutdown()


def _connect(address: str) -> Any:
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


class RayWorker:
    """The actor: a `Worker`, and the messages that it has for its driver.

    Args:
        folder: where the command was given, so that relative paths and a user's own modules are
            found; a machine without it stays where it is.
    """

    def __init__(self, spec: WorkerSpec, folder: str) -> None:
        if os.path.isdir(folder):
            os.chdir(folder)
        if folder not in sys.path:
            sys.path.insert(0, folder)
        self._outbox: asyncio.Queue[Message] = asyncio.Queue()
        self._worker = Worker(spec, self._outbox.put_nowait)

    async def serve(self) -> None:
        """Run the worker. The last message is empty, also after a defect."""
        try:
            await self._worker.serve()
        finally:
            self._outbox.put_nowait(())

    async def deliver(self, messages: list[Message]) -> None:
        """Give the worker messages of the driver."""
        for message in messages:
            self._worker.receive(message)

    async def collect(self) -> list[Message]:
        """Wait for messages to the driver, and return those there are."""
        messages = [await self._outbox.get()]
        while not self._outbox.empty():
            messages.append(self._outbox.get_nowait())
        return messages


class ActorTransport:
    """A `Transport` to the `RayWorker` that a handle is of, by calls of its methods."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self._outbox: list[Message] = []

    def start(self, receive: Callable[[Message], None], lost: Callable[[str], None]) -> None:
        """See `Transport`."""
        self._serving = self._actor.serve.remote()
        self._collecting = asyncio.create_task(self._collect(receive, lost))

    def send(self, message: Message) -> None:
        """See `Transport`; `_collect` notices that the actor is gone."""
        if not self._outbox:  # one call for all messages of this turn of the loop
            asyncio.get_running_loop().call_soon(self._deliver)
        self._outbox.append(message)

    def _deliver(self) -> None:
        self._actor.deliver.remote(self._outbox)
        self._outbox = []

    def kill(self) -> None:
        """See `Transport`."""
        import ray

        ray.kill(self._actor)

    async def close(self) -> None:
        """See `Transport`. The actor itself ends with the connection to the cluster."""
        self._collecting.cancel()
        await asyncio.gather(self._collecting, return_exceptions=True)

    async def _collect(
        self, receive: Callable[[Message], None], lost: Callable[[str], None]
    ) -> None:
        from ray.exceptions import RayError, RayTaskError

        try:
            while True:
                for message in await self._actor.collect.remote():
                    if not message:
                        await self._serving
                        return
                    receive(message)
        except RayTaskError as defect:
            print(defect, file=sys.stderr)  # as a process prints its own
        except RayError:
            return
        finally:
            lost("")
