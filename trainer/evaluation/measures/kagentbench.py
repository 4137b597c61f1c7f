"""Scores of a reply at a turn of a reference: KAgentBench's parts and their weights.

Pan et al. 2023 (KwaiAgents, arXiv:2312.04889); its `benchmark/benchmark_eval.py` defines them. With
EM = 1 if the tool is the reference's, else 0:

    planning     EM x ROUGE-L(thought), if the reference has a thought
    tool use     EM x mean ROUGE-L of the arguments
    reflection   0.3 planning + 0.7 tool use, at turns after a mistake (an error, a repeat);
                 0 for repeating the call made just before
    conclusion   ROUGE-L of the answer in words, or of the arguments of the last call
    profile      ROUGE-L of what is said under a character's profile

KAgentBench's own file has a kind of turn per part (`kagentbench_file`). In other references a turn
is measured by every part that applies to it: conclusion at the last call, if it has arguments;
profile at the last call and at what is said to the user, in a benchmark whose template is a user's
own with a profile. The penalty of reflection there compares the student's call with the one before.

Each score is the best over the accepted actions of a turn; None if the part does not apply to the
turn. Another measure of likeness can stand for ROUGE-L (`LIKENESSES`).
"""

from collections.abc import Callable, Mapping

from environments.tools import SAY
from environments.types import Action
from trainer.evaluation.measures.rouge import arguments_likeness, as_text, bleu, rouge_l, rouge_n
from trainer.evaluation.measures.turn import Turn

Likeness = Callable[[str, str], float]
"""From a reference and a reply to a number from 0 to 1."""

LIKENESSES: Mapping[str, Likeness] = {
    "ROUGE-L": rouge_l,
    "ROUGE-1": lambda reference, reply: rouge_n(reference, reply, 1),
    "ROUGE-2": lambda reference, reply: rouge_n(reference, reply, 2),
    "BLEU": bleu,
}
"""Measures of likeness by name. KAgentBench's is the first."""

WEIGHTS = {
    "planning": 0.25,
    "tool_use": 0.35,
    "reflection": 0.1,
    "conclusion": 0.2,
    "profile": 0.1,
}
"""Weights of the parts in the overall score."""


def tool(turn: Turn, reply: Action) -> float:
    """Return 1 if the tool is one of the accepted ones, else 0."""
    return float(any(_same_tool(gold, reply) for gold in turn.accepted))


def arguments(turn: Turn, reply: Action) -> float | None:
    """Return ROUGE-L of the arguments; None if the tool is wrong."""
    found = [_arguments(gold, reply) for gold in turn.accepted if _same_tool(gold, reply)]
    return max(found, default=None)


def thought(turn: Turn, reply: Action) -> float | None:
    """Return ROUGE-L of the thought, whatever the tool; None if the reference has no thought."""
    found = [rouge_l(gold.thought, _thought(reply)) for gold in turn.accepted if gold.thought]
    return max(found, default=None)


def match(turn: Turn, reply: Action, weight: float) -> float:
    """Return EM(tool) + weight x ROUGE-L(thought and arguments)."""
    found = (
        _same_tool(gold, reply) + weight * rouge_l(_description(gold), _description(reply))
        for gold in turn.accepted
    )
    return max(found, default=0.0)


def planning(turn: Turn, reply: Action, alike: Likeness = rouge_l) -> float | None:
    """Return the score of the plan; None if the reference has no thought."""
    found = [
        _same_tool(gold, reply) * alike(gold.thought, _thought(reply))
        for gold in turn.accepted
        if gold.thought
    ]
    return max(found, default=None)


def tool_use(turn: Turn, reply: Action, alike: Likeness = rouge_l) -> float:
    """Return the score of the call."""
    return max((_used(gold, reply, alike) for gold in turn.accepted), default=0.0)


def reflection(turn: Turn, reply: Action, alike: Likeness = rouge_l) -> float | None:
    """Return the score of a reply after a mistake; None at other turns.

    A reference without a thought is compared by its call alone.
    """
    if not turn.after_mistake:
        return None
    if turn.before is not None and reply.key == turn.before.key:
        return 0.0
    return max((_reflected(gold, reply, alike) for gold in turn.accepted), default=0.0)


def conclusion(turn: Turn, reply: Action, alike: Likeness = rouge_l) -> float | None:
    """Return the likeness of what the reply that ends the task says; None at other turns.

    It is 0 if another tool is called.
    """
    return _said(turn, reply, alike) if turn.last else None


def profile(turn: Turn, reply: Action, alike: Likeness = rouge_l) -> float | None:
    """Return the likeness of what is said in a character; None where nothing is to be said."""
    spoken = turn.last or any(gold.tool == SAY.name for gold in turn.accepted)
    return _said(turn, reply, alike) if spoken else None


Part = Callable[[Turn, Action, Likeness], float | None]
"""From a turn, a reply and a measure of likeness to a score; None if the part does not apply."""

PARTS: Mapping[str, Part] = {
    "planning": planning,
    "tool_use": tool_use,
    "reflection": reflection,
    "conclusion": conclusion,
    "profile": profile,
}
"""The parts by name, as `WEIGHTS` has them."""


def _said(turn: Turn, reply: Action, alike: Likeness) -> float | None:
    golds = [gold for gold in turn.accepted if _values(gold)]
    found = [_same_tool(gold, reply) * alike(_values(gold), _values(reply)) for gold in golds]
    return max(found, default=None)


def _used(gold: Action, reply: Action, alike: Likeness) -> float:
    return _same_tool(gold, reply) * arguments_likeness(gold.arguments, reply.arguments, alike)


def _reflected(gold: Action, reply: Action, alike: Likeness) -> float:
    used = _used(gold, reply, alike)
    if not gold.thought:
        return used
    return 0.3 * _same_tool(gold, reply) * alike(gold.thought, _thought(reply)) + 0.7 * used


def _same_tool(gold: Action, reply: Action) -> bool:
    return bool(reply.tool) and reply.tool == gold.tool


def _arguments(gold: Action, reply: Action) -> float:
    return arguments_likeness(gold.arguments, reply.arguments)


def _thought(reply: Action) -> str:
    """Return the thought before a call; "" for a reply without a call."""
    return reply.thought if reply.tool else ""


def _description(action: Action) -> str:
    return f"{action.thought}\n{_values(action)}"


def _values(action: Action) -> str:
    return "\n".join(as_text(value) for value in action.arguments.values())
