"""The gold answers as actions, and plausible wrong versions of them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from environments.bfcl.calls import parse_turns
from environments.bfcl.scenario import GoldTurn
from environments.bfcl.tools import ADDED
from environments.tools import SAY, Tool, violation
from environments.types import Action, Task

MOST = 8
"""Mistakes for one action at most."""
LONGEST = 200
"""Characters of a result that the agent tells the user."""
DONE = "Done."
NO_FUNCTION = "I have no function with which I can do that."
NO_VALUE = "I cannot do that yet: I need more details from you."


def solution(task: Task, functions: Sequence[Tool], gold: Sequence[GoldTurn]) -> list[Action]:
    """Return the gold calls of each turn, then what the agent says to the user."""
    by_name = {tool.name: tool for tool in functions}
    added: set[str] = set()
    steps = []
    for turn, calls in enumerate(parse_turns(task.secret["gold"])):
        added.update(task.details["added"][turn])
        for call in calls:
            arguments = call.arguments(by_name[call.name])
            steps.append(_call(call.name, arguments, call.name in added))
        steps.append(_say(_told(task, turn, gold[turn].results)))
    return steps


def mistakes(
    shown: Sequence[Tool], functions: Sequence[Tool], script: Sequence[Action], action: Action
) -> list[Action]:
    """Return wrong versions of `action`: a wrong argument, calls left out, another function.

    Args:
        shown: the tools of the task.
        functions: all functions of its classes, those of one class side by side.
        script: its solution.
    """
    place = next((n for n, step in enumerate(script) if step.key == action.key), len(script))
    later = list(script[place + 1 :])
    if action.tool == SAY.name:
        # Where a value or a function is missing, the agent in a hurry acts at once.
        said_no = action.arguments["text"] in (NO_FUNCTION, NO_VALUE)
        calls = [step for step in later[:1] if said_no and step.tool != SAY.name]
        wrong = [each for call in calls for each in [*_guessed(functions, script, call), call]]
    else:
        wrong = list(_wrong_calls(functions, script, action))
    valid = {each.key: each for each in wrong if not violation(each, shown)}
    return [each for key, each in valid.items() if key != action.key][:MOST]


def _told(task: Task, turn: int, results: Sequence[str]) -> str:
    """Return what the agent says at the end of a turn."""
    if results:
        shown = results[-1][:LONGEST]
        return DONE if shown == "None" else f"{DONE} The result: {shown}"
    return NO_FUNCTION if any(task.details["added"][turn + 1 :]) else NO_VALUE


def _say(text: str) -> Action:
    return Action(SAY.name, {"text": text})


def _call(name: str, arguments: Mapping[str, Any], added: bool) -> Action:
    """Return a call."""
    if added:
        return Action(ADDED.name, {"name": name, "arguments": dict(arguments)})
    return Action(name, dict(arguments))


def _wrong_calls(
    functions: Sequence[Tool], script: Sequence[Action], action: Action
) -> Iterator[Action]:
    guessed = _guessed(functions, script, action)
    yield from islice(guessed, 1)
    yield _say(DONE)  # this call, and the rest of the turn's, are left out
    name, arguments = _plain(action)
    tool = next(tool for tool in functions if tool.name == name)
    for other in _others(functions, tool):
        if (fitted := _fitted(other, arguments)) is not None:
            yield _call(other.name, fitted, False)
    yield from guessed


def _guessed(
    functions: Sequence[Tool], script: Sequence[Action], action: Action
) -> Iterator[Action]:
    """Yield the call with one argument wrong."""
    name, arguments = _plain(action)
    tool = next(tool for tool in functions if tool.name == name)
    for changed in _wrong_arguments(tool, arguments, script):
        yield _call(name, changed, action.tool == ADDED.name)


def _plain(action: Action) -> tuple[str, Mapping[str, Any]]:
    """Return the function that is called, and its arguments."""
    if action.tool == ADDED.name:
        return action.arguments["name"], action.arguments["arguments"]
    return action.tool, action.arguments


def _wrong_arguments(
    tool: Tool, arguments: Mapping[str, Any], script: Sequence[Action]
) -> Iterator[dict[str, Any]]:
    """Yield the arguments with one value changed."""
    texts = [
        value
        for step in script
        if step.tool != SAY.name
        for value in _plain(step)[1].values()
        if isinstance(value, str) and value
    ]
    for name, value in arguments.items():
        for wrong in _wrong_values(value, texts):
            yield {**arguments, name: wrong}
    required = tool.parameters.get("required", [])
    for name in arguments:
        if name not in required:
            yield {key: value for key, value in arguments.items() if key != name}


def _wrong_values(value: Any, texts: Sequence[str]) -> list[Any]:
    """Return wrong values of the same type; of a text, the next other text of the solution."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        return [value + 1, value * 10] if value else [value + 1]
    if isinstance(value, list):
        return [value[:-1]] if value else []
    if not isinstance(value, str):
        return []
    start = texts.index(value) if value in texts else 0
    others = [text for text in [*texts[start:], *texts[:start]] if text != value]
    shorter = value.rpartition(" ")[0] or value.rpartition(".")[0]
    return [*others[:1], *([shorter] if shorter else [])]


def _others(functions: Sequence[Tool], tool: Tool) -> list[Tool]:
    """Return other functions, those beside `tool` first: they are of the same class."""
    place = functions.index(tool)
    near = [functions[n] for n in (place + 1, place - 1, place + 2) if 0 <= n < len(functions)]
    return [each for each in near if each is not tool]


def _fitted(other: Tool, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return arguments for what `other` requires, taken by name, else by place; None if too few."""
    names = list(other.parameters.get("required", []))
    rest = [value for name, value in arguments.items() if name not in names]
    if len(names) > len(arguments):
        return None
    return {name: arguments[name] if name in arguments else rest.pop(0) for name in names}
