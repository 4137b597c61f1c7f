"""What bad servers do is an observation or a typed failure, and the run goes on."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from environments import Action, make
from environments.mcp_servers.env import McpEnv
from sandbox.errors import SandboxError, StateLost

pytest.importorskip("mcp")
HERE = Path(__file__).parent
TASK = {"id": "t", "prompt": "Do it in {work}.", "files": {"a": "1"}}


@contextmanager
def world(folder: Path, mode: str = "", **options: object) -> Iterator[McpEnv]:
    data = folder / "tasks.jsonl"
    data.write_text(json.dumps(TASK))
    given: dict[str, object] = {
        "data": str(data),
        "sandbox": "process",
        "server": f"python {HERE}/scripted_server.py {mode}",
        "programs": str(HERE),
        "call_limit": 0.5,
    }
    env = make("mcp", **given | options)
    assert isinstance(env, McpEnv)
    try:
        yield env
    finally:
        env.close()


def call(env: McpEnv, tool: str, **arguments: object) -> tuple[str, object]:
    observation, *_, info = env.step(Action(tool, arguments))
    return observation, info.get("error")


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[McpEnv]:
    with world(tmp_path_factory.mktemp("bad")) as made:
        yield made


@pytest.mark.parametrize(
    ("how", "error", "told"),
    [
        ("hang", "server", "it did not answer in time"),
        ("flood", "server", "it wrote more than 1 MiB"),
        ("long-line", "server", "it wrote a line of more than 1 MiB"),
        ("exit", "server", "it ended (exit status 3): DiskError: the disk is full"),
        ("html", "server", "it wrote what is not JSON: <html><body>502 Bad Gateway"),
        ("not-a-result", "server", "not of the protocol"),
        ("wrong", "tool", "no such thing"),
        ("noise", None, "done"),
        ("ask", None, "no model"),
        ("picture", None, "[image, image/png, 3 bytes]"),
        ("large", None, "more characters"),
    ],
)
def test_a_bad_answer_is_an_observation(
    env: McpEnv, how: str, error: str | None, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("environments.mcp_servers.connection.MOST_BYTES", 1 << 20)
    env.reset(options={"task": env.tasks[0]})
    assert call(env, "count")[0] == "counted to 1 in /work"
    observation, kind = call(env, "fail", how=how)
    assert (told in observation, kind, "\n" in observation.strip()[:300]) == (True, error, False)
    # Whatever became of the server, its state is that before the bad call.
    assert call(env, "count") == ("counted to 2 in /work", None)


def test_a_server_with_state_in_its_memory_is_replayed(env: McpEnv) -> None:
    env.reset(options={"task": env.tasks[0]})
    assert call(env, "write", path="a", text="1") == ("written", None)
    one = env.snapshot()
    call(env, "count")
    call(env, "write", path="/work/a", text="2")
    two = env.snapshot()
    assert call(env, "count")[0] == "counted to 2 in /work"
    env.restore(one)
    assert call(env, "count")[0] == "counted to 1 in /work"
    assert env.step(Action("finish", {}))[1] == 1.0
    env.restore(two)
    assert call(env, "count")[0] == "counted to 2 in /work"
    assert env.step(Action("finish", {}))[1] == 0.0
    # A tool of the server's that has the name of one of ours is called after the server, too.
    assert "python_finish" in {tool.name for tool in env.tools_of(env.tasks[0])}


def test_a_sandbox_that_is_gone_is_a_typed_failure_and_its_states_come_back(env: McpEnv) -> None:
    env.reset(options={"task": env.tasks[0]})
    call(env, "count")
    one = env.snapshot()
    residents = env._world._residents
    assert residents is not None
    os.killpg(residents.pid, signal.SIGKILL)
    with pytest.raises(SandboxError, match="sandbox ended"):
        call(env, "count")
    env.restore(one)
    assert call(env, "count") == ("counted to 2 in /work", None)


def test_a_result_that_changes_loses_the_state(env: McpEnv) -> None:
    env.reset(options={"task": env.tasks[0]})
    start = env.snapshot()
    call(env, "fail", how="clock")
    late = env.snapshot()
    env.restore(start)
    with pytest.raises(StateLost, match="fail had another result in a replay"):
        env.restore(late)


def test_a_server_that_changes_its_tools_loses_the_state(tmp_path: Path) -> None:
    with world(tmp_path, "changes-tools") as env:
        env.reset(options={"task": env.tasks[0]})
        start = env.snapshot()
        call(env, "count")
        with pytest.raises(StateLost, match="has other tools than at its first start"):
            env.restore(start)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"mode": "ends-at-start"},
            "does not start: it ended .exit status 1.: no database was given",
        ),
        ({"server": "no-such-server"}, "no program 'no-such-server' on this machine"),
        ({"server": "sleep 60"}, "did not answer in time"),
    ],
)
def test_a_server_that_does_not_start_is_a_typed_failure(
    tmp_path: Path, options: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("environments.mcp_servers.connection.START_SECONDS", 1.0)
    with world(tmp_path, **options) as env:
        for _ in range(2):  # and again: nothing is left half open
            with pytest.raises(SandboxError, match=told) as failed:
                env.reset(options={"task": env.tasks[0]})
            assert "\n" not in str(failed.value)


class Html(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = b"<html><body>Log in first</body></html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_url_that_answers_with_html_is_a_typed_failure(tmp_path: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), Html) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/mcp"
        with (
            world(tmp_path, server=url, allow_network=True) as env,
            pytest.raises(SandboxError, match="server server does not start: .*text/html"),
        ):
            env.reset(options={"task": env.tasks[0]})
        server.shutdown()
