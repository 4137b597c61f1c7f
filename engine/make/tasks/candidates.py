"""What the ways to make tasks have in common: candidates, and why one is left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from engine.runs.codec import dumps
from environments.task_making import Doubt
from environments.types import Task

REASONS = {
    "malformed": "what the model wrote makes no task",
    "unanswered": "the model gave no complete reply",
    "duplicate": "the prompt is that of another task",
    "similar": "the prompt is too like another one",
    "leaked": "the prompt holds the answer",
    "unsolvable": "the gold answer does not solve it",
    "trivial": "doing nothing solves it, or its answer says nothing",
    "ambiguous": "two different answers are right, or a wrong one earns as much",
    "unsound": "the world returns something else another time, or fails",
    "disagreement": "a second solver does not arrive at the gold answer",
}
"""Why candidates are left out, in the order in which it is found."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A task that is to be checked, or what could not become one.

    Attributes:
        task: None if there is none.
        doubt: Why it is left out already; None if nothing is known against it.
        text: The model's reply, where there is no task.
    """

    task: Task | None = None
    doubt: Doubt | None = None
    text: str = ""


@dataclass(slots=True)
class MadeTasks:
    """What was made.

    Attributes:
        tasks: Those that are good.
        rejected: The others, with their doubts.
        stopped: Why it ended before there were as many as wanted; "" if there are.
    """

    tasks: list[Task] = field(default_factory=list)
    rejected: list[Candidate] = field(default_factory=list)
    stopped: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """How many were left out, by reason."""
        found = [each.doubt.reason for each in self.rejected if each.doubt]
        return {reason: found.count(reason) for reason in REASONS if reason in found}


def finished(task: Task, how: str, by: str, **more: Sequence[str]) -> Task:
    """Return a task that was made with its id and its provenance.

    Args:
        how: The method, which begins the id; the rest tells the content.
        by: "rules", or the model's name.
        more: "from" (as `from_`) and "replies"; what is empty is left out.
    """
    content: Any = [task.prompt, task.secret]
    id = f"{how}-{sha256(dumps(content).encode()).hexdigest()[:12]}"
    made: Mapping[str, Any] = {
        "by": by,
        "how": how,
        **{name.rstrip("_"): list(ids) for name, ids in more.items() if ids},
    }
    return replace(task, id=id, group=task.group or id, made=made)
