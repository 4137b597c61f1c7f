"""What stands before the path of a row, and in which form the path is written.

A row is written in one of three forms (FLAN's mix, Longpre et al. 2023, arXiv:2301.13688): "zero"
(no example), "few" (examples of other tasks before it) or "thoughtless" (zero-shot, and without the
agent's thoughts). Failed attempts and reflections that the path's requests saw stand before it only
if they are wanted.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from random import Random
from typing import Literal, get_args

from engine.errors import UsageError
from engine.policies.shots import NO_SHOTS, Shots, Shows
from engine.templates.base import Message
from engine.templates.context import NOTHING, Context
from engine.templates.reading.names import is_answer
from environments.tools import SAY, Tool
from environments.types import Step
from search.tree import Node, Tree

Form = Literal["zero", "few", "thoughtless"]
Method = Literal["cot", "react", "reflexion"]
RestartsIn = Literal["none", "context", "path"]


def parse_mix(parts: Sequence[str]) -> dict[Form, float]:
    """Return the weights in `--mix zero:0.5,few:0.3,thoughtless:0.2`.

    Raises:
        UsageError: A form is unknown or named twice, or the weights are none.
    """
    weights: dict[Form, float] = {}
    for part in parts:
        name, _, text = part.partition(":")
        form: Form | None = next((each for each in get_args(Form) if each == name.strip()), None)
        try:
            weight = float(text)
        except ValueError:
            weight = -1.0
        if form is None or form in weights or weight < 0 or not isfinite(weight):
            known = ", ".join(get_args(Form))
            raise UsageError(f"--mix {part}: use {known} once each, as zero:0.5,few:0.5")
        weights[form] = weight
    if parts and not sum(weights.values()):
        raise UsageError("--mix: at least one weight must be above 0")
    return weights


def method_of(tree: Tree, leaf: Node) -> Method:
    """Return how a path came about, in FireAct's words (Chen et al. 2023, arXiv:2310.05915).

    "cot": the answer in one turn, without a tool before it. "reflexion": the request of its last
    action held reflections on failed attempts. "react": any other.
    """
    if tree.reflections(leaf.id):
        return "reflexion"
    path = tree.lineage(leaf.id)
    answers = is_answer(leaf.step.action.tool) or leaf.step.action.tool == SAY.name
    alone = len(path) == 1 and not leaf.attempts
    return "cot" if alone and answers and leaf.status != "gave_up" else "react"


@dataclass(frozen=True, slots=True)
class Before:
    """The form of a row, and what stands before its path.

    Attributes:
        restarted: whether the actions that gave up are trained, so that a student learns it.
    """

    form: Form = "zero"
    context: Context = NOTHING
    restarted: bool = False

    def written(self, path: Sequence[Step]) -> tuple[Step, ...]:
        """Return `path` as it is written: without thoughts where they are left out."""
        return tuple(map(_without_thought, path)) if self.form == "thoughtless" else tuple(path)

    def mark(
        self, messages: list[Message], render: Callable[[Context], Sequence[Message]]
    ) -> list[Message]:
        """Return `messages` with weight 0 on the assistant's in the context.

        Args:
            messages: a rendered row.
            render: returns its messages before the path, for a context.
        """
        if self.context == NOTHING:
            return messages
        start = len(render(self.context))
        trained = set(self._giving_up(render)) if self.restarted else set[int]()
        return [
            {**message, "weight": 0}
            if number < start and number not in trained and message["role"] == "assistant"
            else message
            for number, message in enumerate(messages)
        ]

    def _giving_up(self, render: Callable[[Context], Sequence[Message]]) -> list[int]:
        """Return the places of the messages at which the agent gave up to start anew."""
        places = []
        for number in range(1, len(self.context.attempts) + 1):
            until = replace(self.context, attempts=self.context.attempts[:number], reflections=())
            shown = render(until)
            places.append(max(n for n, m in enumerate(shown) if m["role"] == "assistant"))
        return places


@dataclass(frozen=True, slots=True)
class Mixing:
    """Chooses what stands before each path.

    Attributes:
        mix: weights of the forms; empty for one form, "few" if there are shots.
        shots: the examples of the form "few".
        restarts: what becomes of the attempts before a path: "none" (left out), "context" (before
            it, not trained) or "path" (the same, but giving up is trained).
        reflections: whether the reflections that the path saw stand before it.
        seed: of the choice of forms.
    """

    mix: Mapping[Form, float] = field(default_factory=dict)
    shots: Shots = NO_SHOTS
    restarts: RestartsIn = "none"
    reflections: bool = False
    seed: int = 0

    def before(self, tree: Tree, leaf: Node, tools: Sequence[Tool], shows: Shows) -> Before:
        """Return what stands before the path to `leaf`.

        "few" becomes "zero" where no example fits. Texts that hold the task's secret are left out.

        Args:
            tree: the tree.
            leaf: the end of the path.
            tools: those of the task.
            shows: whether a text holds the task's secret.
        """
        form = self._form(tree, leaf)
        examples = self.shots.of(tree.task, tools, shows) if form == "few" else ()
        if form == "few" and not examples:
            form = "zero"
        seen = tree.attempts(leaf.id) if self.restarts != "none" else ()
        reflections = tree.reflections(leaf.id) if self.reflections else ()
        plain = Before(form)
        context = Context(
            examples,
            tuple(plain.written(tree.path(end)) for end in seen),
            tuple(text for text in reflections if not shows(text)),
        )
        return replace(plain, context=context, restarted=self.restarts == "path")

    def _form(self, tree: Tree, leaf: Node) -> Form:
        """Return the form of a row: like the template, it depends on the task and the path only."""
        if not self.mix:
            return "few" if self.shots.number else "zero"
        path = [tree.task.prompt, *(step.action.key for step in tree.path(leaf.id))]
        rng = Random(f"{self.seed}|{json.dumps(path)}|mix")
        return rng.choices(list(self.mix), list(self.mix.values()))[0]


PLAIN = Mixing()


def _without_thought(step: Step) -> Step:
    """Return a step whose call has no thought; a reply that is no call is left as it is."""
    return replace(step, action=replace(step.action, thought="")) if step.action.tool else step
