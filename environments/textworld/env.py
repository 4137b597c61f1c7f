"""Text adventures as tasks: rooms, things and a goal, played by commands in plain English.

The games are those of TextWorld (Côté et al. 2018, arXiv:1806.11532), any story file of the
Z-machine, or ALFWorld's (Shridhar et al. 2021, arXiv:2010.03768). A game that is won has reward 1.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from environments.base import Outcome, ToolEnv
from environments.errors import DataError
from environments.extras import require_modules
from environments.textworld.games import Game, bundled, read_games
from environments.textworld.machine import Machine
from environments.textworld.mistakes import other_commands
from environments.textworld.pddl import PddlMachine
from environments.thoughts import after_error, argument, goal_of, listed, plain_thought
from environments.tools import GIVE_UP, Tool, arguments
from environments.types import Action, Step, Task

DO = Tool(
    "do",
    "Type one command: look, inventory, examine X, go north, take X, take X from Y, put X on Y, "
    "insert X into Y, open X, close X, lock X with Y, unlock X with Y, cook X with Y, slice X "
    "with Y, eat X, drop X.",
    arguments(command={"type": "string", "description": "the command", "maxLength": 100}),
)
_COMMAND = re.compile(r"[A-Za-z0-9 ,'\"-]+")
_OUTSIDE = frozenset(
    ("save", "restore", "restart", "undo", "quit", "q", "script", "unscript", "transcript")
    + ("verify", "recording", "replay", "superbrief", "brief", "verbose", "version", "oops")
)
"""First words of commands to the interpreter, not to the world."""


class TextWorldEnv(ToolEnv):
    """Play a text adventure until it says that it is won or lost.

    Args:
        kind: only games of these kinds, comma-separated; of the bundled ones quest, cooking,
            treasure or coin.
    """

    tools = (DO, GIVE_UP)
    instructions = (
        "You are in a text adventure. Type one command at a time and read what happens. Commands "
        "are short: a verb and the things it is about, named as the game names them. The task is "
        "over when the game says so."
    )
    instant = True
    branching = "a value: the interpreter's state"
    extra = "textworld"

    def __init__(
        self,
        *,
        data: str | None = None,
        split: str | None = None,
        sandbox: str = "auto",
        kind: str = "",
    ) -> None:
        super().__init__(data=data, split=split, sandbox=sandbox)
        self.kinds = [each.strip() for each in kind.split(",") if each.strip()]
        self._story_machine, self._pddl_machine = Machine(), PddlMachine()
        self._machine: Machine | PddlMachine = self._story_machine

    def load_tasks(self) -> Sequence[Task]:
        """See `ToolEnv.load_tasks`."""
        if self.data is None:
            split = self.split or "train"
            games = [game for game in bundled() if game.split == split]
        else:
            found = read_games(Path(self.data), strict=self.strict)
            split = self.split or ""
            games = [game for game in found if not split or game.split == split]
        games = [game for game in games if not self.kinds or game.kind in self.kinds]
        if not games:
            raise DataError(f"textworld: no game of split {split!r} and kind {self.kinds or 'any'}")
        if any(game.commands for game in games):
            require_modules("textworld", "alfworld")
        return [self._task(game) for game in games]

    def _task(self, game: Game) -> Task:
        parts = [game.objective]
        if not game.commands:  # TextWorld's opening repeats the objective
            parts.append(self._story_machine.start(game.story).replace(game.objective, "").strip())
        return Task(
            game.name,
            "\n\n".join(filter(None, parts)),
            secret={"walkthrough": list(game.walkthrough)},
            details={"story": game.story, "commands": game.commands},
            tags={"kind": game.kind},
            group=game.group or game.name,
            split=game.split,
            tools=_tools(game.commands),
        )

    def begin(self, task: Task) -> None:
        """See `ToolEnv.begin`."""
        is_pddl = bool(task.details["commands"])
        self._machine = self._pddl_machine if is_pddl else self._story_machine
        self.instant = not is_pddl
        self._machine.start(task.details["story"])

    def save(self) -> Any:
        """See `ToolEnv.save`."""
        return self._machine.save()

    def load(self, state: Any) -> None:
        """See `ToolEnv.load`."""
        self._machine.load(state)

    def end(self) -> None:
        """See `ToolEnv.end`."""
        self._story_machine.close()
        self._pddl_machine.close()

    def act(self, action: Action) -> Outcome:
        """See `ToolEnv.act`."""
        command = " ".join(action.arguments["command"].split())
        if wrong := _refused(command):
            return Outcome.slip("bad_command", wrong)
        text = self._machine.do(command)
        won = self._machine.ended == "The End"
        return Outcome(
            text,
            float(won),
            terminated=bool(self._machine.ended),
            info={"score": self._machine.score},
        )

    def solution(self, task: Task) -> list[Action] | None:
        """See `Demonstrable.solution`: the game's own walkthrough."""
        commands = task.secret["walkthrough"]
        return [_call(command) for command in commands] if commands else None

    def thought(self, task: Task, path: Sequence[Step], action: Action) -> str:
        """See `Demonstrable.thought`."""
        command = argument(action, "command")
        return _thought(task, path, command) if command else plain_thought(task, path, action)

    def mistakes(self, task: Task, action: Action) -> list[Action]:
        """See `Demonstrable.mistakes`: another direction, thing or verb."""
        return [_call(other) for other in other_commands(action.arguments["command"])]


def _tools(commands: str) -> tuple[Tool, ...] | None:
    """Return the tools of a game that has commands of its own; None for others."""
    if not commands:
        return None
    return (replace(DO, description=f"Type one command: {commands}."), GIVE_UP)


def _thought(task: Task, path: Sequence[Step], command: str) -> str:
    """Return the thought before a command: what of it the text shows, or the task names."""
    verb, _, rest = command.partition(" ")
    things = [each for each in re.split(r" (?:from|with|on|into) ", rest) if each]
    seen = path[-1].observation if path else task.prompt
    shown = [each for each in things if each.lower() in seen.lower()]
    named = [each for each in things if each.lower() in task.prompt.lower()]
    if verb == "go":
        why = f"The text names {rest}" if shown else "Nothing is left to do here"
    elif shown:
        why = f"The text names the {listed(shown, 'and the')}"
    elif named:
        why = f"The task names the {listed(named, 'and the')}"
    else:
        why = f"The task: {goal_of(task.prompt)} Nothing here says more"
    return f"{after_error(path)}{why}; I try: {command}."


def _refused(command: str) -> str:
    """Return why a command is not passed on; "" if it is."""
    if not _COMMAND.fullmatch(command):
        return "a command is one line of English words: letters, digits, spaces and commas"
    first = command.lower().split()[0].strip(",")
    return f"{first} is not part of the game" if first in _OUTSIDE else ""


def _call(command: str) -> Action:
    return Action(DO.name, {"command": command})
