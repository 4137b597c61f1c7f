"""Why a task has no tree, as a run keeps it and as the commands count it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from environments.types import Task
from search.faults import TaskFault
from treegraft.errors import TreegraftError

SHORTEST_SECRET = 3
"""Characters of the shortest secret that is taken out of a traceback."""
SHOWN_CAUSES = 3


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the search of a task failed. It holds nothing of the task's secret.

    Attributes:
        kind: The name of the error's class.
        message: What it says.
        trace: The traceback, if the code of the environment or of the policy raised it.
    """

    kind: str
    message: str
    trace: str = ""

    @classmethod
    def of(cls, task: Task, error: TreegraftError) -> Self:
        """Return `error` as the failure of `task`."""
        fault = error if isinstance(error, TaskFault) else None
        kind = fault.kind if fault else type(error).__name__
        return cls(
            kind,
            without_secret(str(error), task),
            without_secret(fault.trace if fault else "", task),
        )

    def __str__(self) -> str:
        named = self.message.startswith(f"{self.kind} in ") or self.message == self.kind
        return self.message if named else f"{self.kind}: {self.message}"

    @property
    def cause(self) -> str:
        """What failures of the same origin have in common: the kind, and the line at fault."""
        place, _, _ = self.message.partition(": ")
        return place if place.startswith(f"{self.kind} in ") else self.kind


def without_secret(text: str, task: Task) -> str:
    """Return `text` without the strings of the task's secret: an exception may quote them."""
    public = f"{task.id}\n{task.prompt}"
    secrets = {
        each for each in _texts(task.secret) if len(each) >= SHORTEST_SECRET and each not in public
    }
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "[secret]").replace(repr(secret)[1:-1], "[secret]")
        text = text.replace(" ".join(secret.split()), "[secret]")
    return text


def _texts(value: Any) -> Iterator[str]:
    """Yield the strings and numbers in `value` as an exception would show them."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)


def failed_line(failures: Iterable[Failure]) -> str:
    """Return a line that says how many tasks failed, and of what."""
    causes = Counter(failure.cause for failure in failures)
    shown = [
        cause if number == 1 or len(causes) == 1 else f"{cause} ({number})"
        for cause, number in causes.most_common(SHOWN_CAUSES)
    ]
    more = "; ..." if len(causes) > SHOWN_CAUSES else ""
    total = causes.total()
    return f"{total} {'task' if total == 1 else 'tasks'} failed: {'; '.join(shown)}{more}"
