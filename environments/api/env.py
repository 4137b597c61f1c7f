"""The API environment: the agent answers requests with the functions of web services.

The home of DFSDT (Qin et al. 2023, arXiv:2307.16789): a task offers some functions and ends with
`Finish`. The bundled services are simulated (`simulated`), and a task is solved if the answer is
right and the tables are as the solution leaves them. With `--data`, functions and requests are
ToolBench's, with recorded answers (`recorded`), and nobody knows the right answer: a model may
grade it.
"""

from collections.abc import Sequence
from typing import Any

from environments.api.finish import FINISH, GIVE_ANSWER, no_answer
from environments.api.recorded import Recorded
from environments.api.simulated import Simulated
from environments.api.thoughts import thought
from environments.base import Outcome, ToolEnv
from environments.tools import GIVE_UP, Tool
from environments.types import Action, Step, Task

_RULES = (
    "You answer a request with the functions of web services. Not every function is needed. A "
    "reply has a field error and a field response; if there is an error, read it and change the "
    "call, or take another function. Change nothing that was not asked for."
)
_EXACT = (
    "Lists come in pages: read on while there are more. At the end call Finish with return_type "
    "give_answer and the final answer in the form that is asked for, without other words."
)
_FULL = (
    "At the end call Finish with return_type give_answer and a final answer that tells the user "
    "all that was asked for; the user sees nothing else. If it cannot be done, call Finish with "
    "give_up_and_restart."
)


class ApiEnv(ToolEnv):
    """Requests that are answered with calls of web services.

    Args:
        data: a folder in the layout of ToolBench or StableToolBench; None for the bundled services.
        split: "train" (the default) or "test"; with data, the name of a file of requests.
        sandbox: not used.
    """

    instant = True
    branching = "a value"
    tools = (FINISH, GIVE_UP)
    instructions = f"{_RULES} {_EXACT}"

    def __init__(
        self, *, data: str | None = None, split: str | None = None, sandbox: str = "auto"
    ) -> None:
        super().__init__(data=data, split=split, sandbox=sandbox)
        self._world: Simulated | Recorded
        if data is None:
            self._world = Simulated(split)
        else:
            self.graded, self.instructions = False, f"{_RULES} {_FULL}"
            self._world = Recorded(data, split)
        self._state: Any = None

    def load_tasks(self) -> Sequence[Task]:
        """See `ToolEnv.load_tasks`."""
        return self._world.tasks(self.strict)

    def tools_of(self, task: Task) -> tuple[Tool, ...]:
        """See `ToolEnv.tools_of`."""
        return (*self._world.tools_of(task), *self.tools)

    def begin(self, task: Task) -> None:
        """See `ToolEnv.begin`."""
        self._state = self._world.start()

    def save(self) -> Any:
        """See `ToolEnv.save`."""
        return self._state

    def load(self, state: Any) -> None:
        """See `ToolEnv.load`."""
        self._state = state

    def act(self, action: Action) -> Outcome:
        """See `ToolEnv.act`."""
        assert self.task is not None
        if action.tool == FINISH.name:
            missing = no_answer(action)
            answer = str(action.arguments.get("final_answer"))
            return missing or self._world.graded(self._state, self.task, answer)
        outcome, self._state = self._world.call(self._state, self.task, action)
        return outcome

    def solution(self, task: Task) -> list[Action] | None:
        """See `Demonstrable.solution`; None for a request without a known answer."""
        return self._world.solution(task)

    def mistakes(self, task: Task, action: Action) -> list[Action]:
        """See `Demonstrable.mistakes`."""
        return self._world.mistakes(task, action)

    def thought(self, task: Task, path: Sequence[Step], action: Action) -> str:
        """See `Demonstrable.thought`."""
        return thought(task, path, action)

    def left_without(self, task: Task) -> tuple[Tool, ...]:
        """See `Demonstrable.left_without`: the functions of services that it does not need."""
        needed = {_service(action.tool) for action in self.solution(task) or ()}
        others = self._world.tools_of(task)
        return tuple(tool for tool in others if _service(tool.name) not in needed)

    def noop(self, task: Task) -> list[Action]:
        """Return an answer that is never right."""
        return [Action(FINISH.name, {"return_type": GIVE_ANSWER, "final_answer": "nothing"})]


def _service(function: str) -> str:
    """Return the service in the name of a function, as "sky_report" of "get_day_for_sky_report"."""
    return function.rpartition("_for_")[2]
