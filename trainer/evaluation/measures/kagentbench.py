"""What a reply at a turn of a reference is worth: KAgentBench's parts and their weights.

Pan et al. 2023 (KwaiAgents, arXiv:2312.04889); its `benchmark/benchmark_eval.py` defines them. With
EM = 1 where the tool is the reference's, else 0:

    planning     EM x ROUGE-L(thought), where the reference has a thought
    tool use     EM x mean ROUGE-L of the arguments
    reflection   0.3 planning + 0.7 tool use, at turns after a mistake (an error, a repeat);
                 0 for the call that was made just before, once more
    conclusion   ROUGE-L of what the last call says, where it says anything
    profile      ROUGE-L under a character's profile

What differs: its turns of the four kinds are four data sets, and here they are the turns of
trajectories that this project explored; its last turn is a text, and here the call that ends the
task; its penalty compares the reference's call to the one before, and here the student's, which is
what its comment says. No tree of ours has a profile, and rows do not tell which turns come after a
mistake.

Each figure is the best over the actions that are right at a turn; None where the turn is none that
it is about.
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
"""Of the parts in the overall score."""


def tool(turn: Turn, said: Action) -> float:
    """1 where the tool is one that is right there."""
    return float(any(_same_tool(right, said) for right in turn.right))


def arguments(turn: Turn, said: Action) -> float | None:
    """ROUGE-L of the arguments, where the tool is right."""
    found = [_arguments(right, said) for right in turn.right if _same_tool(right, said)]
    return max(found, default=None)


def thought(turn: Turn, said: Action) -> float | None:
    """ROUGE-L of the thought, whatever the tool, where the reference has one."""
    found = [rouge_l(right.thought, _thought(said)) for right in turn.right if right.thought]
    return max(found, default=None)


def match(turn: Turn, said: Action, weight: float) -> float:
    """EM(tool) + weight x ROUGE-L(description)."""
    return max(
        _same_tool(right, said) + weight * rouge_l(_description(right), _description(said))
        for right in turn.right
    )


def planning(turn: Turn, said: Action) -> float | None:
    """KAgentBench's score of a plan."""
    found = [
        _same_tool(right, said) * rouge_l(right.thought, _thought(said))
        for right in turn.right
        if right.thought
    ]
    return max(found, default=None)


def tool_use(turn: Turn, said: Action) -> float:
    """KAgentBench's score of a call."""
    return max(_same_tool(right, said) * _arguments(right, said) for right in turn.right)


def reflection(turn: Turn, said: Action) -> float | None:
    """KAgentBench's score of what comes after a mistake. A reference without a thought counts by
    its call alone."""
    if not turn.after_mistake:
        return None
    if turn.before is not None and said.key == turn.before.key:
        return 0.0
    return max(_reflected(right, said) for right in turn.right)


def conclusion(turn: Turn, said: Action) -> float | None:
    """ROUGE-L of the values in the call that ends the task; 0 where another tool is called."""
    ends = [right for right in turn.right if _values(right)] if turn.last else []
    found = [_same_tool(right, said) * rouge_l(_values(right), _values(said)) for right in ends]
    return max(found, default=None)


def _reflected(right: Action, said: Action) -> float:
    used = _same_tool(right, said) * _arguments(right, said)
    if not right.thought:
        return used
    return 0.3 * _same_tool(right, said) * rouge_l(right.thought, _thought(said)) + 0.7 * used


def _same_tool(right: Action, said: Action) -> bool:
    return bool(said.tool) and said.tool == right.tool


def _arguments(right: Action, said: Action) -> float:
    return arguments_likeness(right.arguments, said.arguments)


def _thought(said: Action) -> str:
    """A reply that is no call holds no thought that led to one."""
    return said.thought if said.tool else ""


def _description(action: Action) -> str:
    return f"{action.thought}\n{_values(action)}"


def _values(action: Action) -> str:
    return "\n".join(as_text(value) for value in action.arguments.values())
