"""The simulated APIs of a task: calls, their results, and the comparison with the gold answer.

A state is a value. A call copies the object that it changes; earlier states stay as they are.

The comparison is that of the package's `multi_turn_checker`, turn by turn: public attributes of all
objects equal those after the gold calls; the results of the turn's gold calls all occur among the
agent's results so far, in any order; the turn has a call. A turn without gold calls is not checked.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from decimal import localcontext
from typing import Any

from environments.bfcl.calls import Call
from environments.bfcl.package import STATELESS, new_object
from environments.types import Task

RAISED = (
    ArithmeticError,
    AttributeError,
    LookupError,
    NameError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What the classes raise for odd arguments: a result, as in the original."""


@dataclass(frozen=True, slots=True)
class State:
    """Where a task stands.

    Attributes:
        objects: the objects by class name.
        turn: the number of the user's message that is being served, from 0.
        results: what all calls so far returned.
        calls: the calls of this turn.
    """

    objects: Mapping[str, Any]
    turn: int = 0
    results: tuple[str, ...] = ()
    calls: int = 0

    def after(self, call: Call) -> "State":
        """Return the state after `call`; its result is the last of `results`."""
        name = next(name for name, each in self.objects.items() if hasattr(each, call.name))
        changed = deepcopy(self.objects[name])
        result = _result(changed, call)
        return replace(
            self,
            objects={**self.objects, name: changed},
            results=(*self.results, result),
            calls=self.calls + 1,
        )

    def next_turn(self) -> "State":
        """Return this state in the user's next turn."""
        return replace(self, turn=self.turn + 1, calls=0)


@dataclass(frozen=True, slots=True)
class GoldTurn:
    """What the gold calls of a turn return, and the objects after them."""

    results: tuple[str, ...]
    objects: Mapping[str, Any]

    def difference(self, state: State) -> dict[str, str]:
        """Return why the turn that ends in `state` is wrong; {} if it is right."""
        if not self.results:
            return {}
        if not state.calls:
            return {"wrong": "no_call"}
        for name, gold in self.objects.items():
            for attribute, value in vars(gold).items():
                public = not attribute.startswith("_")
                if public and getattr(state.objects[name], attribute) != value:
                    return {"wrong": "state", "where": f"{name}.{attribute}"}
        left = list(state.results)
        for result in self.results:
            if result not in left:
                return {"wrong": "result"}
            left.remove(result)
        return {}


def start(task: Task) -> State:
    """Return the start state of `task`."""
    objects = {}
    for name in task.details["classes"]:
        objects[name] = new_object(name)
        if name not in STATELESS:
            config = deepcopy(task.details["config"].get(name, {}))
            objects[name]._load_scenario(config, long_context=task.details["long"])
    return State(objects)


def gold_turns(task: Task, turns: Sequence[Sequence[Call]]) -> Iterator[GoldTurn]:
    """Play the gold calls of `task`."""
    state = start(task)
    for calls in turns:
        before = len(state.results)
        for call in calls:
            state = state.after(call)
        yield GoldTurn(state.results[before:], state.objects)


def _result(target: Any, call: Call) -> str:
    """Call; return what the original would show and compare."""
    try:
        with localcontext():  # the classes change the precision of decimal numbers
            return _text(getattr(target, call.name)(*call.positional, **call.named))
    except RecursionError:  # a folder in itself; Python's words depend on the stack
        return "Error during execution: maximum recursion depth exceeded"
    except RAISED as error:
        return f"Error during execution: {error}"


def _text(result: Any) -> str:
    if not isinstance(result, dict):
        return str(result)
    try:
        return json.dumps(result)
    except (RecursionError, TypeError, ValueError):
        return str(result)
