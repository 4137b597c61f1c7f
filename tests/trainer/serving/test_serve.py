"""The command `trainer serve` with the embedded student: eval and explore ask it alike."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.runs.store import Store
from tests.support import commands
from tests.support.child_servers import announced, command_of
from tests.support.faults import gone

ROOT = Path(__file__).parents[3]
PARENT = """\
import subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)
print(child.pid, flush=True)
child.wait()
"""
"""Starts a server that must end with it."""

KEYPAD = "--env examples.keypad:KeypadEnv --sandbox process --unsafe --limit 2 --depth 2"
ONE_BY_ONE = f"{KEYPAD} --concurrency 1"


@dataclass(frozen=True)
class Running:
    """The process that the test started, and the server's id and address."""

    process: subprocess.Popen[str]
    pid: int
    base_url: str


@pytest.fixture(scope="module")
def servers() -> Iterator[list[Running]]:
    """Two fresh servers, started in parallel; the second is a child of a process to be killed.

    One slot: what the cache keeps of earlier requests decides how the next is cut into forward
    passes, and bfloat16 rounds these differently.
    """
    serve = [sys.executable, "-m", "trainer", "serve", "smollm2", "--port", "0", "--json"]
    serve += ["--slots", "1", "--backend"]
    old_name = "own"
    tied = [sys.executable, "-c", PARENT, *serve, old_name, "--until-stdin-closes"]
    started = [
        subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for command in ([*serve, "builtin"], tied)
    ]
    try:
        yield [running(process, tied=process is started[1]) for process in started]
    finally:
        for process in started:
            process.kill()
            process.communicate()


def running(process: subprocess.Popen[str], *, tied: bool) -> Running:
    assert process.stdout is not None
    pid = int(process.stdout.readline()) if tied else process.pid
    said = announced(process)
    assert said == {"model": "smollm2", "base_url": said["base_url"], "backend": "builtin"}
    return Running(process, pid, said["base_url"])


def test_eval_and_explore_reach_the_same_trees_as_eval_in_process(
    servers: list[Running], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With greedy requests, one after the other: see `servers`."""
    # To the prompts of this template it replies to each of the tasks in two ways.
    measure = f"{ONE_BY_ONE} --model smollm2 --max-tokens 20 --template react-0.1"
    search = "--search react --width 1 --template react-0.1 --temperature 0 --reply-tokens 20"
    ask = f"{ONE_BY_ONE} --teacher smollm2 {search} --task-max-calls 9"
    first, second = servers
    # In separate folders: runs in one folder share a journal.
    outs = [tmp_path / name / "run" for name in ("here", "eval", "explore")]
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    for command, out in (
        (f"trainer eval {measure}", outs[0]),
        (f"trainer eval {measure} --base-url {first.base_url}", outs[1]),
        (f"engine explore {ask} --base-url {second.base_url}", outs[2]),
    ):
        assert commands.run(f"{command} --out {out}") == 0
    here, measured, explored = map(nodes, outs)
    assert measured == here
    assert explored == here
    assert len(here) == 4, "two tasks of two steps"
    assert len(set(here)) > 2


def nodes(run: Path) -> list[tuple[str, str, str]]:
    """The task, the student's text and the observation of every node of a run."""
    with Store.open(run) as store:
        return [
            (tree.task.id, node.step.action.thought, node.step.observation)
            for tree in sorted(store.trees(), key=lambda tree: tree.task.id)
            for node in tree.nodes
        ]


def test_a_killed_parent_leaves_no_server(servers: list[Running]) -> None:
    _, tied = servers
    assert command_of(tied.pid)
    tied.process.kill()
    gone(lambda: command_of(tied.pid), 20)


def test_sigterm_ends_a_server_with_one_line(servers: list[Running]) -> None:
    server, _ = servers
    server.process.send_signal(signal.SIGTERM)
    stdout, words = server.process.communicate(timeout=60)
    assert server.process.returncode == 0
    assert stdout == ""
    assert re.fullmatch(r"answered \d+ requests with \d+ tokens in \d+ s\n", words)
