"""Scores of a reply at a turn of a reference: KAgentBench's parts and their weights.

Pan et al. 2023 (KwaiAgents, arXiv:2312.04889); its `benchmark/benchmark_eval.py` defines them. With
EM = 1 if the tool is the reference's, else 0:

    planning     EM x ROUGE-L(thought), if the reference has a thought
    tool use     EM x mean ROUGE-L of the arguments
    reflection   0.3 planning + 0.7 tool use, at turns after a mistake (an error, a repeat);
                 0 for repeating the call made just before
    conclusion   ROUGE-L of the arguments of the last call, if it has any
    profile      ROUGE-L under a character's profile

Differences: KAgentBench has a data set per kind of turn; here the turns are those of explored
trajectories. Its last turn is a text; here it is the call that ends the task. Its penalty compares
the reference's call with the one before; here the student's call is compared, as the comment in its
code says. No tree has a profile, and rows do not tell which turns follow a mistake.

Each score is the best over the accepted actions of a turn; None if the part does not apply to the
turn.
"""

from environments.types import Action
from trainer.evaluation.measures.references import Turn
from trainer.evaluation.measures.rouge import arguments_likeness, as_text, rouge_l

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
    return max(
        _same_tool(gold, reply) + weight * rouge_l(_description(gold), _description(reply))
        for gold in turn.accepted
    )


def planning(turn: Turn, reply: Action) -> float | None:
    """Return the score of the plan; None if the reference has no thought."""
    found = [
        _same_tool(gold, reply) * rouge_l(gold.thought, _thought(reply))
        for gold in turn.accepted
        if gold.thought
    ]
    return max(found, default=None)


def tool_use(turn: Turn, reply: Action) -> float:
    """Return the score of the call."""
    return max(_same_tool(gold, reply) * _arguments(gold, reply) for gold in turn.accepted)


def reflection(turn: Turn, reply: Action) -> float | None:
    """Return the score of a reply after a mistake; None at other turns.

    A reference without a thought is compared by its call alone.
    """
    if not turn.after_mistake:
        return None
    if turn.before is not None and reply.key == turn.before.key:
        return 0.0
    return max(_reflected(gold, reply) for gold in turn.accepted)


def conclusion(turn: Turn, reply: Action) -> float | None:
    """Return ROUGE-L of the arguments of the call that ends the task; None at other turns.

    It is 0 if another tool is called.
    """
    ends = [gold for gold in turn.accepted if _values(gold)] if turn.last else []
    found = [_same_tool(gold, reply) * rouge_l(_values(gold), _values(reply)) for gold in ends]
    return max(found, default=None)


def _reflected(gold: Action, reply: Action) -> float:
    used = _same_tool(gold, reply) * _arguments(gold, reply)
    if not gold.thought:
        return used
    return 0.3 * _same_tool(gold, reply) * rouge_l(gold.thought, _thought(reply)) + 0.7 * used


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
