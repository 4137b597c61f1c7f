"""The student under teacher forcing: asked at every turn of a reference, with all that came before
in the reference, so that one wrong reply does not spoil the next. It needs no environment.

Its parts are KAgentBench's (`kagent.py`). A part without a reference is left out, and the weights
of the others are scaled to a sum of 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.chat.base import ChatReply, ChatRequest
from environments.types import Action
from trainer.evaluation.measures.batch_ask import Asked, ask
from trainer.evaluation.measures.kagentbench import (
    WEIGHTS,
    arguments,
    conclusion,
    match,
    planning,
    reflection,
    thought,
    tool,
    tool_use,
)
from trainer.evaluation.measures.references import Turn
from trainer.evaluation.measures.statistics import Estimate, estimate


@dataclass(frozen=True, slots=True)
class Forced:
    """Means over turns, with intervals by bootstrap over tasks; None where no turn counts.

    turns, tasks: of the reference, among the tasks that were measured.   without: tasks measured
    that have no reference.   unanswered: turns that could not be asked (over the context); they
    count 0.
    tool: exact match of the tool's name.   arguments: ROUGE-L of them, where the tool is right.
    thought: ROUGE-L of it, where the reference has one.
    match: EM(tool) + fuzzy_weight x fuzzy(description), in [0, 1 + fuzzy_weight]; the description
    is thought and arguments as one text, and fuzzy its ROUGE-L.
    planning, tool_use, reflection, conclusion, profile: in [0, 1], see `kagent.py`.
    overall: their weighted mean over the parts that are there.   left_out: those that are not.
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


def forced(
    asked: Asked,
    model: str,
    max_tokens: int,
    references: Sequence[Turn],
    fuzzy_weight: float,
    without: int,
) -> Forced:
    """Ask the student at each turn, for its likeliest reply, and compare.

    asked: the student.   max_tokens: of a reply.   references: at least one.
    fuzzy_weight, without: see `Forced`.
    """
    replies = ask(asked, [_request(turn, model, max_tokens) for turn in references])
    said = [
        turn.template.parse(reply.messages[0]) if isinstance(reply, ChatReply) else Action("", {})
        for turn, reply in zip(references, replies, strict=True)
    ]
    unanswered = sum(not isinstance(reply, ChatReply) for reply in replies)
    return compared(references, said, fuzzy_weight, unanswered=unanswered, without=without)


def compared(
    references: Sequence[Turn],
    said: Sequence[Action],
    fuzzy_weight: float = 1.0,
    *,
    unanswered: int = 0,
    without: int = 0,
) -> Forced:
    """What the student `said` at each turn is worth; see `Forced`."""

    def mean(
        figure: Callable[[Turn, Action], float | None], *, share: bool = True
    ) -> Estimate | None:
        by_task: dict[str, list[float]] = {}
        for turn, action in zip(references, said, strict=True):
            if (value := figure(turn, action)) is not None:
                by_task.setdefault(turn.task, []).append(value)
        return estimate(((sum(each), len(each)) for each in by_task.values()), share=share)

    parts = {
        "planning": mean(planning),
        "tool_use": mean(tool_use),
        "reflection": mean(reflection),
        "conclusion": mean(conclusion),
        "profile": None,
    }
    return Forced(
        turns=len(references),
        tasks=len({turn.task for turn in references}),
        without=without,
        unanswered=unanswered,
        fuzzy_weight=fuzzy_weight,
        tool=mean(tool),
        arguments=mean(arguments),
        thought=mean(thought),
        match=mean(lambda turn, action: match(turn, action, fuzzy_weight), share=False),
        **parts,
        overall=overall(parts),
        left_out=[name for name, part in parts.items() if part is None],
    )


def overall(parts: dict[str, Estimate | None]) -> float:
    """The weighted mean of the parts that are there, in [0, 1]; 0 of none."""
    there = {name: part.value for name, part in parts.items() if part is not None}
    whole = sum(WEIGHTS[name] for name in there)
    return sum(WEIGHTS[name] * value for name, value in there.items()) / whole if there else 0.0


def _request(turn: Turn, model: str, max_tokens: int) -> ChatRequest:
    sampling: dict[str, object] = {"temperature": 0.0, "max_tokens": max_tokens, "seed": 0}
    if turn.template.stop:
        sampling["stop"] = list(turn.template.stop)
    return ChatRequest(model, turn.messages, turn.tools, sampling)
