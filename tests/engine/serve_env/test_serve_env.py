"""Our worlds behind OpenEnv's protocol, with OpenEnv's own clients."""

import asyncio
import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine.serve_env.door import in_full
from engine.serve_env.offer import Offer
from engine.serve_env.options import ServeOptions
from environments import Task, ToolEnv, make
from environments.openenv.package import load
from tests.support.child_servers import announced
from tests.support.commands import ROOT, engine
from tests.support.parts import missing

KEYPAD = "examples.keypad:KeypadEnv"


@pytest.fixture(autouse=True)
def openenv() -> None:
    if find_spec("openenv") is None:
        missing("openenv")


@contextmanager
def served(name: str, *, env: dict[str, Any] | None = None, **how: Any) -> Iterator[Any]:
    """A server of the world `name`, its address, and what it offers."""
    guide = make(name, **(env or {}))
    offer = Offer("world", guide, partial(make, name, **(env or {})), guide.tasks)
    try:
        with load("engine.serve_env.server").serving(offer, ServeOptions(port=0, **how)) as server:
            yield server.address, offer
    finally:
        guide.close()


def client(address: str) -> Any:
    return load("openenv.core.generic_client").GenericEnvClient(base_url=address).sync()


def soon(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + 15
    while not holds() and time.monotonic() < until:
        time.sleep(0.02)
    return holds()


def test_a_task_is_played_to_its_reward() -> None:
    with served(KEYPAD) as (address, offer), client(address) as env:
        task = offer.tasks[1]
        start = env.reset(task=task.id)
        assert start.observation["prompt"] == task.prompt and not start.done
        tools = [each["name"] for each in start.observation["available_tools"]]
        assert tools == ["read_note", "press", "turn", "give_up"]
        wrong = env.step({"tool": "press", "arguments": {"digit": 12}})
        assert wrong.observation["metadata"] == {"error": "bad_arguments"}
        assert "12 is greater than the maximum of 9" in wrong.observation["result"]
        for action in offer.guide.solution(task):
            last = env.step({"tool": action.tool, "arguments": dict(action.arguments)})
        assert (last.observation["result"], last.reward, last.done) == ("the door opens", 1.0, True)
        state = env.state()
        assert (state["task"], state["step_count"], state["done"]) == (task.id, 6, True)
        with pytest.raises(RuntimeError, match="no task is under way: send a reset first"):
            env.step({"tool": "turn", "arguments": {}})


def test_tasks_are_chosen_by_id_by_place_and_by_seed() -> None:
    with served(KEYPAD) as (address, offer), client(address) as env:
        ids = [task.id for task in offer.tasks]
        assert env.reset(index=2).observation["task"] == ids[2]
        assert env.reset(split="train", index=3).observation["task"] == ids[3]
        drawn = [env.reset(seed=seed).observation["task"] for seed in (1, 1, 2, 3, 4, 5)]
        assert drawn[0] == drawn[1] and len(set(drawn)) > 1
        for asked in ({"task": "none"}, {"index": 4}, {"index": -1}, {"split": "x", "index": 0}):
            with pytest.raises(RuntimeError, match="no task|no split"):
                env.reset(**asked)


def test_the_client_for_tools_of_mcp() -> None:
    async def play(address: str) -> Any:
        async with load("openenv.core.mcp_client").MCPToolClient(base_url=address) as env:
            await env.reset(index=0)
            tools = [tool.name for tool in await env.list_tools()]
            return tools, await env.call_tool("read_note"), (await env.state()).step_count

    with served(KEYPAD) as (address, _):
        tools, seen, steps = asyncio.run(play(address))
    assert tools == ["read_note", "press", "turn", "give_up"]
    assert seen["result"] == "the note says: 503, read from behind" and steps == 1


def test_a_typed_client() -> None:
    base: Any = load("openenv.core.env_client").EnvClient

    class Door(base):  # type: ignore[misc]
        def _step_payload(self, action: tuple[str, dict[str, Any]]) -> dict[str, Any]:
            return {"tool": action[0], "arguments": action[1]}

        def _parse_result(self, payload: dict[str, Any]) -> Any:
            return payload["observation"], payload["reward"], payload["done"]

        def _parse_state(self, payload: dict[str, Any]) -> int:
            return int(payload["step_count"])

    with served(KEYPAD) as (address, _), Door(base_url=address).sync() as env:
        env.reset(index=0)
        observation, reward, done = env.step(("turn", {}))
        assert (observation["result"], reward, done) == ("the door stays shut", 0.0, True)
        assert env.state() == 1


def test_sessions_are_apart_and_bounded() -> None:
    with served(KEYPAD, sessions=2) as (address, offer), client(address) as one:
        with client(address) as two:
            one.reset(index=0)
            two.reset(index=0)
            one.step({"tool": "press", "arguments": {"digit": 1}})
            seen = two.step({"tool": "press", "arguments": {"digit": 1}})
            assert seen.observation["result"] == "pressed so far: 1"
            with client(address) as three, pytest.raises(RuntimeError, match="2/2 sessions active"):
                three.reset(index=0)
            assert len(offer.live) == 2
        assert soon(lambda: len(offer.live) == 1)
        with client(address) as three:
            three.reset(index=0)


def test_a_silent_session_is_closed() -> None:
    with served(KEYPAD, idle=1.0) as (address, offer), client(address) as env:
        env.reset(index=0)
        assert soon(lambda: not offer.live)
        with pytest.raises(RuntimeError, match="send a reset first"):
            env.step({"tool": "turn", "arguments": {}})


CLIENT = """
import json, sys, time
from websockets.sync.client import connect
with connect(sys.argv[1].replace("http", "ws") + "ws") as socket:
    socket.send(json.dumps({"type": "reset", "data": {"index": 0}}))
    socket.recv()
    step = {"tool": "python", "arguments": {"code": "1 + 1"}}
    socket.send(json.dumps({"type": "step", "data": step}))
    print(json.loads(socket.recv())["data"]["observation"]["result"], flush=True)
    time.sleep(60)
"""


def test_the_sandbox_of_a_killed_client_is_gone() -> None:
    here = psutil.Process()
    before = set(here.children(recursive=True))
    with served("python", env={"sandbox": "process"}) as (address, offer):
        command = [sys.executable, "-c", CLIENT, address]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None and process.stdout.readline() == "2\n"
            sandboxes = set(here.children(recursive=True)) - before - {psutil.Process(process.pid)}
            assert sandboxes and offer.live
            process.kill()
        assert soon(lambda: not offer.live)
        assert soon(lambda: not any(each.is_running() for each in sandboxes))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_ends_leaves_nothing(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "engine", "serve-env", "python", "--port", "0", "--json"]
    command += ["--host", "0.0.0.0", "--sandbox", "process", "--unsafe"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, **streams) as server:  # type: ignore[call-overload]
        address = announced(server)["address"].replace("0.0.0.0", "127.0.0.1")
        asked = [sys.executable, "-c", CLIENT, address]
        with subprocess.Popen(asked, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None and process.stdout.readline() == "2\n"
            children = psutil.Process(server.pid).children(recursive=True)
            server.send_signal(number)
            _, told = server.communicate(timeout=30)
            process.kill()
    assert children and soon(lambda: not any(each.is_running() for each in children))
    assert server.returncode == (0 if number is signal.SIGTERM else -number)
    assert "warning: anyone who can reach 0.0.0.0 can use the environment" in told


def test_nothing_of_a_secret_is_served() -> None:
    for name in ("bird", "database", "python", "webshop", KEYPAD):
        world = make(name)
        offer = Offer(name, world, partial(make, name), list(world.tasks)[:40])
        for index, task in enumerate(offer.tasks):
            told = json.dumps(offer.spec(task, index))
            public = f"{task.id}\n{task.prompt}"
            assert not [each for each in _texts(task) if each in told and each not in public]
        world.close()


def _texts(task: Task) -> list[str]:
    return [str(each) for each in task.secret.values() if len(str(each)) > 4]


def test_only_programs_may_call_it_and_only_by_its_own_name() -> None:
    with served(KEYPAD) as (address, _):
        assert urllib.request.urlopen(f"{address}health").status == 200
        for header in ({"Origin": "http://elsewhere"}, {"Host": "elsewhere"}):
            request = urllib.request.Request(f"{address}health", headers=header)
            with pytest.raises(urllib.error.HTTPError, match="403") as refused:
                urllib.request.urlopen(request)
            refused.value.close()
        connect: Any = load("websockets.sync.client").connect
        with pytest.raises(Exception, match="403"):
            connect(f"{address.replace('http', 'ws')}ws", origin="http://elsewhere")


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("no json", None),
        ('[{"tool": 1}]', None),
        ('{"type": "reset", "data": {"tool": "x"}}', None),
        (
            '{"type": "step", "data": {"tool": "x", "arguments": {"y": 1}}}',
            {"type": "call_tool", "tool_name": "x", "arguments": {"y": 1}},
        ),
    ],
)
def test_short_actions_are_written_in_full(text: str, full: dict[str, Any] | None) -> None:
    assert in_full(text) == text if full is None else json.loads(in_full(text))["data"] == full


def with_solutions(world: ToolEnv, tasks: list[Task], folder: Path) -> str:
    """A file of tasks for `--env openenv`, with the solutions and mistakes of the world itself."""

    def call(action: Any) -> dict[str, Any]:
        return {"tool": action.tool, "arguments": dict(action.arguments), "thought": action.thought}

    records = [
        {
            "id": task.id,
            "reset": {"task": task.id},
            "prompt": task.prompt,
            "solution": [
                {**call(action), "mistakes": [call(each) for each in world.mistakes(task, action)]}
                for action in world.solution(task) or ()
            ],
        }
        for task in tasks
    ]
    file = folder / "tasks.jsonl"
    file.write_text("\n".join(map(json.dumps, records)))
    return str(file)


@pytest.mark.parametrize("name", [KEYPAD, "database"])
def test_a_served_world_has_the_trees_of_the_world_itself(name: str, tmp_path: Path) -> None:
    def trees(*flags: str) -> list[Any]:
        run = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        how = ["--teacher", "demonstration", "--limit", "2", "--output", str(run)]
        done = engine("explore", *flags, *how)
        assert done.returncode == 0, done.stderr
        found = [json.loads(line) for line in engine("show", run, "--json").stdout.splitlines()]
        # Each of the two worlds words the thoughts of its own teacher.
        keys = (
            "parent",
            "tool",
            "arguments",
            "observation",
            "reward",
            "terminated",
            "truncated",
        )
        return sorted(
            [tree["task"]["id"], [[node.get(key) for key in keys] for node in tree["nodes"]]]
            for tree in found
        )

    with served(name) as (address, offer):
        data = with_solutions(offer.guide, list(offer.tasks)[:2], tmp_path)
        direct = trees("--env", name)
        through = trees("--env", "openenv", "--env-arg", f"url={address}", "--data", data)
    assert len(direct) == 2 and sum(len(nodes) for _, nodes in direct) >= 8
    assert through == direct
