"""The API environment: the agent answers requests with the functions of web services.

The home of DFSDT (Qin et al. 2023, arXiv:2307.16789): a task offers the functions of one to three
services and some that it does not need, and ends with `Finish`. The bundled services are simulated;
a task is solved if the answer is right and the tables are as the solution leaves them.
"""

from collections.abc import Sequence

from environments.api import tasks
from environments.api.answers import same_answer
from environments.api.finish import FINISH, no_answer
from environments.api.services import State, bundled, changed_tables
from environments.base import Outcome, ToolEnv
from environments.tools import GIVE_UP, Tool
from environments.types import Action, Task


class ApiEnv(ToolEnv):
    """Requests that are answered with calls of web services.

    Args:
        split: "train" (the default) or "test".
    """

    instant = True
    branching = "a value"
    tools = (FINISH, GIVE_UP)
    instructions = (
        "You answer a request with the functions of web services. Not every function is needed. A "
        "reply has a field error and a field response; if there is an error, read it and change "
        "the call, or take another function. Lists come in pages: read on while there are more. "
        "At the end call Finish with return_type give_answer and the final answer in the form that "
        "is asked for, without other words. Change nothing that was not asked for."
    )

    def load_tasks(self) -> Sequence[Task]:
        """See `ToolEnv.load_tasks`."""
        return tasks.bundled_tasks(self.split)

    def tools_of(self, task: Task) -> tuple[Tool, ...]:
        """See `ToolEnv.tools_of`."""
        endpoints = bundled().endpoints
        return (*(endpoints[name].tool for name in task.details["tools"]), *self.tools)

    def begin(self, task: Task) -> None:
        """See `ToolEnv.begin`."""
        self._state = bundled().start

    def save(self) -> State:
        """See `ToolEnv.save`."""
        return self._state

    def load(self, state: State) -> None:
        """See `ToolEnv.load`."""
        self._state = state

    def act(self, action: Action) -> Outcome:
        """See `ToolEnv.act`."""
        assert self.task is not None
        if action.tool == FINISH.name:
            return no_answer(action) or self._graded(self.task, action.arguments["final_answer"])
        quotas = self.task.details["quotas"]
        reply, self._state = bundled().call(self._state, action.tool, action.arguments, quotas)
        return Outcome(reply.text, info={"error": f"http_{reply.status}"} if reply.failed else {})

    def _graded(self, task: Task, given: str) -> Outcome:
        """Grade an answer and the state; `info` says which of them is right."""
        right = same_answer(given, tasks.answer(task))
        changed = changed_tables(self._state, bundled().start)
        kept = changed == tasks.changes(bundled(), task)
        info = {"answer": right, "state": kept}
        return Outcome("answer submitted", float(right and kept), terminated=True, info=info)

    def solution(self, task: Task) -> list[Action]:
        """See `Demonstrable.solution`."""
        return tasks.solution(task)

    def mistakes(self, task: Task, action: Action) -> list[Action]:
        """See `Demonstrable.mistakes`."""
        return tasks.mistakes(bundled(), task, action)

    def noop(self, task: Task) -> list[Action]:
        """Return an answer that is never right."""
        return [Action(FINISH.name, {"return_type": "give_answer", "final_answer": "nothing"})]
