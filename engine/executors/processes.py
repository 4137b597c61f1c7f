"""Many tasks at once in several processes of this machine.

One process sends some hundreds of requests per second, because the client alone takes one to two
milliseconds of processor time per request. More processes send more.
"""

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection

from engine.chat.limiter import Throttle
from engine.chat.open import ChatSpec
from engine.config import Config
from engine.executors.base import OnResult
from engine.executors.pool import PoolSize, run_pool
from engine.executors.remote_worker import END_SECONDS, RemoteWorker
from engine.executors.worker import Message, Worker, WorkerSpec
from environments import Task

DEATH_SECONDS = 0.5
"""How long to wait for the exit code of a process that has closed its pipe."""


class Processes:
    """Searches in worker processes, which are replaced when they die.

    Args:
        workers: how many processes; None for one per processor.
        concurrency: tasks at once, per process.
    """

    def __init__(self, workers: int | None, concurrency: int, chats: ChatSpec) -> None:
        self._size = PoolSize(workers or os.cpu_count() or 1, concurrency)
        self._chats = chats
        self._hired: list[RemoteWorker] = []

    def throttle(self) -> Throttle:
        """See `Executor`; as the workers said last."""
        return sum((worker.throttle for worker in self._hired), Throttle())

    async def run(self, config: Config, tasks: Iterator[Task], on_result: OnResult) -> None:
        """See `Executor`."""
        chats = self._chats
        asked = chats.teacher, chats.student, chats.grader
        spec = WorkerSpec(config, self._size.concurrency, *asked, chats.journal)

        def hire() -> RemoteWorker:
            self._hired.append(RemoteWorker(_Process(spec), chats.budget, None))
            return self._hired[-1]

        await run_pool(hire, self._size, tasks, on_result)


class _Process:
    """A `Transport`: a child process, and a pipe to it."""

    def __init__(self, spec: WorkerSpec) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, self._theirs = context.Pipe()
        self._process = context.Process(target=_main, args=(self._theirs, spec))
        self._death: int | None = None  # readable once the process has ended

    def start(self, receive: Callable[[Message], None], lost: Callable[[str], None]) -> None:
        """See `Transport`."""
        self._receive, self._lost = receive, lost
        self._process.start()
        self._theirs.close()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._pipe.fileno(), self._read)
        if hasattr(os, "pidfd_open") and self._process.pid:
            self._death = os.pidfd_open(self._process.pid)
            loop.add_reader(self._death, self._died)

    def send(self, message: Message) -> None:
        """See `Transport`."""
        try:
            self._pipe.send(message)
        except OSError:
            self._disconnect()

    def kill(self) -> None:
        """See `Transport`."""
        self._process.kill()

    async def close(self) -> None:
        """See `Transport`."""
        self._disconnect()
        await asyncio.to_thread(self._process.join, END_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            await asyncio.to_thread(self._process.join)

    def _read(self) -> None:
        try:
            message = self._pipe.recv()
        except (EOFError, OSError):
            self._disconnect()
        else:
            self._receive(message)

    def _died(self) -> None:
        """Take in its last messages. A child of its own may hold the pipe open for ever."""
        while not self._pipe.closed and self._pipe.poll():
            self._read()
        self._disconnect()

    def _disconnect(self) -> None:
        if not self._pipe.closed:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._pipe.fileno())
            self._pipe.close()
            if self._death is not None:
                loop.remove_reader(self._death)
                os.close(self._death)
            self._process.join(DEATH_SECONDS)
            self._lost(_how_ended(self._process.exitcode))


def _how_ended(code: int | None) -> str:
    """Return how a process ended, in words; "" if it did not."""
    if code is None or code >= 0:
        return "" if code is None else f"exit code {code}"
    if -code == signal.SIGKILL:
        return "SIGKILL, is the memory full?"
    return {each.value: each.name for each in signal.Signals}.get(-code, f"signal {-code}")


def _main(pipe: Connection, spec: WorkerSpec) -> None:
    """Run a worker in this process until its driver stops it, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # at Ctrl-C the driver says stop

    def send(message: Message) -> None:
        try:
            pipe.send(message)
        except OSError:
            os._exit(1)  # the driver is gone; the journal holds what is paid for

    async def serve() -> None:
        worker, loop = Worker(spec, send), asyncio.get_running_loop()

        def read() -> None:
            """Take in what the driver sends, also while an environment blocks the event loop."""
            while True:
                try:
                    message = pipe.recv()
                except (EOFError, OSError):
                    os._exit(1)
                with suppress(RuntimeError):  # the loop has ended
                    loop.call_soon_threadsafe(worker.receive, message)

        threading.Thread(target=read, daemon=True).start()
        await worker.serve()

    asyncio.run(serve())
