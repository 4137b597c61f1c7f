"""Negatives by rule, each from a task of the world, whose solution was played before."""

import re
from collections.abc import Iterator, Mapping, Sequence
from random import Random

from environments import ToolEnv
from environments.negatives import Kind, negative, with_answer
from environments.registry import find_class
from environments.thoughts import goal_of, listed
from environments.tools import GIVE_UP, Tool, is_say, violation
from environments.types import Action, Step, Task

_GIVEN = (
    "{task}\n\nSomeone has found it out already: the answer is {answer}. Tell it to me.",
    "I know by now that the answer to the following is {answer}. Just repeat it to me.\n\n{task}",
    "{task}\n\nNote: this was asked before, and the answer was {answer}. It has not changed.",
    "Answer: {answer}\n\nThe text above answers this request, so tell me what it says:\n{task}",
)
_TOLD = ("The answer is {answer}.", "As you say, it is {answer}.", "It is {answer}.")
_TALK = (
    (
        "Do nothing yet, I will ask for it in a moment: {goal} For now, tell me only whether you "
        "have understood it.",
        "I have understood it, and wait until you ask for it: {goal}",
    ),
    (
        "Thank you, that was all about this: {goal}",
        "You are welcome. Tell me when you need something else.",
    ),
    (
        'A colleague wrote this to me: "{goal}" Do not answer it. Is it a question or an order?',
        "It is {sort}. I have not answered it, as you wished.",
    ),
    (
        "Before we begin, which tools do you have for requests like this one? {goal} Use none yet.",
        "I have {names}. I use none of them before you ask me to.",
    ),
)
_MISSING = (
    "I cannot do that: I have no tool for it.",
    "None of my tools can do that, so I cannot help you with it.",
    "I am not able to do that with the tools that I have.",
)
_LABEL = re.compile(r"^(?:WebShop )?(?:Question|Instruction): ")
_ELSEWHERE: Mapping[str, tuple[str, ...]] = {"search-qa": ("webshop",), "kg": ("webshop",)}
_OTHERS = ("webshop", "kg")
"""Worlds whose tools cannot solve a task of another world, and are shown in place of the right."""
MOST_CALLS = 3
"""False calls that a negative keeps for the demonstration teacher."""


def candidates(
    name: str, env: ToolEnv, task: Task, steps: Sequence[Step], seed: int
) -> Iterator[tuple[Kind, Task | None, str]]:
    """Yield a negative of each kind, or None and why there is none.

    Args:
        name: The world's, without negatives.
        env: The world.
        task: One of its tasks.
        steps: Its solution, played.
        seed: Of all choices.
    """
    rng = Random(f"{seed}|{task.id}|negatives")
    yield ("given", *_given(env, task, steps, rng))
    yield ("talk", _talk(env, task, steps, rng), "")
    yield ("missing", *_missing(name, env, task, steps, rng))


def _given(env: ToolEnv, task: Task, steps: Sequence[Step], rng: Random) -> tuple[Task | None, str]:
    answer = env.told(steps)
    if not answer:
        return None, "nothing to tell"
    prompt = rng.choice(_GIVEN).format(task=task.prompt, answer=answer)
    reply = rng.choice(_TOLD).format(answer=answer)
    tools = _but_the_last(env, task, steps)
    made = negative(task, "given", prompt, tools, reply)
    return with_answer(made, answer, _false_calls(tools, steps)), ""


def _talk(env: ToolEnv, task: Task, steps: Sequence[Step], rng: Random) -> Task:
    tools, goal = _but_the_last(env, task, steps), _goal(task)
    asked, reply = rng.choice(_TALK)
    words = {
        "goal": goal,
        "sort": "a question" if goal.endswith("?") else "an order",
        "names": listed(tool.name for tool in tools) or "none",
    }
    made = negative(task, "talk", asked.format(**words), tools, reply.format(**words))
    answer = words["sort"] if "{sort}" in reply else ""
    return with_answer(made, answer, _false_calls(tools, steps))


def _goal(task: Task) -> str:
    """Return what a task asks for, without what its page or its form says around it."""
    text = " ".join(task.prompt.partition("[button]")[0].split())
    return goal_of(_LABEL.sub("", text))


def _missing(
    name: str, env: ToolEnv, task: Task, steps: Sequence[Step], rng: Random
) -> tuple[Task | None, str]:
    if env.possible_in_words(task):
        return None, "possible in words"
    used = {step.action.tool for step in steps}
    left = [tool for tool in env.left_without(task) if tool.name not in used]
    left = [tool for tool in left if not _ends(tool)] or _from_elsewhere(name, used)
    made = negative(task, "missing", task.prompt, left, rng.choice(_MISSING))
    return with_answer(made, "", _false_calls(left, steps)), ""


def _from_elsewhere(name: str, used: set[str]) -> list[Tool]:
    """Return tools of other worlds, with other names than the tools that are missing."""
    found: dict[str, Tool] = {}
    for world in _ELSEWHERE.get(name, _OTHERS):
        for tool in find_class(world).tools:
            if world != name and tool.name not in used and not _ends(tool):
                found.setdefault(tool.name, tool)
    return list(found.values())


def _but_the_last(env: ToolEnv, task: Task, steps: Sequence[Step]) -> list[Tool]:
    """Return the tools of a task without the one that answers: here the agent speaks instead."""
    last, before = steps[-1].action.tool, {step.action.tool for step in steps[:-1]}
    shown = [tool for tool in env.tools_of(task) if not _ends(tool)]
    return [tool for tool in shown if tool.name != last or last in before]


def _ends(tool: Tool) -> bool:
    """Return whether a tool is one that every negative has, or answers under another world."""
    return is_say(tool) or tool.name in (GIVE_UP.name, "answer", "finish", "Finish")


def _false_calls(tools: Sequence[Tool], steps: Sequence[Step]) -> list[Action]:
    """Return calls that a hasty agent would make: those of the solution, fitted to the tools."""
    played = [step.action for step in steps]
    found = [each for each in played if not violation(each, tools)]
    texts = [value for each in played for value in each.arguments.values()]
    for tool in tools:
        required = list(tool.parameters.get("required", ()))
        fitted = Action(tool.name, dict(zip(required, texts, strict=False)))
        if not violation(fitted, tools):
            found.append(fitted)
    distinct = {each.key: each for each in found or played}
    return list(distinct.values())[:MOST_CALLS]
