"""Reach the Docker daemon, and explain its errors.

`docker` is imported when a function is called, not before: commands that need no daemon must start
quickly.

Limitation: the daemon must be on this machine, behind a Unix socket, because sandboxes read files
of this machine and share its memory.
"""

import contextlib
import http.client
import os
import queue
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sandbox.errors import SandboxError

if TYPE_CHECKING:
    from docker import DockerClient

SOCKET = "unix:///var/run/docker.sock"

CAUSES = (
    (
        "no space left",
        "Docker has no space left; free some, for example with `docker system prune`",
    ),
    ("permission denied", "this user may not use Docker; add it to the group `docker`"),
    ("timed out", "the Docker daemon does not answer in time; look at its log, or restart it"),
    ("no such file", "no Docker daemon runs; start it, or use another sandbox"),
    ("connection refused", "no Docker daemon runs; start it, or use another sandbox"),
    ("connection aborted", "the Docker daemon went away; start it again"),
    ("remote end closed", "the Docker daemon went away; start it again"),
    ("already in use", "a container of that name exists; remove it, and try again"),
    ("bind source path does not exist", "a path that the sandbox should read does not exist"),
)
"""Lower-case text of the daemon or the socket, and what it means to the user."""


def address() -> str:
    """Return where the daemon listens: DOCKER_HOST, else Docker's context, else the usual place."""
    if host := os.environ.get("DOCKER_HOST"):
        return host
    if not (Path.home() / ".docker").is_dir():
        return SOCKET  # nobody chose a context, and asking would import docker
    from docker.context import ContextAPI

    context = ContextAPI.get_current_context()
    return (context.Host if context else None) or SOCKET


def socket_path() -> Path:
    """Return the path of the daemon's socket; raise `SandboxError` if it is on another machine."""
    scheme, separator, path = address().partition("://")
    if not separator or scheme not in ("unix", "http+unix"):
        raise SandboxError(f"Docker at {address()} is not on this machine; unset DOCKER_HOST")
    return Path("/" + path.lstrip("/"))


def explain(error: Exception) -> str:
    """Return one line that says what is wrong and, if known, what to do."""
    text = str(getattr(error, "explanation", None) or error) or type(error).__name__
    for sign, meaning in CAUSES:
        if sign in text.lower():
            return f"{meaning} ({first_line(text)})"
    return f"Docker refuses: {first_line(text)}"


def first_line(text: str) -> str:
    """Return the first line of a message, at most 300 characters of it."""
    return (text.strip().splitlines() or ["no reason given"])[0][:300]


class ReentrantQueue(queue.LifoQueue[Any]):
    """The queue of a connection pool that an interrupt cannot close for ever.

    An interrupt that comes between the taking of a lock and its use leaves it taken. The pool is
    drained when it is collected, in the same thread, and would wait for that lock.
    """

    def __init__(self, maxsize: int = 0) -> None:
        super().__init__(maxsize)
        # As `Queue` makes them, of a lock that its own thread may take again.
        self.mutex = cast(Any, threading.RLock())
        self.not_empty = threading.Condition(self.mutex)
        self.not_full = threading.Condition(self.mutex)
        self.all_tasks_done = threading.Condition(self.mutex)


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn errors of Docker and of the connection to it into a SandboxError."""
    from docker.errors import DockerException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (DockerException, HTTPError, http.client.HTTPException, OSError) as error:
        raise SandboxError(explain(error)) from error


@contextlib.contextmanager
def connected(seconds: float = 60.0) -> Iterator["DockerClient"]:
    """Provide a new client, closed at the end.

    A client is not shared: between threads or forked processes it mixes up replies.

    Raises:
        SandboxError: no daemon, or it refuses what is done with the client.
    """
    path = socket_path()
    import docker
    from docker.transport.unixconn import UnixHTTPConnectionPool

    UnixHTTPConnectionPool.QueueCls = ReentrantQueue
    with explained():
        dial(seconds).close()  # docker-py leaks the socket when it cannot connect
        client = docker.DockerClient(
            base_url=f"unix://{path}", version="auto", timeout=max(1, round(seconds))
        )
        with contextlib.closing(client):
            yield client


def unavailable() -> str:
    """Return why the daemon cannot be used, in one line; "" if it answers."""
    try:
        if not socket_path().is_socket():
            return "no Docker daemon runs on this machine"
        with connected(seconds=1.0) as client:
            client.ping()
    except ImportError:
        return "the Python package docker is not installed"
    except SandboxError as error:
        return str(error)
    return ""


def remove_container(container: str, seconds: float) -> str:
    """Remove a container, running or not; return why nobody knows whether it is gone, or ""."""
    from docker.errors import APIError

    try:
        with connected(seconds) as client:
            try:
                client.api.remove_container(container, force=True, v=True)
            except APIError as error:
                if error.status_code not in (404, 409):  # 409: its removal is in progress
                    raise
    except SandboxError as error:
        return str(error)
    return ""


def dial(seconds: float) -> socket.socket:
    """Return a plain connection to the daemon. Raises OSError if nobody listens."""
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    stream.settimeout(seconds)
    try:
        stream.connect(str(socket_path()))
    except OSError:
        stream.close()
        raise
    return stream


def attach(container: str, seconds: float) -> socket.socket:
    """Return the container's three standard streams as one socket.

    Raises:
        OSError: there is no such container, or no daemon.
    """
    query = "stream=1&stdin=1&stdout=1&stderr=1"
    return _upgraded(f"/containers/{container}/attach?{query}", b"", seconds)


def start_exec(exec_id: str, seconds: float) -> socket.socket:
    """Start a program that was created in a container; return its streams as one socket.

    Raises:
        OSError: there is no such program, or no daemon.
    """
    return _upgraded(f"/exec/{exec_id}/start", b'{"Detach": false, "Tty": false}', seconds)


def _upgraded(path: str, body: bytes, seconds: float) -> socket.socket:
    """Send a request whose connection then carries streams; return that.

    docker-py could do it, but its connection pool still believes to own the socket that it returns.
    """
    stream = dial(seconds)
    request = (
        f"POST {path} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\n"
        f"Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    head = b""
    try:
        stream.sendall(request.encode() + body)
        while not head.endswith(b"\r\n\r\n"):  # byte by byte: what follows is the streams'
            data = stream.recv(1)
            if not data:
                raise ConnectionResetError("connection aborted")
            head += data
        if b" 101 " not in head.partition(b"\r\n")[0]:
            raise ConnectionError(f"cannot attach: {head.decode(errors='replace')}")
    except BaseException:
        stream.close()
        raise
    return stream
