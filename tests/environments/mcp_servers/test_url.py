"""A server with a URL: the SDK's own, over HTTP."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from environments import Action, make
from sandbox.errors import StateLost
from tests.environments.mcp_servers.test_bad_servers import TASK

pytest.importorskip("mcp")


@pytest.fixture
def url() -> Iterator[str]:
    from mcp.server.mcpserver import MCPServer

    made = MCPServer("calculator")
    counted = iter(range(100))

    @made.tool()
    def add(left: int, right: int) -> int:
        """Add two numbers."""
        return left + right

    @made.tool()
    def count() -> int:
        """Count in the server's memory, which no new session resets."""
        return next(counted)

    config = uvicorn.Config(made.streamable_http_app(), port=0, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/mcp"
    server.should_exit = True
    thread.join(10)


def test_a_server_with_a_url_is_replayed(url: str, tmp_path: Path) -> None:
    (tmp_path / "tasks.jsonl").write_text(json.dumps(TASK))
    data = str(tmp_path / "tasks.jsonl")
    env = make("mcp", data=data, sandbox="process", server=url, allow_network=True)
    try:
        env.reset(options={"task": env.tasks[0]})
        tools = {tool.name: tool for tool in env.tools_of(env.tasks[0])}
        assert [*tools] == ["add", "count", "finish", "give_up"]
        sum_ = Action("add", {"left": 2, "right": 3})
        start = env.snapshot()
        assert env.step(sum_)[0] == "5"
        one = env.snapshot()
        assert env.step(Action("add", {"left": "2"}))[4] == {"error": "bad_arguments"}
        env.restore(start)
        env.restore(one)
        assert env.step(sum_)[0] == "5"
        env.step(Action("count", {}))
        lost = env.snapshot()
        env.restore(start)
        with pytest.raises(StateLost, match="count had another result"):
            env.restore(lost)
    finally:
        env.close()
