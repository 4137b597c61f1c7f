"""The web server of commands: its socket, its limits, and how it stops."""

import asyncio
import os
import signal
import socket
import time
from threading import Thread
from urllib.request import urlopen

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from engine.errors import UsageError
from engine.web import HOST, WebServer, listen, read_body, stop_event


async def _length(request: Request) -> Response:
    return PlainTextResponse(str(len(await read_body(request, 8))))


async def _slow(request: Request) -> Response:
    await asyncio.sleep(0.5)
    return PlainTextResponse("done")


APP = Starlette(routes=[Route("/", _length, methods=["POST"]), Route("/slow", _slow)])


def exchange(server: WebServer, sent: bytes, *more: bytes) -> bytes:
    """What the server sends back, until it closes the connection."""
    with socket.create_connection((server.host, server.port), timeout=20) as connection:
        for part in (sent, *more):
            connection.sendall(part)
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def test_an_address_is_taken_by_one_server_and_free_after_it() -> None:
    with WebServer(APP, listen(HOST, 0)) as server:
        taken = rf"cannot serve on {HOST}:{server.port} \(Address already in use\); try another"
        with pytest.raises(UsageError, match=taken):
            listen(HOST, server.port)
        assert exchange(server, b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    listen(HOST, server.port).close()


def test_an_unknown_host_is_an_error() -> None:
    with pytest.raises(UsageError, match="cannot serve on no.such.host.invalid:0"):
        listen("no.such.host.invalid", 0)


def test_a_client_that_connects_early_is_answered() -> None:
    listener = listen(HOST, 0)
    with socket.create_connection(listener.getsockname()[:2], timeout=20) as early:
        early.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        with WebServer(APP, listener):
            assert early.recv(1 << 16).startswith(b"HTTP/1.1 200")


def test_a_body_is_limited_also_where_its_length_is_not_declared() -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
    with WebServer(APP, listen(HOST, 0)) as server:
        fits = exchange(server, chunked, b"4\r\n1234\r\n", b"4\r\n5678\r\n", b"0\r\n\r\n")
        assert fits.startswith(b"HTTP/1.1 200") and fits.endswith(b"8")
        over = exchange(server, chunked, b"9\r\n123456789\r\n0\r\n\r\n")
        assert over.startswith(b"HTTP/1.1 413")


def test_a_client_that_hangs_up_early_is_no_defect(caplog: pytest.LogCaptureFixture) -> None:
    with WebServer(APP, listen(HOST, 0)) as server:
        with socket.create_connection((server.host, server.port), timeout=20) as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n123")
        time.sleep(0.1)
    assert caplog.text == ""


def test_a_stopping_server_finishes_what_it_began() -> None:
    with WebServer(APP, listen(HOST, 0)) as server:
        idle = socket.create_connection((server.host, server.port), timeout=20)
        answers: list[bytes] = []
        sent = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
        thread = Thread(target=lambda: answers.append(exchange(server, sent)))
        thread.start()
        time.sleep(0.2)
    thread.join()
    assert answers[0].endswith(b"done")
    with idle:
        assert idle.recv(1) == b"", "an idle connection does not delay the end"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_sets_the_event_and_the_handlers_are_put_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with WebServer(APP, listen(HOST, 0)) as server, stop_event() as stop:
        os.kill(os.getpid(), number)
        assert stop.wait(5)
        with urlopen(f"{server.address}slow", timeout=5) as answer:  # it stops with the block
            assert answer.read() == b"done"
    assert signal.getsignal(number) is before
