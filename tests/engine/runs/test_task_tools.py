"""Tasks with tools of their own, and what is said to a user: from the request to the rows."""

from pathlib import Path

import pytest

from engine import api
from engine.runs.build_executor import Resources
from tests.support.chat_server import ChatServer, Json
from tests.support.configs import make_config, run
from tests.support.counter_world import HOURS, PRICES, TELLS, WANTED

WORLD = "tests.support.counter_world:CounterEnv"
OWN = {"prices": [PRICES.name], "hours": [HOURS.name], "none": []}


def server_reply(body: Json) -> Json:
    """Call the task's own tool, then speak; greet where there is no tool to call."""
    *_, last = body["messages"]
    asked = next(m["content"] for m in body["messages"] if m["role"] == "user")
    task = next(name for name, prompt in WANTED.items() if prompt == asked)
    if last["content"] == asked and task in TELLS:
        call = {"name": task, "arguments": "{}"}
        return {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "1", "type": "function", "function": call}],
        }
    said = {"3": "Tea is 3.", "9": "We close at 17.", "T": "Bye."}
    shown = "3" if "tea" in last["content"] else last["content"][:1]
    return {"role": "assistant", "content": said.get(shown, "Good morning!")}


def names(tools: list[Json]) -> list[str]:
    return [tool["function"]["name"] for tool in tools]


def test_requests_trees_rows_and_view_show_each_tasks_tools(tmp_path: Path) -> None:
    with ChatServer(server_reply) as server:
        config = make_config(WORLD, teacher="t", base_url=server.base_url)
        summary = run(config, tmp_path / "run")
        requests = server.requests
    assert summary.solved == 3
    for body in requests:
        asked = next(m["content"] for m in body["messages"] if m["role"] == "user")
        task = next((name for name, prompt in WANTED.items() if prompt == asked), None)
        if task and body.get("tools"):  # the others probe the server
            assert names(body["tools"]) == [*OWN[task], "give_up"]
    found = api.Run(tmp_path / "run")
    assert {tool.name for tool in found["none"].task.tools or ()} == {"say", "give_up"}
    rows = {row["group"]: row for row in found.rows("sft")}
    for task, row in rows.items():
        assert names(row["tools"]) == [*OWN[task], "give_up"]
        roles = [message["role"] for message in row["messages"]]
        looked = ["assistant", "tool"] if OWN[task] else []
        assert roles == ["system", "user", *looked, "assistant", "user", "assistant"]
    assert rows["none"]["messages"][2]["content"] == "Good morning!"
    react = {row["group"]: row for row in found.rows("sft", template="react")}
    assert "prices" not in str(react["hours"]["messages"][0])
    said, answered = react["none"]["messages"][2:4]
    assert "Action: say" in said["content"] and answered["content"] == "Thank you!"


@pytest.mark.parametrize("executor", ["local", "processes"])
def test_solutions_are_played_and_exported(tmp_path: Path, executor: str) -> None:
    config = make_config(WORLD, teacher="demonstration", mistake_rate=0.0)
    summary = run(config, tmp_path / "run", resources=Resources(executor=executor))
    assert summary.solved == 3
    for row in api.Run(tmp_path / "run").rows("sft"):
        assert names(row["tools"]) == [*OWN[row["group"]], "give_up"]
