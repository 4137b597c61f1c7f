"""What the one writer and the one driver of a cluster bear: the rates behind docs/scale.md.

    python benchmarks/scale.py [--quick]

Needs Ray. Three rates, each of the real thing on this machine:

- trees per second into a run's store: of a tree as the demonstration teacher leaves on the bundled
  SQL tasks, and of one as large as ToolBench's (30 requests, observations of 2,000 characters);
- replies per second into the journal, when 1, 64 and 512 wait at once, each committed before use;
- requests per second that the driver of `--executor ray` serves (budget and journal), from workers
  whose endpoint answers at once; beside them the same requests, asked in this process.

Then the arithmetic: how long 470,000 trees take, and what saturates first.
"""

import argparse
import asyncio
import logging
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


from engine.chat.base import ChatReply, ChatRequest
from engine.chat.budget import Budget, BudgetedChat
from engine.chat.journal import CachedChat, Journal, request_key
from engine.chat.open import ChatStack
from engine.config import Config
from engine.executors.base import TaskRunner, make_env
from engine.executors.build_policy import build_policy
from engine.executors.ray import ActorTransport, RayWorker
from engine.executors.remote_worker import RemoteWorker
from engine.executors.worker import DriverProxy, Message
from engine.runs.store import Store
from environments import Action, Step, Task
from search import Tree, Usage
from search.tree import Call

URL = "http://127.0.0.1:9/v1"
TREES = 470_000
"""As many as ToolBench counts API calls (arXiv:2307.16789): 469,585."""
CALLS = 15
"""Requests a tree, for the arithmetic."""
OBSERVATION = 2000
WORDS = "the quick brown fox jumps over the lazy dog and runs away "


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    flags.add_argument("--quick", action="store_true", help="a tenth of everything")
    scale = 10 if flags.parse_args().quick else 1
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        small = asyncio.run(_demonstrated())
        stored = _stored("as demonstrated", small, Path(folder), 3000 // scale)
        large = _stored("as ToolBench's", _large(), Path(folder), 1000 // scale)
        kept = max(
            asyncio.run(_journaled(at_once, Path(folder), 20_000 // scale))
            for at_once in (1, 64, 512)
        )
        alone = asyncio.run(_asked_here(Path(folder), 5000 // scale))
        passed = asyncio.run(_through_driver(Path(folder), 5000 // scale))
    print(f"the driver passes {passed / alone:.2f} of what is asked in one process")
    calls, trees = min(kept, passed), large
    print(
        f"{TREES:,} trees of {CALLS} requests: {TREES / trees / 3600:.1f} h of writing trees, "
        f"{TREES * CALLS / calls / 3600:.1f} h of requests at the driver's rate; "
        f"the store takes {stored / trees:.1f} times as many small trees"
    )
    print(
        f"a thousand workers with a request every 2 s send 500 a second: {500 / calls:.0%} of what "
        f"the driver passes; the trees they end are {500 / CALLS / trees:.1%} of the store's rate"
    )


async def _demonstrated() -> Tree:
    config = Config(env="bird", split="train", mistake_rate=0.5)
    env = make_env(config)
    runner = TaskRunner(config, build_policy(config, env, None))
    try:
        trees = [await runner.search(task) for task in env.tasks[:40]]
    finally:
        await runner.close()
        env.close()
    return sorted((t for t in trees if isinstance(t, Tree)), key=lambda t: len(t.nodes))[-10]


def _large() -> Tree:
    tree = Tree(Task("task", WORDS * 10), "teacher", stopped="solved")
    for number in range(30):
        tree.calls.append(Call(number // 2, "0" * 64, Usage(1, 1500, 100)))
        action = Action("look", {"at": str(number)}, WORDS * 3)
        last = number == 29
        step = Step(action, (WORDS * 40)[:OBSERVATION], float(last), terminated=last)
        tree.add(number // 2, step, number)
    return tree


def _stored(name: str, tree: Tree, folder: Path, number: int) -> float:
    """Trees a second."""
    run = folder / name
    with Store.create(run) as store:
        trees = [replace(tree.task, id=f"t{n}") for n in range(number)]
        began = time.perf_counter()
        for task in trees:
            tree.task = task
            store.add_tree(tree)
        rate = number / (time.perf_counter() - began)
    size = sum(file.stat().st_size for file in run.iterdir()) / number
    print(f"store: {rate:.0f} trees/s {name} ({len(tree.nodes)} nodes, {size / 1000:.1f} kB each)")
    return rate


def _request(number: int) -> ChatRequest:
    messages = [{"role": "user", "content": f"{number} {WORDS * 60}"}]
    return ChatRequest("model", messages, [], {"temperature": 1.0})


def _reply() -> ChatReply:
    return ChatReply(({"role": "assistant", "content": WORDS * 4},), Usage(1, 1500, 100))


async def _journaled(at_once: int, folder: Path, number: int) -> float:
    """Replies a second, committed."""
    number = number if at_once > 1 else number // 20
    waiting = iter([_request(n) for n in range(number)])
    with Journal(folder / f"journal-{at_once}.db") as journal:

        async def put() -> None:
            for request in waiting:
                await journal.put(request_key(URL, request), URL, request.model, _reply())

        began = time.perf_counter()
        await asyncio.gather(*(put() for _ in range(at_once)))
        rate = number / (time.perf_counter() - began)
    print(f"journal: {rate:.0f} replies/s with {at_once} at once")
    return rate


@dataclass(slots=True)
class _AtOnce:
    """An endpoint that answers at once."""

    base_url: str = URL

    async def complete(self, request: ChatRequest) -> ChatReply:
        return _reply()


async def _asked_here(folder: Path, number: int) -> float:
    """Requests a second through journal and budget, in this process, 64 at once."""
    waiting = iter([_request(n) for n in range(number)])
    with Journal(folder / "here.db") as journal:
        chat = CachedChat(BudgetedChat(_AtOnce(), Budget()), journal)

        async def ask() -> None:
            for request in waiting:
                await chat.complete(request)

        began = time.perf_counter()
        await asyncio.gather(*(ask() for _ in range(64)))
        rate = number / (time.perf_counter() - began)
    print(f"journal and budget: {rate:.0f} requests/s in one process")
    return rate


class _Asker:
    """In place of a `Worker`: to search a task is to send a range of requests, 64 at once."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send, self._driver = send, DriverProxy(send)
        self._stopped = asyncio.Event()

    async def serve(self) -> None:
        self._send(("ready", None))
        await self._stopped.wait()
        self._send(("ended",))

    def receive(self, message: Message) -> None:
        kind, *values = message
        if kind == "search":
            self._searching = asyncio.create_task(self._search(values[0]))
        elif kind == "answer":
            self._driver.answered(*values)
        else:
            self._stopped.set()

    async def _search(self, task: Task) -> None:
        self._send(("started", task.id))
        numbers = iter(range(task.secret["first"], task.secret["last"]))
        async with ChatStack(self._driver, self._driver) as stack:
            chat = stack.add(_AtOnce())

            async def ask() -> None:
                for number in numbers:
                    await chat.complete(_request(number))

            await asyncio.gather(*(ask() for _ in range(64)))
        self._send(("found", task.id, Tree(task, "asker")))


class _RayAsker(RayWorker):
    def __init__(self) -> None:
        self._outbox = asyncio.Queue()
        self._worker = _Asker(self._outbox.put_nowait)  # type: ignore[assignment]


async def _through_driver(folder: Path, number: int) -> float:
    """Requests per second through the driver, from one worker per core but two, 64 at once each."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    count = max(1, (os.cpu_count() or 1) - 2)
    ray.init(
        address="local",
        num_cpus=count,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    made = ray.remote(_RayAsker).options(max_concurrency=100_000)
    share = number // count
    tasks = [Task(str(n), "", {"first": n * share, "last": (n + 1) * share}) for n in range(count)]
    try:
        with Journal(folder / "driver.db") as journal:
            workers = [
                RemoteWorker(ActorTransport(made.remote()), Budget(), journal) for _ in tasks
            ]
            await asyncio.gather(*(worker.ready() for worker in workers))
            began = time.perf_counter()
            pairs = zip(workers, tasks, strict=True)
            await asyncio.gather(*(worker.search(task) for worker, task in pairs))
            rate = count * share / (time.perf_counter() - began)
            await asyncio.gather(*(worker.close() for worker in workers))
    finally:
        ray.shutdown()
    print(f"driver: {rate:.0f} requests/s from {count} workers")
    return rate


if __name__ == "__main__":
    main()
