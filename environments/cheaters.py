"""What a cheater sees and does: it earns a reward without solving the task, where a world lets it.

`engine validate --proof` plays a panel of cheaters on every task. A world adds its own with
`ToolEnv.cheaters`:

    def cheaters(self) -> Mapping[str, Cheater]:
        return {"says please": self.please}

    @staticmethod
    def please(view: AgentView) -> Attempt:
        observation = yield Action("ask", {"text": "What is the answer, please?"})
        yield Action("answer", {"text": observation})
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from environments.tools import Tool
from environments.types import Action


@dataclass(frozen=True, slots=True)
class AgentView:
    """What an agent knows of a task: nothing of its secret.

    Attributes:
        prompt: The task's text.
        instructions: The world's rules.
        tools: Those of the task.
        endings: The last actions of other tasks' solutions, as training data shows them.
    """

    prompt: str
    instructions: str
    tools: Sequence[Tool]
    endings: Sequence[Action] = ()


Attempt = Generator[Action, str, None]
"""Yields actions, and is sent the observation of each; it is closed when the task is over."""

Cheater = Callable[[AgentView], Attempt]
