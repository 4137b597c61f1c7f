"""A part of a secret that leaks is found; what the agent may find is not taken for a leak."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from engine.errors import LeakError
from engine.export.leak_check import check_row, not_written
from engine.runs.fingerprints import fingerprints
from environments import Step, Task, ToolEnv, make
from environments.plays import play

SECRET = {
    "answer": "the old mill at Port Ann",
    "program": ["count the mills of Port Ann", "take the oldest of them"],
    "checks": [{"path": "a/long/path.txt", "input": "five words of hidden input"}],
}
TASK = Task("t", "?", SECRET, findable=("answer", "checks.path"))
MARKS = fingerprints(TASK.secret, TASK.findable)


def row(*texts: str, roles: str = "uata") -> dict[str, Any]:
    names = {"u": "user", "a": "assistant", "t": "tool"}
    messages = [
        {"role": names[role], "content": text} for role, text in zip(roles, texts, strict=False)
    ]
    return {"id": "r", "messages": messages}


@pytest.mark.parametrize(
    "shown",
    [
        "it says: Take the  oldest of them",
        "given five words of hidden input",
        f"debug: {SECRET['checks'][0]}",
        f"debug: {json.dumps(SECRET['checks'][0])}",
        f"debug: {SECRET}",
    ],
)
def test_a_part_that_is_shown_is_a_leak(shown: str) -> None:
    with pytest.raises(LeakError, match=r"r, messages\[2\]"):
        check_row(row("go", "I look.", shown), MARKS)


def test_what_the_agent_may_find_is_none() -> None:
    check_row(row("go", "I look.", "a/long/path.txt: the old mill at Port Ann"), MARKS)


def test_only_what_the_agent_wrote_may_be_repeated() -> None:
    first, second = SECRET["program"]
    check_row(row("go", f"I {first}.", f"done: {first}"), MARKS)
    assert len(not_written("r", row("go", f"I {first}.")["messages"], MARKS)) == len(MARKS) - 1
    with pytest.raises(LeakError):
        check_row(row("go", f"I {first}.", f"now {second}"), MARKS)


LEAKS = {
    "kg": lambda secret: secret["program"][0],
    "search-qa": lambda secret: secret["supports"][0],
    "api": lambda secret: secret["calls"][0],
    "os": lambda secret: secret["checks"][0],
    "mcp": lambda secret: secret["grader"].get("check") or secret["grader"],
}
"""A part of each world's secrets."""


@pytest.mark.parametrize("name", LEAKS)
def test_parts_of_the_worlds_secrets(name: str) -> None:
    env = make(name)
    tasks = [task for task in env.tasks if name != "os" or "checks" in task.secret]
    for task in tasks:
        leaked = str(LEAKS[name](task.secret))
        with pytest.raises(LeakError):
            check_row(row("go", "I look.", leaked), fingerprints(task.secret, task.findable))
    env.close()


@pytest.mark.parametrize("name", ["kg", "search-qa", "api"])
def test_right_and_wrong_ways_show_no_secret(name: str) -> None:
    env = make(name)
    for task in list(env.tasks)[::7]:
        for steps in _paths(env, task):
            check_row(_row(task, steps), fingerprints(task.secret, task.findable))
    env.close()


def _paths(env: ToolEnv, task: Task) -> list[list[Step]]:
    """Play the solution, and the first mistake at each of its steps."""
    right = env.solution(task)
    assert right is not None
    wrong = [(at, env.mistakes(task, action)[:1]) for at, action in enumerate(right)]
    return [play(env, task, right), *(play(env, task, [*right[:at], *w]) for at, w in wrong)]


def _row(task: Task, steps: Sequence[Step]) -> dict[str, Any]:
    messages = [{"role": "user", "content": task.prompt}]
    for step in steps:
        call = json.dumps([step.action.tool, dict(step.action.arguments)], ensure_ascii=False)
        messages.append({"role": "assistant", "content": f"{step.action.thought}\n{call}"})
        messages.append({"role": "tool", "content": step.observation})
    return {"id": task.id, "messages": messages}
