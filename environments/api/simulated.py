"""The bundled requests, over the simulated services."""

from collections.abc import Sequence

from environments.api import tasks
from environments.api.answers import same_answer
from environments.api.services import Services, State, bundled, changed_tables
from environments.base import Outcome
from environments.tools import Tool
from environments.types import Action, Task


class Simulated:
    """Tasks with a known answer; a state holds the tables."""

    def __init__(self, split: str | None) -> None:
        self._split = split

    @property
    def services(self) -> Services:
        """The services; read on first use."""
        return bundled()

    def tasks(self, strict: bool) -> Sequence[Task]:
        """Return the tasks of the split; none of them is bad."""
        return tasks.bundled_tasks(self._split)

    def tools_of(self, task: Task) -> tuple[Tool, ...]:
        """Return the functions of a task."""
        return tuple(self.services.endpoints[name].tool for name in task.details["tools"])

    def start(self) -> State:
        """Return the state before any call."""
        return self.services.start

    def call(self, state: State, task: Task, action: Action) -> tuple[Outcome, State]:
        """Return the reply to a call, and the state after it."""
        quotas = task.details["quotas"]
        reply, state = self.services.call(state, action.tool, action.arguments, quotas)
        info = {"error": f"http_{reply.status}"} if reply.failed else {}
        return Outcome(reply.text, info=info), state

    def graded(self, state: State, task: Task, answer: str) -> Outcome:
        """Grade an answer and the state; `info` says which of them is right."""
        right = same_answer(answer, tasks.answer(task))
        kept = changed_tables(state, self.services.start) == tasks.changes(self.services, task)
        info = {"answer": right, "state": kept}
        return Outcome("answer submitted", float(right and kept), terminated=True, info=info)

    def solution(self, task: Task) -> list[Action] | None:
        """Return the calls that earn 1.0."""
        return tasks.solution(task)

    def mistakes(self, task: Task, action: Action) -> list[Action]:
        """Return wrong versions of a call."""
        return tasks.mistakes(self.services, task, action)
