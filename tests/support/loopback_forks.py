"""A fork backend behind a socket: the server is another process, with a fork call of its own.

As a module it is the client; as a program the server, in which each node is a process that listens
on a port of the loopback device. It confines nothing.
"""

import contextlib
import io
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

from sandbox.errors import SandboxError, StateLost
from sandbox.fork_backend import ForkBackend
from sandbox.protocol import ROOT_NODE, Quota, Result, StepLimits
from sandbox.run_step import run_step

fork, leave = os.fork, os._exit  # agent code may replace them


class LoopbackForks(ForkBackend):
    """The client's side."""

    confines = False

    def __init__(self, quota: Quota, prelude: str) -> None:
        self.folder = tempfile.mkdtemp()
        self.server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.loopback_forks", self.folder],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            start_new_session=True,
        )
        assert self.server.stdout is not None
        self.ports = {ROOT_NODE: int(self.server.stdout.readline())}
        result = self.run(ROOT_NODE, prelude, StepLimits())
        if result.exception is not None:
            self.close()
            raise SandboxError(result.exception)

    def fork(self, parent: str, node: str) -> None:
        self.ports[node] = self.ask(parent, 60.0, op="fork", name=node)

    def run(self, node: str, code: str, limits: StepLimits) -> Result:
        kept = {"output_bytes": limits.output_bytes, "value_chars": limits.value_chars}
        started = time.monotonic()
        try:
            reply = self.ask(node, limits.seconds + 60, code=code, seconds=limits.seconds, **kept)
            return Result(**reply)
        except EOFError:
            late = time.monotonic() - started >= limits.seconds
            return Result(why="timeout" if late else "died")

    def archive(self, node: str) -> bytes:
        held = io.BytesIO()
        with tarfile.open(fileobj=held, mode="w") as made:
            made.add(Path(self.folder, node), ".")
        return held.getvalue()

    def drop(self, node: str) -> None:
        with contextlib.suppress(EOFError, OSError, StateLost):
            self.ask(node, 60.0, op="end")
        self.ports.pop(node, None)
        shutil.rmtree(Path(self.folder, node), ignore_errors=True)

    def close(self) -> None:
        if self.server.poll() is None:
            os.killpg(self.server.pid, signal.SIGKILL)
        self.server.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, node: str, wait: float, **request: Any) -> Any:
        if node not in self.ports:
            raise StateLost(f"no node {node}")
        with socket.create_connection(("127.0.0.1", self.ports[node]), wait) as stream:
            stream.sendall(json.dumps(request).encode() + b"\n")
            with stream.makefile("rb") as lines:
                line = lines.readline()
        if not line:
            raise EOFError
        return json.loads(line)


def serve(folder: str) -> None:
    """Be the root, and in its forks every other node."""
    world: dict[str, Any] = {"__name__": "__main__"}
    door = socket.create_server(("127.0.0.1", 0))
    place = Path(folder, ROOT_NODE)
    place.mkdir()
    os.chdir(place)
    print(door.getsockname()[1], flush=True)
    while True:
        stream, _ = door.accept()
        with stream, stream.makefile("rb") as lines:
            request = json.loads(lines.readline())
            match request.pop("op", "run"):
                case "fork":
                    place, door = branch(folder, place, request["name"], door, stream)
                case "end":
                    leave(0)
                case _:
                    signal.setitimer(signal.ITIMER_REAL, request.pop("seconds"))
                    reply = run_step(world=world, **request)
                    signal.setitimer(signal.ITIMER_REAL, 0)
                    stream.sendall(json.dumps(reply).encode() + b"\n")


def branch(
    folder: str, place: Path, node: str, door: socket.socket, stream: socket.socket
) -> tuple[Path, socket.socket]:
    """Copy the files and fork; return where this process is afterwards, and its own door."""
    copy, new = Path(folder, node), socket.create_server(("127.0.0.1", 0))
    shutil.copytree(place, copy, symlinks=True)
    where = copy / os.path.relpath(os.getcwd(), place)
    drawn = random.getstate()  # Python seeds anew in a fork
    if fork():
        stream.sendall(json.dumps(new.getsockname()[1]).encode() + b"\n")
        new.close()
        return place, door
    random.setstate(drawn)
    door.close()
    os.chdir(where)
    return copy, new


if __name__ == "__main__":
    serve(sys.argv[1])
