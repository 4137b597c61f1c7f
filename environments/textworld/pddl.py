"""ALFWorld's games: a PDDL domain, a problem and a grammar, played by TextWorld's own PDDL engine.

The engine's planner library (`fast-downward-textworld`) is GPL: an optional extra that users
install, and no dependency. It keeps its state to itself, so a state is the commands that led to it,
which are played again.
"""

import ast
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from environments.errors import DataError

FIELDS = ("pddl_domain", "pddl_problem", "grammar")
"""The texts that a game consists of."""
WON = "The End"
_BANNER = re.compile(r"\A\s*-= [^\n]* =-\s*")
_PLACE = re.compile(r"\[?\{(\w+)[^{}]*\}\]?")
_MARKS = {"_bar_": "|", "_minus_": "-", "_plus_": "+", "_dot_": ".", "_comma_": ","}
_HARMLESS = (ast.Expression, ast.Name, ast.Attribute, ast.BinOp, ast.Add, ast.Constant, ast.Load)

State = tuple[str, ...]


class PddlMachine:
    """Plays one game at a time.

    Attributes:
        score: 1 once the game is won.
        ended: "The End" once it is won, else "".
        commands: the forms of the game's commands, such as "go to X".
    """

    def __init__(self) -> None:
        self._env: Any = None
        self._story = b""
        self._played: State = ()
        self.score, self.ended, self.commands = 0, "", ""

    def start(self, story: bytes) -> str:
        """Start a game; return its opening, without the banner.

        Raises:
            DataError: the engine is not installed or cannot read the game, or its grammar holds
                code.
        """
        if story != self._story:
            self._load(story)
        return _BANNER.sub("", self._reset())

    def do(self, command: str) -> str:
        """Play a command; return what the game says."""
        state, _, _ = self._env.step(command)
        if self._env._last_action is not None:  # else nothing happened
            self._played = (*self._played, command)
        return self._told(state)

    def save(self) -> State:
        """Return the commands so far."""
        return self._played

    def load(self, state: State) -> None:
        """Return to a state of the game that was started last."""
        if self._played != state[: len(self._played)]:
            self._reset()
        for command in state[len(self._played) :]:
            self.do(command)

    def close(self) -> None:
        """Forget the game, any number of times."""
        self._env, self._story, self._played = None, b"", ()

    def _load(self, story: bytes) -> None:
        try:
            from textworld.core import EnvInfos
            from textworld.envs import PddlEnv

            if self._env is None:
                self._env = PddlEnv(EnvInfos())
        except ImportError as error:
            raise DataError(
                "ALFWorld's games need packages that are not installed: "
                f"pip install 'treegraft[alfworld]' ({error})"
            ) from None
        self._env.load(json.loads(story))
        for expression in _code_of(self._env._logic.grammar):
            if not _is_harmless(expression):
                raise DataError(f"its grammar holds code: {expression[:80]!r}")
        for id, name in names(self._env._entity_infos).items():
            self._env._entity_infos[id].name = name
        self._story = story

    def _reset(self) -> str:
        self._played = ()
        state = self._env.reset()
        templates = state["command_templates"]
        self.commands = ", ".join(_PLACE.sub(lambda at: at[1].upper(), each) for each in templates)
        return self._told(state)

    def _told(self, state: Mapping[str, Any]) -> str:
        self.score, self.ended = int(state["won"]), WON if state["won"] else ""
        return str(state["feedback"]).strip()


def names(ids: Iterable[str]) -> dict[str, str]:
    """Return the names that a player sees: "cabinet 2" for "cabinet_bar__minus_01_dot_50_bar_...".

    They are numbered as ALFWorld numbers them, so that its walkthroughs fit.
    """
    kinds = {}
    for id in sorted(ids):
        kind, bar, _ = id.partition("_bar_")
        kinds[id] = f"{kind}basin" if bar and "basin" in id else kind if bar else ""
    left = Counter(kinds.values())
    found = {}
    for id, kind in kinds.items():
        found[id] = f"{kind} {left[kind]}" if kind else _plain(id)
        left[kind] -= 1
    return found


def _plain(id: str) -> str:
    for mark, sign in _MARKS.items():
        id = id.replace(mark, sign)
    return id


def _code_of(grammar: Any) -> Iterator[str]:
    """Yield the expressions of a grammar that the engine would evaluate as Python."""
    for rules in grammar._rules.values():
        for rule in rules:
            symbols = list(rule.rhs)
            while symbols:
                symbol = symbols.pop()
                inside = getattr(symbol, "expression", getattr(symbol, "symbol", None))
                if type(symbol).__name__ == "EvalSymbol":
                    yield str(inside)
                elif hasattr(inside, "symbol"):
                    symbols.append(inside)


def _is_harmless(expression: str) -> bool:
    """Return whether an expression only reads names and joins texts."""
    try:
        nodes = list(ast.walk(ast.parse(expression.strip(), mode="eval")))
    except (SyntaxError, ValueError):
        return False
    return all(isinstance(node, _HARMLESS) for node in nodes) and not any(
        isinstance(node, ast.Attribute) and node.attr.startswith("_") for node in nodes
    )
