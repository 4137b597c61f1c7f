"""Runs of `engine explore` in processes of their own, against a chat server of theirs, and what
that server received."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support import commands

ROOT = Path(__file__).parents[2]


@contextmanager
def chat_server(log: Path) -> Iterator[str]:
    command = [
        sys.executable,
        "-m",
        "tests.support.chat_server",
        "--log",
        str(log),
        "--latency",
        "0.03",
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
        finally:
            process.kill()


def explore(out: Path, base_url: str, tasks: int, *more: str) -> list[str]:
    """The arguments of `engine`; `player` is the server's model."""
    flags = (
        f"--env bird --split train --limit {tasks} --teacher player --base-url {base_url} "
        f"--depth 6 --out {out}"
    )
    return ["explore", *flags.split(), *more]


def started(arguments: Sequence[str], **more: Any) -> "subprocess.Popen[str]":
    """Start `engine` in a process of its own, to be killed or interrupted."""
    command = [sys.executable, "-m", "engine", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, **more)


def received(log: Path) -> Counter[str]:
    """How often the server received each request."""
    return Counter(log.read_text().splitlines())


def wait_for_requests(log: Path, number: int) -> None:
    deadline = time.monotonic() + 60
    while received(log).total() < number:
        assert time.monotonic() < deadline, "the engine sends nothing"
        time.sleep(0.005)


def engine(*arguments: str) -> str:
    """Run `engine` in this process; return its output."""
    done = commands.engine(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


Undisturbed = tuple[str, Path, str, Counter[str]]
"""The server's address, its log; the trees and the requests of a run that nobody disturbed."""


@contextmanager
def undisturbed(folder: Path, tasks: int, *more: str) -> Iterator[Undisturbed]:
    """Such a run, made in `folder`; the server goes on."""
    with chat_server(folder / "log") as base_url:
        engine(*explore(folder / "run", base_url, tasks, *more))
        trees = engine("show", str(folder / "run"), "--json")
        assert len(trees.splitlines()) == tasks
        yield base_url, folder / "log", trees, received(folder / "log")
