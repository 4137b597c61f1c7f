"""A chat server that speaks OpenAI's API over loopback: for tests, and as a process of its own.

    with ChatServer(lambda request: "hello", faults=[status(429, after=1)]) as server:
        ...  # server.base_url, server.requests

    python -m tests.support.chat_server --port 0 --log FILE --latency 0.02

The process prints its port and plays the bundled SQL tasks as a pure function of the request: see
`SqlPlayer`. It logs a line for each request received: the sha256 of its body.
Limitations: no streaming; tokens are ceil(characters / 4).
"""

import argparse
import asyncio
import hashlib
import json
import os
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Self

from tests.support.chat_faults import Fault, Json, status

__all__ = ["ChatServer", "Fault", "Json", "Reply", "SqlPlayer", "status", "tokens"]

SQL_DATA = Path(__file__).parents[2] / "environments" / "sql" / "data"

Reply = Callable[[Json], "str | Json | Sequence[Json]"]
"""From a request to one assistant message (or its text), or to one for each choice."""


class ChatServer:
    """Serves on a free port of 127.0.0.1, on a thread and loop of its own.

    reply: see `Reply`; a value with a key "choices" or "output" is sent as the whole answer.
    faults: consumed in order, one a request; then requests are answered. Or what says, of each
        request's body, what befalls it: None for an answer.
    latency: seconds before an answer.   log: file that gets a line per request received.
    path: where requests go; those to another one are answered by 404, without being kept.
    models: names that GET /v1/models lists; None if it is unknown.
    key: the only one that is taken; None takes any.
    tls: makes it an HTTPS server; set it before the server starts.
    requests: the bodies received, decoded, in order.   bodies: as they came.
    targets: the path and query of each request, also of those to other paths.
    headers: the headers of each.
    busiest: the most requests that were being served at once.
    """

    path = "/v1/chat/completions"
    models: Sequence[str] | None = None
    tls: ssl.SSLContext | None = None
    key: str | None = None

    def __init__(
        self,
        reply: Reply,
        *,
        faults: Sequence[Fault] | Callable[[Json], Fault | None] = (),
        latency: float = 0.0,
        port: int = 0,
        log: Path | None = None,
    ) -> None:
        self.targets: list[str] = []
        self.requests: list[Json] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.busiest = 0
        self.latency = latency
        self._serving = 0
        in_order = iter(()) if callable(faults) else iter(faults)
        self._fault = faults if callable(faults) else lambda _: next(in_order, None)
        self._reply, self._port = reply, port
        self._log = None if log is None else os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chat-server")
        self._open: set[asyncio.Task[None]] = set()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        if self._log is not None:
            os.close(self._log)

    def down(self, seconds: float) -> None:
        """Drop every connection, refuse others for `seconds`, and come back on the same port."""

        async def outage() -> None:
            await self._stop()
            await asyncio.sleep(seconds)
            self._port = self.port
            await self._start()

        asyncio.run_coroutine_threadsafe(outage(), self._loop).result()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(
            self._connection, "127.0.0.1", self._port, limit=2**26, ssl=self.tls
        )

    async def _stop(self) -> None:
        self._server.close()
        for connection in self._open:
            connection.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            while await self._request(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client went away, or the test is over
        finally:
            self._open.discard(task)
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; whether the connection lives on."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in head[1:] if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        if self._log is not None and raw:
            os.write(self._log, hashlib.sha256(raw).hexdigest().encode() + b"\n")
        method, target, _ = head[0].split(" ")
        self.targets.append(target)
        if self.key not in (None, headers.get("authorization", "").removeprefix("Bearer ")):
            return await _send(writer, 401, json.dumps({"error": {"message": "wrong key"}}))
        if method == "GET" and target == "/v1/models" and self.models is not None:
            listed = {"object": "list", "data": [{"id": name} for name in self.models]}
            return await _send(writer, 200, json.dumps(listed))
        if method != "POST" or target.partition("?")[0] != self.path:
            missing = json.dumps({"error": {"message": f"no such path: {head[0]}"}})
            return await _send(writer, 404, missing)
        self.requests.append(json.loads(raw))
        self.bodies.append(raw)
        self.headers.append(headers)
        self._serving += 1
        self.busiest = max(self.busiest, self._serving)
        try:
            fault = self._fault(json.loads(raw))
            if fault is not None and fault.kind != "slow":
                return await self._fail(fault, writer)
            await asyncio.sleep(self.latency if fault is None else fault.seconds)
            return await _send(writer, 200, self._answer(json.loads(raw)))
        finally:
            self._serving -= 1

    async def _fail(self, fault: Fault, writer: asyncio.StreamWriter) -> bool:
        if fault.kind in ("status", "text"):
            return await _send(writer, fault.status, fault.body, fault.headers)
        if fault.kind == "hang":
            await asyncio.sleep(fault.seconds)
        elif fault.kind == "half":
            await _send(writer, 200, '{"choices": [{"message": ', {"Content-Length": "500"})
        else:  # a linger of 0 seconds makes close() send RST
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    def _answer(self, request: Json) -> str:
        given = self._reply(request)
        if isinstance(given, Mapping) and given.keys() & {"choices", "output"}:
            return json.dumps(given)
        one_or_more = [given] if isinstance(given, str | Mapping) else list(given)
        messages = [
            {"role": "assistant", "content": each} if isinstance(each, str) else each
            for each in one_or_more
        ]
        choices = [
            {
                "index": index,
                "message": message,
                "finish_reason": "tool_calls" if message.get("tool_calls") else "stop",
            }
            for index, message in enumerate(messages)
        ]
        prompt = tokens([request["messages"], request.get("tools", [])])
        usage = {"prompt_tokens": prompt, "completion_tokens": tokens(messages)}
        return json.dumps(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 0,
                "model": request["model"],
                "choices": choices,
                "usage": {**usage, "total_tokens": sum(usage.values())},
            }
        )


def tokens(value: Any) -> int:
    """The server's count of tokens: a quarter of the characters of the JSON."""
    return -(-len(json.dumps(value)) // 4)


async def _send(
    writer: asyncio.StreamWriter, code: int, body: str, headers: Mapping[str, str] | None = None
) -> bool:
    data = body.encode()
    fields = {
        "Content-Type": "application/json",
        "Content-Length": str(len(data)),
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    writer.write(f"HTTP/1.1 {code} X\r\n{head}\r\n".encode() + data)
    await writer.drain()
    return True


class SqlPlayer:
    """Plays the bundled SQL tasks, as a pure function of the request: what it does is drawn with
    the sha256 of the body as seed. It looks at tables, tries a query and answers; often wrong, and
    sometimes with a reply that is no call. Calls tools where the request has some, else it writes
    ReAct's text.
    """

    def __init__(self, data: Path = SQL_DATA) -> None:
        self._gold: dict[str, str] = {}
        for file in sorted(data.glob("*.json")):
            for record in json.loads(file.read_text(encoding="utf-8")):
                self._gold[record["question"]] = record["SQL"]

    def __call__(self, request: Json) -> list[Json]:
        seed = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
        texts = [str(message.get("content") or "") for message in request["messages"]]
        known = [question for question in self._gold if any(question in text for text in texts)]
        gold = self._gold[max(known, key=len)] if known else "SELECT 1"
        depth = sum(message["role"] == "assistant" for message in request["messages"])
        played = []
        for choice in range(request.get("n") or 1):
            random = Random(f"{seed} {choice}")
            call = _sql_call(random, depth, gold, texts)
            played.append(_played(call, random, native=bool(request.get("tools"))))
        return played


def _sql_call(random: Random, depth: int, gold: str, texts: Sequence[str]) -> Json | None:
    """The next call; None: none, but idle words."""
    if random.random() < 0.08:
        return None
    listed = [text.partition("tables: ")[2] for text in texts if "tables: " in text]
    tables = re.findall(r"\w+", listed[-1]) if listed else re.findall(r"(?i)from\s+(\w+)", gold)
    wrong = [f"{gold} LIMIT 0", "SELECT no_such_column", "SELECT 0", f"SELECT ({gold}"]
    sql = random.choice([gold, gold, *wrong])
    if depth == 0:
        return {"name": "list_tables", "arguments": {}}
    if depth == 1 or random.random() < 0.2:
        if random.random() < 0.7 and tables:
            return {"name": "describe_table", "arguments": {"table": random.choice(tables)}}
        return {"name": "run_sql", "arguments": {"sql": sql}}
    return {"name": "answer", "arguments": {"sql": sql}}


def _played(call: Json | None, random: Random, *, native: bool) -> Json:
    thought = f"Step {random.randrange(1000)}."
    if call is None:
        return {"role": "assistant", "content": f"{thought} I had better think about it."}
    name, arguments = call["name"], json.dumps(call["arguments"])
    if not native:
        text = f"Thought: {thought}\nAction: {name}\nAction Input: {arguments}"
        return {"role": "assistant", "content": text}
    function = {"name": name, "arguments": arguments}
    called = {"id": f"call_{random.randrange(10**9)}", "type": "function", "function": function}
    return {"role": "assistant", "content": thought, "tool_calls": [called]}


def main() -> None:
    parser = argparse.ArgumentParser(description="A chat server that plays the SQL tasks.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before an answer")
    given = parser.parse_args()
    with ChatServer(SqlPlayer(), latency=given.latency, port=given.port, log=given.log) as server:
        print(server.port, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
