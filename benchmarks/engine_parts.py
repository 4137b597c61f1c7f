"""What a request costs the engine beside the network: microseconds of processor time, by part.

    python benchmarks/engine_parts.py

Each part runs alone, in this process, over the requests of recorded searches of the web shop, with
all its threads counted; the median of 3 rounds. The openai client is timed against a server of no
latency in another process, one request at a time.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # beside us, `engine` is another file

from benchmarks import engine_rivals as rivals
from engine.chat.base import ChatReply, ChatRequest
from engine.chat.budget import Budget, BudgetedChat
from engine.chat.endpoint import Endpoint
from engine.chat.journal import CachedChat, Journal, request_key
from engine.runs.store import Store
from engine.templates import get as get_template
from engine.templates.base import World
from environments import make
from search.env_calls import in_thread
from search.usage import Usage

ROUNDS, TASKS = 3, 40
REPLY = ChatReply(({"role": "assistant", "content": "x" * 200},), Usage(1, 600, 60))


class Instant:
    """A Chat that answers at once."""

    base_url = "http://instant"

    async def complete(self, request: ChatRequest) -> ChatReply:
        return REPLY


class Parts:
    """The parts, each as a coroutine function of the number of a round."""

    def __init__(self, recording: rivals.Recording, folder: Path, base_url: str) -> None:
        self.recording, self.folder, self.base_url = recording, folder, base_url
        self.env = make("webshop")
        self.world = World(self.env.instructions, self.env.tools)
        self.template = get_template("native")
        self.requests = [each for asked in recording.requests.values() for each in asked]

    async def client(self, _: int) -> None:
        """the bare client: post, 1 at once"""
        await rivals.bare(self.base_url, self.recording.bodies(len(self.recording.tasks)), 1)

    async def endpoint(self, _: int) -> None:
        """the same through Endpoint: rates, retries, time-out, reading the reply"""
        endpoint = Endpoint(self.base_url)
        for request in self.requests:
            await endpoint.complete(request)
        await endpoint.aclose()

    async def rendering(self, _: int) -> None:
        """rendering messages and tools"""
        for task, path in self.recording.states:
            self.template.render(self.world, task, path)
            self.template.tools(self.world)

    async def key(self, _: int) -> None:
        """the request's key, once (the teacher and the journal each make it)"""
        for request in self.requests:
            request_key("http://x", request)

    async def journal(self, turn: int) -> None:
        """journal and budget: key, look-up, commit; 64 at once"""
        with Journal(self.folder / f"{turn}.db") as journal:
            chat = CachedChat(BudgetedChat(Instant(), Budget()), journal)
            for start in range(0, len(self.requests), 64):
                await asyncio.gather(*map(chat.complete, self.requests[start : start + 64]))

    async def thread(self, _: int) -> None:
        """a step's way to a thread and back"""
        for _ in self.requests:
            await in_thread(int)

    async def steps(self, _: int) -> None:
        """the environment's own work: the states of the search, once each"""
        for tree in self.recording.trees:
            self.env.reset(options={"task": tree.task})
            saved = {0: self.env.snapshot()}
            for node in tree.nodes:
                self.env.restore(saved[node.parent])
                self.env.step(node.step.action)
                saved[node.id] = self.env.snapshot()

    async def store(self, turn: int) -> None:
        """storing the tree, over its requests"""
        with Store.create(self.folder / f"run{turn}") as store:
            for tree in self.recording.trees:
                store.add_tree(tree)


def cost(part: Callable[[int], Coroutine[Any, Any, None]], requests: int) -> float:
    """us a request."""
    found = []
    with asyncio.Runner() as runner:
        for turn in range(ROUNDS + 1):
            began = time.process_time()
            runner.run(part(turn))
            found.append((time.process_time() - began) / requests * 1e6)
    return statistics.median(found[1:])  # the first one imports


def main() -> None:
    recording = asyncio.run(rivals.recorded("webshop", None, TASKS))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "script.json").write_text(json.dumps(recording.replies), "utf-8")
        command = [sys.executable, rivals.__file__, str(folder / "script.json"), "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout
            base_url = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
            parts = Parts(recording, folder, base_url)
            characters = statistics.mean(len(json.dumps(r.messages)) for r in parts.requests)
            number = len(parts.requests)
            print(f"{number} requests of {characters:.0f} characters of messages on average")
            for part in (
                parts.client,
                parts.endpoint,
                parts.rendering,
                parts.key,
                parts.journal,
                parts.thread,
                parts.steps,
                parts.store,
            ):
                print(f"  {cost(partial(part), number):7.0f} us  {part.__doc__}")
            server.kill()


if __name__ == "__main__":
    main()
