"""The contract of a world as one table: what each of its methods returns, and how to mend it.

A rule says in words what is wrong with a value, and what to do; "" if nothing is. Three readers use
the table: the base class and the policies guard what a world's methods return (`held`); `engine
explore` and `engine validate` look at a world before its tasks are played; and `check_env` is the
contract as a test. What only playing shows is in `environments.law`.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import nan
from typing import Any, TypeVar

import numpy

from environments.errors import BadWorld
from environments.schemas import kind_of, schema_breach
from environments.tools import Tool
from environments.types import Action, Outcome, Task

T = TypeVar("T")

ROUNDING = 1e-9
"""A sum of partial rewards may miss 0 or 1 by this."""
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""Names of tools that chat servers take."""


def held(world: object, method: str, value: T, error: type[BadWorld] = BadWorld) -> T:
    """Return `value`, which `method` of `world` returned, or which is its attribute.

    Raises:
        BadWorld: It breaks the contract; the message names the class, the method and what to do.
    """
    verb, rule = RULES[method]
    if words := rule(value):
        raise error(f"{type(world).__name__}.{method} {verb} {words}")
    return value


def _tools(tools: Any) -> str:
    if not isinstance(tools, tuple | list):
        return f"{kind_of(tools)}, not a tuple of Tool: write (Tool(name, text, schema), GIVE_UP)"
    for tool in tools:
        if not isinstance(tool, Tool):
            return f"{kind_of(tool)} in place of a Tool: write Tool(name, description, schema)"
        if words := _tool(tool):
            return words
    twice = [name for name, times in Counter(tool.name for tool in tools).items() if times > 1]
    if twice:
        return f"two tools named {twice[0]!r}: give each a name of its own"
    return "" if tools else "no tool: write (Tool(name, text, schema), GIVE_UP)"


def _tool(tool: Tool) -> str:
    if not isinstance(tool.name, str) or not TOOL_NAME.fullmatch(tool.name):
        return (
            f"a tool named {tool.name!r:.80}: chat servers take names of 1 to 64 letters, digits, "
            "_ and -"
        )
    if not isinstance(tool.description, str) or not tool.description.strip():
        return f"the tool {tool.name!r} without a description: say in a sentence what it does"
    words = schema_breach(tool.parameters)
    return f"the tool {tool.name!r} with a bad schema: {words}" if words else ""


def _text(value: Any) -> str:
    return "" if isinstance(value, str) else f"{kind_of(value)}, and must be a text"


def _tasks(tasks: Any) -> str:
    if not isinstance(tasks, Sequence) or isinstance(tasks, str | bytes):
        return f"{kind_of(tasks)}: return a list of Task"
    if not tasks:
        return "no task: return at least one Task"
    seen = set[str]()
    for number, task in enumerate(tasks, 1):
        if not isinstance(task, Task):
            return f"{kind_of(task)} as task {number}: write Task(id, prompt, secret)"
        if words := _task(task):
            return words
        if task.id in seen:
            return f"two tasks with the id {task.id!r}: give each an id of its own"
        seen.add(task.id)
    return ""


def _task(task: Task) -> str:
    id = task.id
    if not isinstance(id, str) or not id or id != id.strip() or not id.isprintable():
        return f"a task with the id {id!r:.80}: an id is one line of text without spaces around it"
    for name in ("prompt", "group", "split"):
        if not isinstance(value := getattr(task, name), str):
            return f"task {id!r} with {kind_of(value)} as its {name}: write a text"
    for name in ("secret", "details", "tags", "made"):
        if not isinstance(value := getattr(task, name), Mapping):
            return f"task {id!r} with {kind_of(value)} as its {name}: write a dict"
    if task.tools is not None and not isinstance(task.tools, tuple | list):
        return f"task {id!r} with {kind_of(task.tools)} as its tools: write a tuple of Tool"
    return ""


def _outcome(outcome: Any) -> str:
    if not isinstance(outcome, Outcome):
        return (
            f"{kind_of(outcome)}, not an Outcome: return Outcome(observation, reward, terminated)"
        )
    if not isinstance(outcome.observation, str):
        kind = kind_of(outcome.observation)
        return f"{kind} as the observation: an observation is text, as json.dumps makes it"
    if not -ROUNDING <= as_number(outcome.reward) <= 1 + ROUNDING:  # NaN fails too
        return f"the reward {outcome.reward!r:.80}: a reward is a number from 0 to 1"
    for name in ("terminated", "truncated"):
        if not isinstance(value := getattr(outcome, name), bool | numpy.bool_):
            return f"{value!r:.80} as {name}: it is True or False"
    return _info(outcome.info)


def _step(step: Any) -> str:
    if isinstance(step, tuple) and len(step) == 5 and isinstance(step[4], Mapping):
        return ""
    return f"{kind_of(step)}, and takes the place of ToolEnv.step: define act, and leave step alone"


def as_number(reward: Any) -> float:
    """Return a reward as a number; NaN if it is none. True counts as 1."""
    if isinstance(reward, str | bytes):
        return nan
    try:
        return float(reward)
    except (TypeError, ValueError):
        return nan


def _info(info: Any) -> str:
    if not isinstance(info, Mapping):
        return f"info that is not JSON but {kind_of(info)}: write a dict"
    try:
        json.dumps(dict(info), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        return f"info that is not JSON ({error}): keep texts, numbers, lists and dicts"
    return ""


def _solution(actions: Any) -> str:
    if actions is None:
        return ""
    if isinstance(actions, list | tuple) and not actions:
        return "no action: return the actions that solve the task, or None if nobody knows"
    return _actions(actions)


def _actions(actions: Any) -> str:
    if not isinstance(actions, list | tuple):
        return f"{kind_of(actions)}: return a list of Action"
    for number, action in enumerate(actions, 1):
        if not isinstance(action, Action):
            return f"{kind_of(action)} as action {number}: write Action(tool, arguments)"
        if not isinstance(action.tool, str) or not isinstance(action.arguments, Mapping):
            return f"{action!r:.80} as action {number}: write Action('tool', {{'name': value}})"
        try:
            _ = action.key
        except (TypeError, ValueError, RecursionError) as error:
            return f"arguments of action {number} that are not JSON ({error})"
    return ""


RULES: Mapping[str, tuple[str, Callable[[Any], str]]] = {
    "tools": ("holds", _tools),
    "tools_of": ("returned", _tools),
    "instructions": ("is", _text),
    "load_tasks": ("returned", _tasks),
    "act": ("returned", _outcome),
    "step": ("returned", _step),
    "solution": ("returned", _solution),
    "mistakes": ("returned", _actions),
    "noop": ("returned", _actions),
    "thought": ("returned", _text),
}
"""By attribute or method of a world: a verb, and what is wrong with a value."""
