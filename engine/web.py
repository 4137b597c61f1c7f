"""Web servers of commands: an ASGI app on uvicorn, in its own thread, until Ctrl-C or SIGTERM."""

import hmac
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from types import FrameType
from typing import Self

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.errors import UsageError
from treegraft.errors import TreegraftError

HOST = "127.0.0.1"
LOOPBACK = {"127.0.0.1": "127.0.0.1", "localhost": "localhost", "::1": "[::1]"}
"""Names of this machine, and how they are written in an address."""
_GRACE_SECONDS = 5  # for clients to take their last response
_MOST_BYTES = 1 << 22  # of a message to a WebSocket
_PING_SECONDS = 120.0  # for a client that computes, to show that it lives


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on a free port if `port` is 0.

    Clients that connect wait for a `WebServer` to take it.

    Raises:
        UsageError: the address is not available.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = str(error.strerror).partition(" (while")[0]  # it repeats the address
        raise UsageError(f"cannot serve on {host}:{port} ({reason}); try another --port") from error


class WebServer(uvicorn.Server):
    """Serves `app` in its own thread for the duration of a `with` block.

    At the end of the block, idle connections are closed and running requests get a few seconds to
    finish. Defects of the app are answered with status 500 and printed; nothing else is logged.

    Args:
        listener: from `listen`; the server closes it.
        on_stop: called in the server's event loop when it stops, for requests that wait long.
        websockets: whether it serves WebSocket, too.
        lifespan: whether it tells `app` when it starts and stops; with WebSockets it does.
    """

    def __init__(
        self,
        app: ASGIApp,
        listener: socket.socket,
        on_stop: Callable[[], None] = lambda: None,
        *,
        websockets: bool = False,
        lifespan: bool = False,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                http="h11",
                ws="websockets-sansio" if websockets else "none",
                ws_max_size=_MOST_BYTES,
                ws_ping_timeout=_PING_SECONDS,
                lifespan="on" if websockets or lifespan else "off",
                log_config=None,
                log_level="error",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )
        self.host, self.port = listener.getsockname()[:2]
        self._on_stop = on_stop
        self._thread = Thread(target=self.run, args=([listener],), daemon=True)

    @property
    def address(self) -> str:
        """The URL of the first page."""
        return f"http://{self.host}:{self.port}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.should_exit = True
        self._thread.join()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; uvicorn calls it."""
        self._on_stop()
        await super().shutdown(sockets)


@contextmanager
def stop_signals(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Send Ctrl-C and SIGTERM to `handler` within the block. For the main thread."""
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler_before in before.items():
            signal.signal(number, handler_before)


@contextmanager
def stop_event() -> Iterator[Event]:
    """Give an event that Ctrl-C and SIGTERM set within the block. For the main thread."""
    stop = Event()
    with stop_signals(lambda *_: stop.set()):
        yield stop


def browser_app(routes: Sequence[Route], policy: str) -> Starlette:
    """Return an app for the browser of this machine. An error of ours is answered as its text.

    `policy` is the Content-Security-Policy of every response. Use POST for what changes something.
    """
    return Starlette(
        routes=routes,
        middleware=[Middleware(_OwnPagesOnly, policy=policy)],
        exception_handlers={TreegraftError: _error_text},
    )


def is_of_this_machine(request: Request) -> bool:
    """Return whether a client calls the server by a name of this machine.

    Another name comes from a page in a browser, by DNS rebinding.
    """
    host = request.headers.get("host", "")
    return not {host, host.rpartition(":")[0]}.isdisjoint(LOOPBACK.values())


def has_token(request: Request, token: str) -> bool:
    """Return whether a client sends `token` as a bearer token; "" is never missing."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    sent = given.strip() if scheme.lower() == "bearer" else ""
    return not token or hmac.compare_digest(sent.encode(), token.encode())


def _error_text(request: Request, error: Exception) -> Response:
    status = 400 if request.method == "POST" else 404
    return PlainTextResponse(str(error).encode("utf-8", "replace"), status)


class _OwnPagesOnly:
    """Middleware that refuses other host names (DNS rebinding) and POSTs from other origins (CSRF).

    Every program that can connect to this machine's loopback interface can still read the pages.
    """

    def __init__(self, app: ASGIApp, policy: str) -> None:
        self._app = app
        self._headers = {
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Cache-Control": "no-store",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        headers = Headers(scope=scope)
        hosts = [f"{name}:{scope['server'][1]}" for name in (HOST, "localhost")]
        app = self._app
        if headers.get("host") not in hosts:
            app = PlainTextResponse("this server answers under its loopback address only", 403)
        # Browsers send the origin of every POST; without one it is not from a page of ours.
        elif scope["method"] == "POST" and headers.get("origin") not in [
            f"http://{host}" for host in hosts
        ]:
            app = PlainTextResponse("this server takes forms from its own pages only", 403)
        await app(scope, receive, send_guarded)


async def read_body(request: Request, limit: int) -> bytes:
    """Return the body of `request`.

    Raises:
        HTTPException: the body is larger than `limit` bytes (413), or the client hung up.
    """
    too_large = HTTPException(413, f"a request may have at most {limit} bytes")
    if int(request.headers.get("content-length", 0)) > limit:
        raise too_large
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise too_large
    except ClientDisconnect:
        raise HTTPException(400, "the client hung up") from None
    return bytes(body)
