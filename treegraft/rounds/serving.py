"""A student behind an endpoint, for as long as a step needs it."""

import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen, TimeoutExpired
from typing import Any

from engine.errors import UsageError
from treegraft.rounds.errors import StepFailed
from treegraft.rounds.subprocesses import started

HOST = "127.0.0.1"
_FIRST, _NUMBER = 18000, 8000  # below what systems hand out for outgoing connections
_PATIENCE = 30.0  # seconds for a server to end by itself, ours or that of a run before


@contextmanager
def served(command: Sequence[str], port: int) -> Iterator[None]:
    """`command` serves on `port` until the end of the block.

    Raises:
        UsageError: the port is taken.
        StepFailed: the server ended before it was ready; its own words are on standard error.
    """
    _await_free(port)
    # On loopback, to a client that keeps its key for the teacher: none is asked for.
    env = {name: value for name, value in os.environ.items() if name != "TREEGRAFT_API_KEY"}
    with started(command, stdin=PIPE, stdout=PIPE, env=env) as server:
        _await_ready(server)
        try:
            yield
        finally:
            _end(server)


def base_url(port: int) -> str:
    return f"http://{HOST}:{port}/v1"


def choose_port(folder: Path) -> int:
    """A free port; the first to be tried depends on the folder, so that two runs seldom meet."""
    start = int.from_bytes(hashlib.sha256(str(folder).encode()).digest()[:4])
    for step in range(_NUMBER):
        port = _FIRST + (start + step) % _NUMBER
        if _free(port):
            return port
    raise UsageError(f"no port from {_FIRST} to {_FIRST + _NUMBER} is free")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _await_free(port: int) -> None:
    """Wait for the server of a run that was killed a moment ago."""
    deadline = time.monotonic() + _PATIENCE
    while not _free(port):
        if time.monotonic() > deadline:
            raise UsageError(
                f"port {port}, on which this run serves its student, is taken: end what listens "
                "there, and run the same command"
            )
        time.sleep(0.1)


def _await_ready(server: "Popen[bytes]") -> None:
    """Wait for the line of JSON that says so."""
    assert server.stdout is not None
    while line := server.stdout.readline():
        try:
            told: Any = json.loads(line)
        except ValueError:  # what a library prints
            continue
        if isinstance(told, dict) and "base_url" in told:
            return
    raise StepFailed(f"the student's server ended with code {server.wait()} before it was ready")


def _end(server: "Popen[bytes]") -> None:
    """Let it end by itself: it may have children of its own."""
    assert server.stdin is not None
    server.stdin.close()
    try:
        server.wait(_PATIENCE)
    except TimeoutExpired:
        server.terminate()
