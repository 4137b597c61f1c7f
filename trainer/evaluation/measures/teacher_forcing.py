"""The student under teacher forcing: its replies at every turn of a reference.

Each request holds all that came before in the reference, so that one wrong reply does not spoil the
next. It needs no environment.

The parts are KAgentBench's (`kagentbench`). A part without a reference is left out, and the weights
of the others are scaled to a sum of 1.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from engine.chat.base import ChatReply, ChatRequest
from engine.chat.incomplete import incomplete as reasons
from environments.types import Action
from trainer.evaluation.measures.batch_ask import Asked, ask
from trainer.evaluation.measures.kagentbench import (
    LIKENESSES,
    PARTS,
    WEIGHTS,
    Likeness,
    Part,
    arguments,
    match,
    thought,
    tool,
)
from trainer.evaluation.measures.statistics import Estimate, estimate
from trainer.evaluation.measures.turn import Turn


@dataclass(frozen=True, slots=True)
class TeacherForcing:
    """Means over turns, with intervals by bootstrap over tasks; None if no turn counts.

    Attributes:
        turns: Number of reference turns, for the tasks that were measured.
        tasks: Number of tasks with a reference.
        without: Number of measured tasks without a reference.
        unanswered: Number of turns that could not be asked (over the context); they count 0.
        fuzzy_weight: Weight in `match`.
        tool: Exact match of the tool's name.
        arguments: ROUGE-L of the arguments, if the tool is right.
        thought: ROUGE-L of the thought, if the reference has one.
        match: EM(tool) + fuzzy_weight x ROUGE-L(thought and arguments as one text), in
            [0, 1 + fuzzy_weight].
        planning: In [0, 1], like the next four; see `kagentbench`.
        tool_use: Score of the call.
        reflection: Score after a mistake.
        conclusion: Score of the last call.
        profile: Score of what is said under a character's profile.
        overall: Weighted mean of those five that are not None.
        left_out: Names of the others.
        incomplete: Number of replies that were not complete (cut off at the token limit, ...);
            they count 0.
        others: The five parts and "overall" by other measures of likeness than ROUGE-L, by the name
            of the measure.
        references: A hash of the turns: figures over others are not comparable.
    """

    turns: int
    tasks: int
    without: int
    unanswered: int
    fuzzy_weight: float
    tool: Estimate | None
    arguments: Estimate | None
    thought: Estimate | None
    match: Estimate | None
    planning: Estimate | None
    tool_use: Estimate | None
    reflection: Estimate | None
    conclusion: Estimate | None
    profile: Estimate | None
    overall: float
    left_out: list[str]
    incomplete: int = 0
    others: dict[str, dict[str, float]] = field(default_factory=dict)
    references: str = ""


def teacher_forcing(
    asked: Asked,
    model: str,
    max_tokens: int,
    references: Sequence[Turn],
    fuzzy_weight: float,
    without: int,
) -> TeacherForcing:
    """Ask the student for its likeliest reply at each turn, and compare.

    Args:
        asked: Where the student is asked.
        model: The student's name there.
        max_tokens: Maximum tokens per reply.
        references: At least one turn.
        fuzzy_weight: See `TeacherForcing`.
        without: See `TeacherForcing`.
    """
    replies = ask(asked, [_request(turn, model, max_tokens) for turn in references])
    answered = [reply if isinstance(reply, ChatReply) else None for reply in replies]
    whole = [None if reply is None or reasons(reply)[0] else reply for reply in answered]
    actions = [
        turn.read(reply.messages[0]) if reply else Action("", {})
        for turn, reply in zip(references, whole, strict=True)
    ]
    unanswered = answered.count(None)
    return compare(
        references,
        actions,
        fuzzy_weight,
        unanswered=unanswered,
        without=without,
        incomplete=whole.count(None) - unanswered,
    )


def compare(
    references: Sequence[Turn],
    actions: Sequence[Action],
    fuzzy_weight: float = 1.0,
    *,
    unanswered: int = 0,
    without: int = 0,
    incomplete: int = 0,
) -> TeacherForcing:
    """Score the student's action at each turn; see `TeacherForcing`."""
    pairs = list(zip(references, actions, strict=True))
    calls = [(turn, action) for turn, action in pairs if turn.is_call]
    first, *names = LIKENESSES
    parts = _parts(pairs, LIKENESSES[first])
    return TeacherForcing(
        turns=len(references),
        tasks=len({turn.task for turn in references}),
        without=without,
        unanswered=unanswered,
        incomplete=incomplete,
        fuzzy_weight=fuzzy_weight,
        tool=_mean(calls, tool),
        arguments=_mean(calls, arguments),
        thought=_mean(calls, thought),
        match=_mean(calls, lambda turn, said: match(turn, said, fuzzy_weight), share=False),
        **parts,
        overall=overall(parts),
        left_out=[name for name, part in parts.items() if part is None],
        others={name: _values(_parts(pairs, LIKENESSES[name])) for name in names},
        references=_hash(references),
    )


def _parts(pairs: Sequence[tuple[Turn, Action]], alike: Likeness) -> dict[str, Estimate | None]:
    """Return the mean of each part, over the turns that are measured by it."""
    found: dict[str, Estimate | None] = {}
    for name, part in PARTS.items():
        own = [(turn, action) for turn, action in pairs if name in turn.parts]
        found[name] = _mean(own, partial(_scored, part, alike))
    return found


def _scored(part: Part, alike: Likeness, turn: Turn, action: Action) -> float | None:
    return part(turn, action, alike)


def _values(parts: dict[str, Estimate | None]) -> dict[str, float]:
    """Return the means that there are, and the overall one."""
    values = {name: part.value for name, part in parts.items() if part is not None}
    return values | {"overall": overall(parts)}


def _mean(
    pairs: Sequence[tuple[Turn, Action]],
    figure: Callable[[Turn, Action], float | None],
    *,
    share: bool = True,
) -> Estimate | None:
    by_task: dict[str, tuple[float, float]] = {}
    for turn, action in pairs:
        if (value := figure(turn, action)) is not None:
            total, count = by_task.get(turn.task, (0.0, 0.0))
            by_task[turn.task] = total + turn.weight * value, count + turn.weight
    return estimate(by_task.values(), share=share)


def _hash(references: Sequence[Turn]) -> str:
    """Return what identifies the turns: what is asked, and what is right."""
    digest = hashlib.sha256()
    for turn in references:
        right = [[action.key, action.thought] for action in turn.accepted]
        text = json.dumps([turn.task, turn.messages, turn.tools, right], sort_keys=True)
        digest.update(text.encode())
    return digest.hexdigest()[:16]


def overall(parts: dict[str, Estimate | None]) -> float:
    """Return the weighted mean of the parts that are not None, in [0, 1]; 0 if all are."""
    there = {name: part.value for name, part in parts.items() if part is not None}
    whole = sum(WEIGHTS[name] for name in there)
    return sum(WEIGHTS[name] * value for name, value in there.items()) / whole if there else 0.0


def _request(turn: Turn, model: str, max_tokens: int) -> ChatRequest:
    sampling: dict[str, object] = {"temperature": 0.0, "max_tokens": max_tokens, "seed": 0}
    if turn.template.stop:
        sampling["stop"] = list(turn.template.stop)
    return ChatRequest(model, turn.messages, turn.tools, sampling)
