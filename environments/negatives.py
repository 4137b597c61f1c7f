"""Worlds with hard negatives: tasks in which no call is right, beside those in which one is.

`NAME+negatives` is the world NAME, in which the agent may also speak to the user with `say`. A
negative task looks like one of the world's own, but no call can or need solve it: its prompt holds
the answer, its user only talks, or the tools that it needs are missing. There it is right to say so
at once; the first call ends the task with reward 0. `engine make negatives` makes such tasks.

In the world's own tasks, `say` ends the task unsolved. The tag "call" tells the two kinds apart
("none" or "needed"), and "negative" tells the kind of a negative.
"""

import json
import re
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from functools import cache, cached_property, wraps
from inspect import iscoroutinefunction
from typing import Any, Literal

from environments.base import Outcome, ToolEnv
from environments.tools import GIVE_UP, SAY, Tool, is_say, violation
from environments.types import Action, Step, Task

SUFFIX = "+negatives"
"""End of the name of a world with negatives."""
CALL, NONE, NEEDED = "call", "none", "needed"
"""The tag that says whether a call is right, and its values."""
NEGATIVE = "negative"
"""The tag with the kind of a negative; also the key of `Task.details`."""
Kind = Literal["given", "talk", "missing"]
"""The answer is given in the prompt; the user only talks; the tools are missing."""

RULE = (
    " You may also speak to the user with say. If no call is needed, because the request itself "
    "holds the answer or the user only talks to you, say your reply at once. If the tools that you "
    "would need are not there, say that you cannot do it. Else do not use say."
)
_DECLINES = re.compile(
    r"\b(?:can ?not|can['’]t|unable|not able|no (?:\w+ )?(?:tools?|functions?|way|means|access)"
    r"|do(?:es)? not have|don['’]t have|(?:is|are) not available|missing|none of my tools"
    r"|not possible|impossible)\b",
    re.IGNORECASE,
)
_UNSTARTED = "no state: a negative has none"


def kind_of(task: Task | None) -> str:
    """Return the kind of a negative; "" for a task that calls for tools."""
    return "" if task is None else str(task.details.get(NEGATIVE, ""))


def negative(task: Task, kind: Kind, prompt: str, tools: Sequence[Tool], reply: str) -> Task:
    """Return a negative made from `task`.

    Its reply is kept letter by letter, as what the prompt holds would be taken for a leak.
    """
    return replace(
        task,
        id=f"{task.id}-{kind}",
        prompt=prompt,
        secret={"reply": list(reply)},
        details={**task.details, NEGATIVE: kind},
        tags={**task.tags, CALL: NONE, NEGATIVE: kind},
        tools=(*tools, SAY, GIVE_UP),
        made={"by": "rules", "how": f"{NEGATIVE}: {kind}", "from": [task.id]},
    )


def with_answer(task: Task, answer: str, calls: Sequence[Action]) -> Task:
    """Return a negative with the answer that its reply must hold, and calls that are false."""
    kept = [json.dumps([each.tool, dict(each.arguments)]) for each in calls]
    return replace(task, secret={**task.secret, "answer": list(answer), "calls": kept})


def declines(text: str) -> bool:
    """Return whether a reply says that something cannot be done."""
    return _DECLINES.search(text) is not None


def holds(text: str, answer: str) -> bool:
    """Return whether a text has the words of an answer, in their order and side by side."""
    words = (" ".join(re.findall(r"\w+", part.casefold())) for part in (text, answer))
    whole, wanted = (f" {each} " for each in words)
    return wanted in whole


class WithNegatives(ToolEnv):
    """What a world with negatives adds to its base, which comes next in the order of classes."""

    @cached_property
    def asynchronous(self) -> bool:
        """See `ToolEnv.asynchronous`: whether the base is."""
        hooks = ("begin", "act", "save", "load", "free", "end")
        base = super()
        return any(iscoroutinefunction(getattr(base, hook)) for hook in hooks)

    @cached_property
    def tasks(self) -> Sequence[Task]:
        """See `ToolEnv.tasks`; each says by a tag whether a call is right."""
        return [each if kind_of(each) else _as_needed(each) for each in super().tasks]

    def tools_of(self, task: Task) -> tuple[Tool, ...]:
        """See `ToolEnv.tools_of`; with `SAY`."""
        if kind_of(task):
            return task.tools or (SAY, GIVE_UP)
        return with_say(super().tools_of(task))

    async def _dispatch(self, action: Action, task: Task) -> Outcome:
        if not kind_of(task) or action.tool in ("", GIVE_UP.name):
            return await super()._dispatch(action, task)
        wrong = violation(action, self.tools_of(task))
        if action.tool == SAY.name:
            return await super()._dispatch(action, task) if wrong else _graded(task, action)
        told = f"error: {wrong.message}" if wrong else "the task is over"
        info = {"false_call": True} | ({"error": wrong.kind} if wrong else {})
        return Outcome(told, terminated=True, info=info)

    def act(self, action: Action) -> Outcome | Awaitable[Outcome]:
        """See `ToolEnv.act`: a base without `SAY` does not see it."""
        assert self.task is not None
        if action.tool == SAY.name and not any(map(is_say, super().tools_of(self.task))):
            return Outcome("the user waits for what was asked", terminated=True)
        return super().act(action)  # type: ignore[safe-super]  # the base's

    def begin(self, task: Task) -> None | Awaitable[None]:
        """See `ToolEnv.begin`; nothing is set up for a negative."""
        return None if kind_of(task) else super().begin(task)

    def save(self) -> Any:
        """See `ToolEnv.save`."""
        return _UNSTARTED if kind_of(self.task) else super().save()

    def load(self, state: Any) -> None | Awaitable[None]:
        """See `ToolEnv.load`."""
        return None if state is _UNSTARTED else super().load(state)

    def free(self, state: Any) -> None | Awaitable[None]:
        """See `ToolEnv.free`."""
        return None if state is _UNSTARTED else super().free(state)

    def solution(self, task: Task) -> list[Action] | None:
        """See `Demonstrable.solution`."""
        if not kind_of(task):
            return super().solution(task)
        return [Action(SAY.name, {"text": "".join(task.secret["reply"])})]

    def mistakes(self, task: Task, action: Action) -> list[Action]:
        """See `Demonstrable.mistakes`: calls where none is right."""
        if not kind_of(task):
            return super().mistakes(task, action)
        calls = map(json.loads, task.secret.get("calls", ()))
        return [Action(tool, arguments) for tool, arguments in calls]

    def recover(self, task: Task, path: Sequence[Step]) -> Action | None:
        """See `Demonstrable.recover`."""
        return None if kind_of(task) else super().recover(task, path)

    def noop(self, task: Task) -> list[Action]:
        """See `Demonstrable.noop`."""
        return [Action(GIVE_UP.name, {})] if kind_of(task) else super().noop(task)

    def thought(self, task: Task, path: Sequence[Step], action: Action) -> str:
        """See `Demonstrable.thought`."""
        if action.tool != SAY.name or path:
            return super().thought(task, path, action)
        if declines(str(action.arguments.get("text", ""))):
            return "None of my tools can do what is asked, so I make no call and say that."
        return "The request asks for nothing that needs a tool, so I reply without a call."


@cache
def class_with_negatives(base: type[ToolEnv]) -> type[ToolEnv]:
    """Return the class of the world `base` with negatives; it takes the same options."""

    @wraps(base.__init__)
    def init(self: ToolEnv, *args: Any, **options: Any) -> None:
        base.__init__(self, *args, **options)
        self.instructions += RULE

    names = {"__init__": init, "__doc__": base.__doc__, "__module__": base.__module__}
    return type(f"{base.__name__}WithNegatives", (WithNegatives, base), names)


def with_say(tools: Sequence[Tool]) -> tuple[Tool, ...]:
    """Return tools with `SAY`, before the last, which ends the task without an answer."""
    if any(map(is_say, tools)):
        return tuple(tools)
    return (*tools[:-1], SAY, *tools[-1:])


def _as_needed(task: Task) -> Task:
    return replace(task, tags={**task.tags, CALL: NEEDED})


def _graded(task: Task, action: Action) -> Outcome:
    """Grade what the agent says in a negative."""
    text, kind = str(action.arguments["text"]), kind_of(task)
    answer = "".join(task.secret.get("answer", ()))
    if kind == "missing":
        right = declines(text)
    else:
        right = bool(text.strip()) and (not answer or holds(text, answer))
    return Outcome("said", float(right), terminated=True, info={"declined": declines(text)})
