"""ALFWorld's games: a PDDL domain, a problem and a grammar, played by TextWorld's own PDDL engine.

The engine's planner library (`fast-downward-textworld`) is GPL: an optional extra that users
install, and no dependency. It keeps its state to itself, so a state is the operators that led to
it, which are applied again.
"""

import ast
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from threading import Lock
from types import SimpleNamespace
from typing import Any

from sandbox.errors import SandboxError

FIELDS = ("pddl_domain", "pddl_problem", "grammar")
"""The texts that a game consists of."""
WON = "The End"
_TASK = re.compile(r'Your task is to: [^"\\]+')
_TEMPLATE = re.compile(r'template :: "([^"]+)"')
_PLACE = re.compile(r"\[?\{(\w+)[^{}]*\}\]?")
_MARKS = {"_bar_": "|", "_minus_": "-", "_plus_": "+", "_dot_": ".", "_comma_": ","}
_HARMLESS = (
    *(ast.Expression, ast.Name, ast.Attribute, ast.Constant, ast.Load),
    *(ast.BinOp, ast.Add, ast.BoolOp, ast.Or),
)
_TABLES = ("_facts", "_vars_by_name", "_vars_by_type", "_var_counts")
"""What a state of the engine knows in Python; the rest is in the planner's library."""

_TRANSLATING = Lock()
"""Held while the translator has standard output and the arguments of this process."""

State = tuple[int, ...]
"""The numbers of the operators that led to a state."""


class PddlMachine:
    """Plays one game at a time.

    Attributes:
        score: 1 once the game is won.
        ended: "The End" once it is won, else "".
    """

    def __init__(self) -> None:
        self._env: Any = None
        self._story = b""
        self._tables: dict[str, Any] = {}
        self._played: State = ()
        self.score, self.ended = 0, ""

    def start(self, story: bytes) -> None:
        """Start a game.

        Raises:
            SandboxError: its grammar holds code, which the engine would run.
        """
        if story != self._story:
            self._read(story)
        self._restart()
        self._look_around()

    def do(self, command: str) -> str:
        """Play a command; return what the game says."""
        state, _, _ = self._env.step(command)
        if (action := self._env._last_action) is not None:  # else nothing happened
            self._played = (*self._played, action.id)
        self._told()
        return str(state["feedback"]).strip()

    def save(self) -> State:
        """Return the state."""
        return self._played

    def load(self, state: State) -> None:
        """Return to a state of the game that was started last."""
        if self._played != state[: len(self._played)]:
            self._restart()
        at = self._env._pddl_state
        for number in state[len(self._played) :]:
            at.all_applicable_actions()
            at.apply(SimpleNamespace(id=number))
        self._played = state
        self._look_around()

    def close(self) -> None:
        """Forget the game, any number of times."""
        self._env, self._story, self._played = None, b"", ()

    def _read(self, story: bytes) -> None:
        from textworld.core import EnvInfos
        from textworld.envs import PddlEnv

        self._env = self._env or PddlEnv(EnvInfos())
        with _TRANSLATING, _kept_arguments():
            self._env.load(json.loads(story))
        for expression in _code_of(self._env._logic):
            if not _is_harmless(expression):
                raise SandboxError(f"the game's grammar holds code: {expression[:80]!r}")
        for id, name in names(self._env._entity_infos).items():
            self._env._entity_infos[id].name = name
        self._tables = {name: deepcopy(vars(self._env._pddl_state)[name]) for name in _TABLES}
        self._story = story

    def _restart(self) -> None:
        """Begin anew, without translating the game again, which takes most of the time."""
        state, self._played = self._env._pddl_state, ()
        vars(state).update(deepcopy(self._tables))
        state.downward_lib.load_sas(state.sas.encode())

    def _look_around(self) -> None:
        """Let the engine find what can be done now."""
        from textworld.core import GameState

        self._env.state, self._env._last_action, self._env._moves = GameState(), None, 0
        self._env._gather_infos()
        self._told()

    def _told(self) -> None:
        won = bool(self._env.state["won"])
        self.score, self.ended = int(won), WON if won else ""


@contextmanager
def _kept_arguments() -> Iterator[None]:
    """Keep `sys.argv`, which the planner's translator replaces."""
    before = sys.argv
    try:
        yield
    finally:
        sys.argv = before


def opening(problem: str, grammar: str) -> str:
    """Return what a game's task is, and where: the engine takes seconds to say the same."""
    task = _TASK.search(grammar)
    objects = problem.partition("(:objects")[2].partition(")")[0].lower()
    kinds = {id: kind for line in objects.split("\n") for id, kind in _typed(line)}
    named = names(kinds)
    places = sorted(named[id] for id, kind in kinds.items() if kind == "receptacle")
    room = f"You are in the middle of a room. Around you are: {', '.join(places)}."
    return "\n\n".join([room, *([task[0].strip()] if task else [])])


def commands(grammar: str) -> str:
    """Return the forms of a game's commands, such as "go to R"."""
    templates = dict.fromkeys(_TEMPLATE.findall(grammar))
    return ", ".join(_PLACE.sub(lambda at: at[1].upper(), each) for each in templates)


def _typed(line: str) -> Iterator[tuple[str, str]]:
    """Yield the objects that a line of a problem declares, "a b - kind"."""
    declared, dash, kind = line.partition(" - ")
    if dash:
        yield from ((id, kind.strip()) for id in declared.split())


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


def _code_of(logic: Any) -> Iterator[str]:
    """Yield the expressions of a game's texts that the engine would evaluate as Python."""
    from textworld.envs.pddl.textgen import _parse_and_convert

    symbols = [s for rules in logic.grammar._rules.values() for rule in rules for s in rule.rhs]
    for action in logic.actions.values():
        for text in (action.template, action.feedback_rule):
            symbols += _parse_and_convert(text, rule_name="symbols")
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
