"""The one tool that may be called where the answer is wanted at once (`Request.answer_only`)."""

from collections.abc import Sequence
from dataclasses import replace

from engine.templates.reading.names import answer_tool
from environments.tools import Tool
from environments.types import Action, Task
from search.policy import PolicyError

ANSWER_NOW = "Think it through, and then give your answer now: no other tool can be called."
"""The text that asks for it, which is part of a request only."""


def answering(task: Task, tools: Sequence[Tool]) -> Task:
    """Return `task` with the tool that takes its answer alone.

    Raises:
        PolicyError: None of `tools` takes an answer.
    """
    tool = answer_tool(tools)
    if tool is None or not tool.parameters.get("properties"):
        raise no_answer(task)
    return replace(task, tools=(tool,))


def no_answer(task: Task) -> PolicyError:
    """Return what is wrong with a task that no tool takes the answer of."""
    return PolicyError(
        f"task {task.id}: no tool takes its answer (answer, finish or submit), so --search cot "
        "cannot solve it; use another search"
    )


def only_answer(action: Action, tools: Sequence[Tool]) -> Action:
    """Return `action`, or a malformed action in its place if it calls a tool not in `tools`."""
    if not action.tool or action.tool in {tool.name for tool in tools}:
        return action
    error = f"only {tools[0].name} can be called"
    return Action.malformed(f"{action.thought}\n{action.key}".strip(), error)
