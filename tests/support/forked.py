"""`trainer` in processes that are forked from one that has imported torch and TRL.

Such a process begins at once, where a new interpreter would import for many seconds. Its process
id, standard output, environment and end are its own, so that it can be killed.
"""

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.support import commands

# Not forked from the tests' own process: torch refuses to compute gradients in such a child.
CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(["trainer.training.sft", "trainer.training.dpo"])


@dataclass(frozen=True, slots=True)
class Group:
    """The processes of a command."""

    processes: list[BaseProcess]

    def poll(self) -> int | None:
        """Return the worst exit code, or None while one of them runs."""
        codes = [process.exitcode for process in self.processes]
        return None if None in codes else max(codes, key=lambda code: abs(code or 0))

    def wait(self, seconds: float) -> int | None:
        for process in self.processes:
            process.join(seconds)
        return self.poll()

    def kill(self) -> None:
        """kill -9, and wait for the end."""
        for process in self.processes:
            process.kill()
        self.wait(60)


def trainer(*arguments: object, out: Path, err: Path, processes: int = 1) -> Group:
    """Start `trainer ARGUMENTS`; several processes train together, as torchrun would start them.

    Args:
        *arguments: Its arguments.
        out: Its standard output.
        err: Its standard error.
        processes: How many there are.
    """
    for file in (out, err):
        file.write_bytes(b"")
    words = [str(argument) for argument in arguments]
    group = Group([])
    port = _free_port()
    for rank in range(processes):
        world = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "MASTER_PORT": port}
        world |= {"LOCAL_WORLD_SIZE": processes}
        env = {name: str(value) for name, value in world.items()} | {"MASTER_ADDR": "127.0.0.1"}
        process = CONTEXT.Process(target=_run, args=(words, out, err, env if processes > 1 else {}))
        process.start()
        group.processes.append(process)
    return group


def _run(arguments: list[str], out: Path, err: Path, env: Mapping[str, str]) -> None:
    os.environ.update(env)
    for file, stream in ((out, sys.stdout), (err, sys.stderr)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_APPEND), stream.fileno())
    sys.exit(commands.run("trainer", *arguments))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
