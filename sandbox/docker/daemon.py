"""How the Docker daemon is reached, and what its errors come to.

`docker` is imported when a function is called, not before: the commands that need no daemon must
start quickly.

Limitation: the daemon must be on this machine, behind a Unix socket, because sandboxes read files
of this machine and share its memory.
"""

import contextlib
import http.client
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

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
    ("bind source path does not exist", "a path that the sandbox should read is not there"),
)
"""What the daemon or the socket says, in lower case, and what it means to the user."""


def address() -> str:
    """Where the daemon listens: DOCKER_HOST, else Docker's context, else the usual place."""
    if host := os.environ.get("DOCKER_HOST"):
        return host
    if not (Path.home() / ".docker").is_dir():
        return SOCKET  # no context can have been chosen; asking would import docker
    from docker.context import ContextAPI

    context = ContextAPI.get_current_context()
    return (context.Host if context else None) or SOCKET


def socket_path() -> Path:
    """The daemon's socket.

    Raises:
        SandboxError: the daemon is not on this machine.
    """
    scheme, separator, path = address().partition("://")
    if not separator or scheme not in ("unix", "http+unix"):
        raise SandboxError(f"Docker at {address()} is not on this machine; unset DOCKER_HOST")
    return Path("/" + path.lstrip("/"))


def explain(error: Exception) -> str:
    """One line that says what is wrong and, where we know, what to do."""
    text = str(getattr(error, "explanation", None) or error) or type(error).__name__
    for sign, meaning in CAUSES:
        if sign in text.lower():
            return f"{meaning} ({first_line(text)})"
    return f"Docker refuses: {first_line(text)}"


def first_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[0][:300]


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Errors of Docker and of the way to it become a SandboxError."""
    from docker.errors import DockerException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (DockerException, HTTPError, http.client.HTTPException, OSError) as error:
        raise SandboxError(explain(error)) from error


@contextlib.contextmanager
def connected(seconds: float = 60.0) -> Iterator["DockerClient"]:
    """A client of our own, closed at the end; no request waits more than `seconds` for an answer.

    A client is not shared: one that several threads or a forked process use mixes up replies.

    Raises:
        SandboxError: no daemon, or it refuses; of what is done with the client too.
    """
    path = socket_path()
    import docker

    with explained():
        dial(seconds).close()  # docker-py leaks the socket when it cannot connect
        client = docker.DockerClient(
            base_url=f"unix://{path}", version="auto", timeout=max(1, round(seconds))
        )
        with contextlib.closing(client):
            yield client


def unavailable() -> str:
    """Why the daemon cannot be used, in one line; "" if it answers."""
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
    """Remove a container, running or not; one that is gone or about to go is fine.

    Args:
        container: its name or id.
        seconds: to wait for each of the daemon's answers.

    Returns:
        Why nobody knows whether it is gone, in one line; "" if it is.
    """
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
    """A plain connection to the daemon. Raises OSError: nobody listens."""
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    stream.settimeout(seconds)
    try:
        stream.connect(str(socket_path()))
    except OSError:
        stream.close()
        raise
    return stream


def attach(container: str, seconds: float) -> socket.socket:
    """The container's three standard streams as one socket.

    docker-py could do it, but gives a socket that its connection pool still believes to own.

    Raises:
        OSError: no such container, or no daemon.
    """
    stream = dial(seconds)
    query = "stream=1&stdin=1&stdout=1&stderr=1"
    request = (
        f"POST /containers/{container}/attach?{query} HTTP/1.1\r\nHost: docker\r\n"
        "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n"
    )
    head = b""
    try:
        stream.sendall(request.encode())
        while b"\r\n\r\n" not in head:
            data = stream.recv(4096)
            if not data:
                raise ConnectionResetError("connection aborted")
            head += data
        if b" 101 " not in head.partition(b"\r\n")[0]:
            raise ConnectionError(f"cannot attach: {head.decode(errors='replace')}")
    except BaseException:
        stream.close()
        raise
    return stream
