"""Servers of Python that are forked with their memory: the official SDK's, unchanged."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.bench_env import measure
from environments import Action, DataError, make
from environments.mcp_servers.env import McpEnv
from sandbox.errors import SandboxError
from tests.environments.mcp_servers.test_bad_servers import HERE, call
from tools.bundled.mcp.__main__ import TARGET

pytest.importorskip("mcp")
TASK = {
    "id": "t",
    "prompt": "Do it in {work}.",
    "files_before": {"b": "see /work/b"},
    "setup": "printf 1 > {work}/c",
    "files": {"a": "1", "b": "see /work/b", "c": "1"},
    "check": "import os; assert open('a').read() == os.environ['ANSWER']",
    "answer": 1,
    "solution": [{"tool": "write", "arguments": {"path": "/work/a", "text": "1"}}],
}


@contextmanager
def world(data: Path, **options: object) -> Iterator[McpEnv]:
    given: dict[str, object] = {"data": str(data), "sandbox": "process", "state": "fork"}
    env = make("mcp", **given | {"programs": str(HERE)} | options)
    assert isinstance(env, McpEnv)
    try:
        yield env
    finally:
        env.close()


def tasks(folder: Path, *records: object) -> Path:
    (data := folder / "tasks.jsonl").write_text("\n".join(map(json.dumps, records)))
    return data


COUNTING = f"python {HERE}/counting_server.py"


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[McpEnv]:
    data = tasks(tmp_path_factory.mktemp("forked"), TASK, TASK | {"id": "u"})
    with world(data, server=COUNTING) as made:
        yield made


def test_branches_have_their_own_memory_and_files(env: McpEnv) -> None:
    env.reset(options={"task": env.tasks[0]})
    start = env.snapshot()
    assert call(env, "count") == ("counted to 1 in /work", None)
    one = env.snapshot()
    call(env, "write", path="a", text="1")
    two = env.snapshot()
    assert call(env, "wait", seconds=0.01) == ("counted to 2 in /work", None)
    env.restore(one)
    assert env.step(Action("finish", {"answer": "1"}))[1] == 0.0
    env.restore(two)
    assert call(env, "count") == ("counted to 2 in /work", None)
    assert env.step(Action("finish", {"answer": "2"}))[1] == 0.0
    env.restore(two)
    assert env.step(Action("finish", {"answer": "1"}))[1] == 1.0
    env.restore(start)
    assert call(env, "count") == ("counted to 1 in /work", None)
    for state in (start, one, two):
        env.release(state)
    env.reset(options={"task": env.tasks[1]})
    assert call(env, "count") == ("counted to 1 in /work", None)
    assert env.branching == "a fork of the server"
    costs = measure(env, env.tasks).to_dict()
    assert (costs["tasks"], costs["lost"]) == (2, 0)


@pytest.mark.parametrize(
    ("how", "error", "told"),
    [
        ("exit", "server", "it ended (exit status 3)"),
        ("forever", "server", "it did not answer in time"),
        ("large", "server", "it wrote more than a node can pass on"),
        ("raise", "tool", "Error executing tool fail"),
        ("ask", None, "no model: "),
    ],
)
def test_a_failure_is_an_observation_and_changes_nothing(
    env: McpEnv, how: str, error: str | None, told: str
) -> None:
    env.reset(options={"task": env.tasks[0]})
    call(env, "count")
    observation, kind = call(env, "fail", how=how)
    assert told in observation and kind == error
    assert call(env, "count") == ("counted to 2 in /work", None)


def test_states_come_back_after_the_sandbox_was_killed(env: McpEnv) -> None:
    env.reset(options={"task": env.tasks[0]})
    call(env, "count")
    one = env.snapshot()
    nodes = env._world._nodes  # type: ignore[union-attr]
    pid = nodes.sandbox._supervisor.pid
    assert pid is not None
    os.killpg(pid, signal.SIGKILL)
    with pytest.raises(SandboxError):
        call(env, "count")
    env.restore(one)
    assert call(env, "count") == ("counted to 2 in /work", None)


def test_a_server_with_threads_is_played_again(env: McpEnv) -> None:
    env.reset(options={"task": env.tasks[0]})
    assert call(env, "fail", how="thread") == ("counted to 1 in /work", None)
    one = env.snapshot()
    assert env.branching == "replay, as the server cannot be forked: it has threads"
    assert call(env, "count")[0] == "counted to 2 in /work"
    env.restore(one)
    assert call(env, "count")[0] == "counted to 2 in /work"


def test_the_git_server_is_forked(tmp_path: Path) -> None:
    first, *records = map(json.loads, (TARGET / "git.jsonl").read_text().splitlines())
    (described,) = first["mcpServers"].values()
    described["state"] = "fork"
    data = tasks(tmp_path, first, next(each for each in records if each["split"] == "test"))
    with world(data) as env:
        (task,) = env.tasks
        steps = env.solution(task)
        assert steps is not None
        env.reset(options={"task": task})
        for step in steps:
            before = env.snapshot()
            env.step(env.mistakes(task, step)[0] if env.mistakes(task, step) else step)
            env.restore(before)
            last = env.step(step)
        assert last[1:3] == (1.0, True) and env.branching == "a fork of the server"


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"server": "sleep 60"}, SandboxError, "sleep is no program of Python"),
        ({"server": "no-such-server"}, SandboxError, "no program 'no-such-server'"),
        (
            {"server": f"python {HERE}/scripted_server.py"},
            SandboxError,
            "does not start: it ended .exit status 1.: .*reads its input outside of asyncio",
        ),
        ({"server": COUNTING, "allow_network": True}, DataError, "use state=replay"),
        ({"server": "https://example.org/mcp"}, DataError, "gives it to them"),
    ],
)
def test_what_cannot_be_forked_is_told(
    tmp_path: Path, options: dict[str, object], error: type[Exception], told: str
) -> None:
    with world(tasks(tmp_path, TASK), **options) as env, pytest.raises(error, match=told):
        env.reset(options={"task": env.tasks[0]})
