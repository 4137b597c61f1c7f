"""BFCL v4 multi-turn (bfcl-eval, Apache-2.0): a user asks turn by turn, the agent calls functions.

`say` ends the agent's turn; what is observed is the user's next message. Differences from the
original's inference and scoring:

- An episode ends at the first wrong turn. The original goes on, and fails the task all the same.
- One call a step. A call that breaks the function's definition is refused; the original runs it.
- In `miss_func`, functions are held out until the user adds them. The original then adds them to
  the tools. Here a task's tools never change: the user's message holds the definitions, as in the
  original's prompting mode, and the tool `call_added_function` calls them. Before that turn the
  agent neither sees them nor can call them.
- There is no limit of 20 calls a turn: the search's depth is the limit.
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import chain
from typing import Literal, get_args

from environments.base import Outcome, ToolEnv
from environments.bfcl.calls import Call, parse_turns
from environments.bfcl.dataset import CATEGORIES, bfcl_tasks, definitions_folder
from environments.bfcl.demonstration import mistakes, solution
from environments.bfcl.package import MODULES
from environments.bfcl.scenario import GoldTurn, State, gold_turns, start
from environments.bfcl.thoughts import thought
from environments.bfcl.tools import ADDED, class_tools
from environments.errors import DataError
from environments.tools import GIVE_UP, SAY, Tool, violation
from environments.types import Action, Step, Task

EmptyTurns = Literal["any", "say"]
"""What is right in a turn without gold calls."""

RIGHT = "The user has no more requests."
WRONG = "The user ends the conversation."


class BfclEnv(ToolEnv):
    """Conversations of a user with an agent that calls functions of simulated APIs.

    `info` of a wrong turn has its number, "turn", and what is "wrong": "no_call", "state" (and
    "where") or "result"; "called", if only a reply was right.

    Args:
        data: folder in the layout of the package's `data`; None for the package's own.
        split: "train" (the default), "test" or "all"; they share no initial configuration.
        sandbox: not used.
        categories: names from base, miss_func, miss_param and long_context, with commas; or "all".
        classes: keeps the tasks that need no other classes than these, with commas; "" for all.
        empty_turns: what is right in a turn without gold calls: anything, as in the original's
            accuracy, or only a reply without calls, as in its irrelevance check.

    Raises:
        DataError: an argument has another value, or the package is not installed.
    """

    tools = (SAY, GIVE_UP)
    instructions = (
        "You serve a user, who makes requests one after the other. Fulfil each with the functions, "
        "one call at a time, and read the results. When the request is done, say so. If no "
        "function can do it, or a value is missing that only the user knows, say that, too, and "
        "do not guess. After each thing that you say, the user goes on. Do no more than the user "
        "asks."
    )
    instant = True
    branching = "a copy of Python objects"
    extra = "bfcl"

    def __init__(
        self,
        *,
        data: str | None = None,
        split: str | None = None,
        sandbox: str = "auto",
        categories: str = "base",
        classes: str = "",
        empty_turns: EmptyTurns = "any",
    ) -> None:
        chosen = ",".join(CATEGORIES) if categories == "all" else categories
        self._categories = _names("categories", chosen)
        self._classes = _names("classes", classes or ",".join(MODULES))
        if empty_turns not in get_args(EmptyTurns):
            raise DataError(f"bfcl: no empty_turns {empty_turns!r}; use any or say")
        self.only_say = empty_turns == "say"
        super().__init__(data=data, split=split, sandbox=sandbox)
        self._state: State | None = None
        self._gold: tuple[str, list[GoldTurn]] = ("", [])

    def load_tasks(self) -> Sequence[Task]:
        """See `ToolEnv.load_tasks`."""
        found = bfcl_tasks(self.data, self.split, self._categories, strict=self.strict)
        kept = [task for task in found if set(task.details["classes"]) <= set(self._classes)]
        if not kept:
            raise DataError(f"bfcl: no task needs only {', '.join(self._classes)}")
        return kept

    @cached_property
    def _definitions(self) -> dict[str, tuple[Tool, ...]]:
        folder = definitions_folder(self.data)
        return {name: class_tools(folder, name) for name in MODULES}

    def tools_of(self, task: Task) -> tuple[Tool, ...]:
        """See `ToolEnv.tools_of`: all functions of the task's classes that are not held out."""
        held = set(chain.from_iterable(task.details["added"]))
        shown = [tool for tool in self._functions(task) if tool.name not in held]
        return (*shown, *([ADDED] if held else []), SAY, GIVE_UP)

    def _functions(self, task: Task) -> list[Tool]:
        return [tool for name in task.details["classes"] for tool in self._definitions[name]]

    @property
    def state(self) -> State:
        """Where the task stands."""
        assert self._state is not None
        return self._state

    def begin(self, task: Task) -> None:
        """See `ToolEnv.begin`."""
        self._state = start(task)

    def save(self) -> State:
        """See `ToolEnv.save`; a state never changes, as every call copies what it changes."""
        return self.state

    def load(self, state: State) -> None:
        """See `ToolEnv.load`."""
        self._state = state

    def act(self, action: Action) -> Outcome:
        """See `ToolEnv.act`."""
        assert self.task is not None
        if action.tool == SAY.name:
            return self._end_turn(self.task)
        if action.tool == ADDED.name:
            action = Action(action.arguments["name"], action.arguments["arguments"])
            added = self._added(self.task)
            if wrong := violation(action, added):
                message = wrong.message if added else "the user has added no functions yet"
                return Outcome.slip(wrong.kind, message)
        self._state = self.state.after(Call(action.tool, (), action.arguments))
        return Outcome(self.state.results[-1])

    def _added(self, task: Task) -> list[Tool]:
        """Return the functions that the user has added so far."""
        names = set(chain.from_iterable(task.details["added"][: self.state.turn + 1]))
        return [tool for tool in self._functions(task) if tool.name in names]

    def _end_turn(self, task: Task) -> Outcome:
        state, turns = self.state, self._gold_of(task)
        gold, info = turns[state.turn], {"turn": state.turn}
        wrong = gold.difference(state)
        if self.only_say and state.calls and not gold.results:
            wrong = {"wrong": "called"}
        if wrong:
            return Outcome(WRONG, terminated=True, info={**info, **wrong})
        if state.turn + 1 == len(turns):
            return Outcome(RIGHT, 1.0, terminated=True, info=info)
        self._state = state.next_turn()
        return Outcome(task.details["asked"][self.state.turn], info=info)

    def _gold_of(self, task: Task) -> list[GoldTurn]:
        """Return the gold answer, played; kept for the task that was asked for last."""
        if self._gold[0] != task.id:
            calls = parse_turns(task.secret["gold"])
            self._gold = (task.id, list(gold_turns(task, calls)))
        return self._gold[1]

    def solution(self, task: Task) -> list[Action]:
        """See `Demonstrable.solution`."""
        return solution(task, self._functions(task), self._gold_of(task))

    def thought(self, task: Task, path: Sequence[Step], action: Action) -> str:
        """See `Demonstrable.thought`."""
        return thought(task, path, action)

    def mistakes(self, task: Task, action: Action) -> list[Action]:
        """See `Demonstrable.mistakes`."""
        return mistakes(self.tools_of(task), self._functions(task), self.solution(task), action)


def _names(option: str, text: str) -> list[str]:
    """Return the known names in `text`; raise `DataError` if there is another one."""
    known = {"categories": CATEGORIES, "classes": tuple(MODULES)}[option]
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in known:
            raise DataError(f"bfcl: no {option} {name!r}; use some of {', '.join(known)}")
    return names
