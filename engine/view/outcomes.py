"""How a tree and its nodes ended, in words and in counts."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from environments.types import Step
from search.tree import Node, Status, Tree

SAID_SHOWN = 160
"""Characters of an error's observation on its node's line."""

_CUT_BY = {"depth": "the depth limit", "recorded end": "the end of the recording"}
_ENDED: dict[Status, str] = {
    "failed": "gave a wrong answer",
    "gave_up": "gave up",
    "cut": "reached a limit (cut)",
}
_STOPPED = {
    "exhausted": "no state was left to expand",
    "calls": "the task had used all its calls",
    "tokens": "the task had used all its tokens",
    "usd": "the task had used all its dollars",
    "budget": "the run's budget was used up; the same command with a larger one goes on",
}


def error_of(step: Step) -> str:
    """Return the kind of the agent's mistake in `step`; "" for none."""
    return str(step.info.get("error") or step.incomplete)


def node_outcome(node: Node) -> dict[str, Any]:
    """Return the error of a node and why its path ended, as its line shows them.

    `said` is the first line of the observation of an error, which often says what was wrong.
    """
    step = node.step
    error = error_of(step)
    cut_by = str(step.info.get("cut", ""))
    said = step.observation.strip().partition("\n")[0] if error else ""
    return {
        "error": error,
        "said": said if len(said) <= SAID_SHOWN else f"{said[:SAID_SHOWN]}…",
        "cut_by": _CUT_BY.get(cut_by, cut_by or "a limit of the world")
        if node.status == "cut"
        else "",
    }


def outcome_counts(tree: Tree) -> dict[str, dict[str, int]]:
    """Return how many leaves ended in each status, and how many nodes use each tool or err."""
    return {
        "leaves": dict(Counter(leaf.status for leaf in tree.leaves())),
        "tools": dict(Counter(node.step.action.tool or "malformed" for node in tree.nodes)),
        "errors": dict(Counter(filter(None, (error_of(node.step) for node in tree.nodes)))),
    }


def outcome_sentence(tree: Tree) -> str:
    """Return in one sentence whether and how the task was solved, or why it was not."""
    leaves = list(tree.leaves())
    winners = tree.winners()
    if winners:
        return (
            f"Solved by {len(winners)} of {_number(len(leaves), 'ended path')}; "
            f"the first is node {winners[0].id}."
        )
    verb = "Not finished" if tree.stopped == "budget" else "Not solved"
    return f"{verb}: {'; '.join(_reasons(tree, leaves))}."


def _reasons(tree: Tree, leaves: list[Node]) -> Iterator[str]:
    ended = Counter(leaf.status for leaf in leaves)
    parts = [f"{ended[status]} {said}" for status, said in _ENDED.items() if ended[status]]
    yield (
        f"of {_number(len(leaves), 'ended path')}, {' and '.join(parts)}"
        if parts
        else ("no path came to an end")
    )
    best = max((leaf.step.reward for leaf in leaves), default=0.0)
    if best > 0:
        yield f"the best reward was {best:.3g}"
    errors = Counter(filter(None, (error_of(node.step) for node in tree.nodes)))
    if errors:
        kind, times = errors.most_common(1)[0]
        share = f"{errors.total()} of {_number(len(tree.nodes), 'step')}"
        yield f"{share} had an error, most often {kind} ({times})"
    if tree.stopped in _STOPPED:
        yield f"the search stopped because {_STOPPED[tree.stopped]}"


def _number(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
