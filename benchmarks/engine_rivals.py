"""What `engine.py` measures with and against: recorded searches, a chat server that replays them
after a fixed latency, and a bare loop over it.

    python benchmarks/engine_rivals.py SCRIPT LATENCY

runs the server. It prints its port, and answers with what SCRIPT (JSON) holds under the digest of
the request's messages. `GET /times` answers the times (seconds) at which the requests came since
the last such question.
"""

import asyncio
import json
import re
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine.chat.base import ChatReply, ChatRequest
from engine.policies.demonstration import DemonstrationPolicy
from engine.policies.teacher import Teacher
from engine.templates import get as get_template
from engine.templates.base import World
from environments import Step, Task, make
from search import Dfsdt, Proposal, Request, TaskBudget, Tree
from search.usage import Usage

MODEL = "recorded"
SAMPLING = {"temperature": 1.0, "max_tokens": 1024, "seed": 0}
_COPY = re.compile(r" \[copy \d+\]")


@dataclass
class Recording:
    """Searches of `tasks`: their trees, the states (by task) in which the policy was asked, what it
    was asked, and replies by the digest of the request's messages."""

    tasks: list[Task] = field(default_factory=list)
    trees: list[Tree] = field(default_factory=list)
    states: list[tuple[Task, Sequence[Step]]] = field(default_factory=list)
    requests: dict[str, list[ChatRequest]] = field(default_factory=dict)
    replies: dict[str, dict[str, Any]] = field(default_factory=dict)

    def copies(self, number: int) -> list[Task]:
        """`number` tasks: the recorded ones over and over, told apart by their prompts."""
        return [
            copied(self.tasks[n % len(self.tasks)], n // len(self.tasks)) for n in range(number)
        ]

    def bodies(self, number: int) -> list[list[dict[str, Any]]]:
        """What the searches of `copies(number)` send."""
        return [
            [body(request, n // len(self.tasks)) for request in self.requests[task.id]]
            for n, task in ((n, self.tasks[n % len(self.tasks)]) for n in range(number))
        ]


def copied(task: Task, copy: int) -> Task:
    return replace(task, id=f"{task.id}-{copy}", prompt=f"{task.prompt} [copy {copy}]")


def body(request: ChatRequest, copy: int) -> dict[str, Any]:
    system, asked, *rest = request.messages
    asked = {**asked, "content": f"{asked['content']} [copy {copy}]"}
    messages = [system, asked, *rest]
    return {"model": MODEL, "messages": messages, **request.sampling, "tools": request.tools}


def digest(messages: Sequence[Any]) -> str:
    """Equal for the copies of a task."""
    return sha256(_COPY.sub("", json.dumps(messages)).encode()).hexdigest()


class Recorder:
    """A policy that proposes what the demonstration does, asked for as a teacher asks; and the chat
    that this teacher asks."""

    name = MODEL
    base_url = "http://recorder"

    def __init__(
        self, demonstration: DemonstrationPolicy, world: World, recording: Recording
    ) -> None:
        self.demonstration, self.recording = demonstration, recording
        self.teacher = Teacher(self, get_template("native"), world, MODEL, SAMPLING)

    async def propose(self, request: Request) -> Proposal:
        proposal = await self.demonstration.propose(request)
        self.action, self.task = proposal.actions[0], request.task
        self.recording.states.append((request.task, request.path))
        return await self.teacher.propose(request)

    async def complete(self, request: ChatRequest) -> ChatReply:
        called = {"name": self.action.tool, "arguments": json.dumps(dict(self.action.arguments))}
        call = {"id": "call_0", "type": "function", "function": called}
        reply = {"role": "assistant", "content": self.action.thought, "tool_calls": [call]}
        self.recording.replies[digest(request.messages)] = reply
        self.recording.requests.setdefault(self.task.id, []).append(request)
        return ChatReply((reply,), Usage(1, 600, 60))


async def recorded(env_name: str, split: str | None, most: int) -> Recording:
    """Searches of at most `most` tasks by the demonstration teacher."""
    env = make(env_name, split=split)
    recording = Recording(list(env.tasks)[:most])
    policy = Recorder(
        DemonstrationPolicy(env),
        World(env.instructions, env.tools),
        recording,
    )
    try:
        for task in recording.tasks:
            recording.trees.append(await Dfsdt().search(env, task, policy, TaskBudget()))
    finally:
        env.close()
    return recording


async def bare(
    base_url: str, conversations: Sequence[Sequence[Any]], at_once: int, *, typed: bool = False
) -> None:
    """Send each conversation's bodies one after another, `at_once` conversations at a time.

    typed: by `chat.completions.create`, not by `post`.
    """
    from openai import AsyncOpenAI

    waiting = iter(conversations)
    async with AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0) as client:

        async def work() -> None:
            for bodies in waiting:
                for each in bodies:
                    if typed:
                        await client.chat.completions.create(**each)
                    else:
                        await client.post("/chat/completions", body=each, cast_to=str)

        await asyncio.gather(*(work() for _ in range(at_once)))


class Server(asyncio.Protocol):
    """One connection, on which requests come one at a time: HTTP clients do not pipeline."""

    def __init__(self, script: dict[str, bytes], latency: float, times: "array[float]") -> None:
        self.script, self.latency, self.times = script, latency, times
        self.loop = asyncio.get_running_loop()
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, blank, content = self.received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if not blank or (length and len(content) < int(length[1])):
            return
        self.received = b""
        if head.startswith(b"GET"):
            self._send(json.dumps(self.times.tolist()).encode())
            del self.times[:]
            return
        self.times.append(self.loop.time())
        answer = self.script[digest(json.loads(content)["messages"])]
        self.loop.call_later(self.latency, self._send, answer)

    def _send(self, content: bytes) -> None:
        if not self.transport.is_closing():
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
            self.transport.write(head + str(len(content)).encode() + b"\r\n\r\n" + content)


def answer(message: dict[str, Any]) -> bytes:
    """A message as the body of a good answer."""
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    usage = {"prompt_tokens": 600, "completion_tokens": 60}
    whole = {"object": "chat.completion", "model": MODEL, "choices": [choice], "usage": usage}
    return json.dumps(whole).encode()


async def serve(script: dict[str, bytes], latency: float) -> None:
    times = array("d")
    server = await asyncio.get_running_loop().create_server(
        lambda: Server(script, latency, times), "127.0.0.1", 0, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    replies = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    answers = {key: answer(message) for key, message in replies.items()}
    asyncio.run(serve(answers, float(sys.argv[2])))
