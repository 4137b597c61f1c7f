"""The student behind an endpoint, for as long as a step needs it."""

import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen, TimeoutExpired

from engine.cli.option_table import Options
from engine.errors import UsageError
from treegraft.rounds.subprocesses import StepFailed, started

HOST = "127.0.0.1"
_FIRST_PORT, _PORTS = 18000, 8000  # below those that systems use for outgoing connections
_PATIENCE = 30.0  # seconds for a server to end by itself, ours or that of an earlier run


@contextmanager
def served(options: Options) -> Iterator[None]:
    """Serve the student until the end of the block.

    Raises:
        UsageError: The port is taken.
        StepFailed: The server ended before it was ready, and said why on standard error.
    """
    _await_free(options["port"])
    # It listens on loopback only, and the client's key is the teacher's: the server has none.
    env = {name: value for name, value in os.environ.items() if name != "TREEGRAFT_API_KEY"}
    with started("serve", options, watches_stdin=True, stdout=PIPE, env=env) as server:
        _await_ready(server)
        try:
            yield
        finally:
            _end(server)


def base_url(port: int) -> str:
    """Return the address of the student."""
    return f"http://{HOST}:{port}/v1"


def choose_port(folder: Path) -> int:
    """Return a free port.

    The first one tried depends on the folder, so that two runs seldom meet.

    Raises:
        UsageError: None is free.
    """
    start = int.from_bytes(hashlib.sha256(str(folder).encode()).digest()[:4])
    for step in range(_PORTS):
        port = _FIRST_PORT + (start + step) % _PORTS
        if _is_free(port):
            return port
    raise UsageError(f"no port from {_FIRST_PORT} to {_FIRST_PORT + _PORTS} is free")


def _is_free(port: int) -> bool:
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
    while not _is_free(port):
        if time.monotonic() > deadline:
            raise UsageError(
                f"port {port}, where this run serves its student, is taken: end the program that "
                "listens there, and run the same command"
            )
        time.sleep(0.1)


def _await_ready(server: "Popen[bytes]") -> None:
    """Wait for the announcement, a line of JSON."""
    assert server.stdout is not None
    while line := server.stdout.readline():
        try:
            announcement = json.loads(line)
        except ValueError:  # a library printed it
            continue
        if isinstance(announcement, dict) and "base_url" in announcement:
            return
    raise StepFailed(f"the student's server ended with code {server.wait()} before it was ready")


def _end(server: "Popen[bytes]") -> None:
    """Let the server end by itself: it may have children of its own."""
    assert server.stdin is not None
    server.stdin.close()
    try:
        server.wait(_PATIENCE)
    except TimeoutExpired:
        server.terminate()
