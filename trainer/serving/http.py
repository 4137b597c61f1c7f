"""HTTP/1.1 over asyncio, as little of it as a chat endpoint needs; h11 knows the protocol.

Limits: no TLS, no streaming; a whole request is read before it is answered, a whole answer sent.
"""

import asyncio
import json
import socket
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import h11

LONGEST = 1 << 25
"""Bytes of a request's body, at most."""

_CHUNK = 1 << 16
_FAREWELL_SECONDS = 5.0  # for clients to take their last answer
_QUIET_SECONDS = 120.0  # for a request to come in; clients close what is idle much sooner


@dataclass(frozen=True, slots=True)
class Request:
    """path: without the query.   headers: by lower-case name."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """body: JSON."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Awaitable[Response]]


def trouble(
    status: int, message: str, kind: str = "invalid_request_error", **more: str
) -> Response:
    """An error as OpenAI writes it. more: `code`, `param`."""
    error = {"message": message, "type": kind, "param": None, "code": None, **more}
    return Response(status, json.dumps({"error": error}).encode())


class Server:
    """Answers requests on a bound socket by `handler`, many at once.

    A handler whose client has gone is cancelled. One that raises is a defect: it is printed, the
    client is told, and the server goes on.
    """

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._stopping = asyncio.Event()
        self._open: set[asyncio.Task[None]] = set()

    async def start(self, bound: socket.socket) -> None:
        self._server = await asyncio.start_server(self._connection, sock=bound, backlog=1024)

    async def stop(self) -> None:
        """Take nothing more; whoever still waits is told so."""
        self._server.close()
        self._stopping.set()
        if self._open:
            await asyncio.wait(self._open, timeout=_FAREWELL_SECONDS)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        peer = _Peer(reader, writer)
        try:
            while await self._exchange(peer):
                pass
        except (ConnectionError, TimeoutError):
            pass  # the client went away, or has nothing to say
        finally:
            self._open.discard(task)
            writer.close()

    async def _exchange(self, peer: "_Peer") -> bool:
        """Serve one request; whether the connection lives on."""
        coming, _ = await _race(peer.receive(), self._stopping.wait())
        if coming is None:
            return False
        try:
            request = coming.result()
        except h11.RemoteProtocolError as error:
            refused = trouble(error.error_status_hint, f"this is no HTTP request: {error}")
            return await peer.send(refused)
        if request is None or isinstance(request, Response):
            return request is not None and await peer.send(request)
        response = await self._answer(request, peer)
        return response is not None and await peer.send(response)

    async def _answer(self, request: Request, peer: "_Peer") -> Response | None:
        """None where nobody waits for it any more."""
        answered, _, stopping = await _race(
            self._handler(request), peer.gone(), self._stopping.wait()
        )
        if answered is None:
            stopped = trouble(503, "the server is being stopped", "server_error")
            return stopped if stopping else None
        if error := answered.exception():
            traceback.print_exception(error, file=sys.stderr)
            return trouble(500, f"a defect of the server: {error!r}", "server_error")
        response: Response = answered.result()
        return response


async def _race(*awaited: Awaitable[Any]) -> list[asyncio.Future[Any] | None]:
    """What is done first, each in its place; the others are cancelled, and None."""
    running = [asyncio.ensure_future(one) for one in awaited]
    try:
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        return [one if one in done else None for one in running]
    finally:
        for one in running:
            one.cancel()


class _Peer:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._protocol = h11.Connection(h11.SERVER)
        self._head_only = False

    async def receive(self) -> Request | Response | None:
        """The next request, or what is to be said of it at once; None at the end.

        Raises:
            h11.RemoteProtocolError: it is no HTTP.
            TimeoutError: nothing came.
        """
        async with asyncio.timeout(_QUIET_SECONDS):
            head = await self._event()
            if not isinstance(head, h11.Request):
                return None
            self._head_only = head.method == b"HEAD"
            body = bytearray()
            while isinstance(event := await self._event(), h11.Data):
                body += event.data
                if len(body) > LONGEST:
                    return trouble(413, f"a request may hold {LONGEST} bytes, at most")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        path = head.target.decode("latin-1").partition("?")[0]
        return Request(head.method.decode("ascii"), path, headers, bytes(body))

    async def _event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while (event := self._protocol.next_event()) is h11.NEED_DATA:
            if self._protocol.they_are_waiting_for_100_continue:
                self._write(h11.InformationalResponse(status_code=100, headers=[]))
            self._protocol.receive_data(await self._reader.read(_CHUNK))
        return event

    async def gone(self) -> None:
        """Wait for the client to hang up (or to send what nobody sends before its answer)."""
        ahead = 0
        try:
            while ahead < LONGEST and (data := await self._reader.read(_CHUNK)):
                self._protocol.receive_data(data)  # the next request: some clients do not wait
                ahead += len(data)
        except ConnectionError:
            return

    async def send(self, response: Response) -> bool:
        """Whether the connection can take another request after it."""
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(response.body)),
            **response.headers,
        }
        # What was not read to its end cannot be followed by anything.
        if self._protocol.their_state is not h11.DONE:
            headers["Connection"] = "close"
        reason = HTTPStatus(response.status).phrase
        head = h11.Response(
            status_code=response.status, headers=list(headers.items()), reason=reason
        )
        self._write(head)
        self._write(h11.Data(data=b"" if self._head_only else response.body))
        self._write(h11.EndOfMessage())
        await self._writer.drain()
        if self._protocol.our_state is not h11.DONE:
            return False
        self._protocol.start_next_cycle()
        return True

    def _write(self, event: h11.Event) -> None:
        if data := self._protocol.send(event):
            self._writer.write(data)
