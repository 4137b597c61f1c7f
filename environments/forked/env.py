"""A world whose states are forked programs in the sandbox: the base class."""

from abc import abstractmethod

from environments.base import ToolEnv
from environments.forked.nodes import LIMITS, ForkedNodes, Saved
from environments.types import Task
from sandbox.bundle import Bundle
from sandbox.protocol import StepLimits


class ForkedEnv(ToolEnv):
    """A world whose states are forked programs in the sandbox, such as an interpreter or a shell.

    A subclass names its modules that run in the sandbox (`inside`), says how a task is set up there
    (`start_code`), and writes its tools and its grader with `nodes`.

    Attributes:
        inside: modules of the world that run in the sandbox: tools and graders.
        limits: of one tool call.
        nodes: the states.
    """

    sandboxed = True
    branching = "a forked process"
    inside: Bundle
    limits: StepLimits = LIMITS

    def __init__(
        self, *, data: str | None = None, split: str | None = None, sandbox: str = "auto"
    ) -> None:
        super().__init__(data=data, split=split, sandbox=sandbox)
        self.nodes = ForkedNodes(sandbox, self.limits, self.inside, self.start_code)

    @abstractmethod
    def start_code(self, task: Task) -> str:
        """Return code that sets up `task` in a fork of the root; "" if nothing has to be.

        Its value is "", or says what is wrong.
        """

    def begin(self, task: Task) -> None:
        """See `ToolEnv.begin`."""
        self.nodes.begin(task)

    def save(self) -> Saved:
        """See `ToolEnv.save`."""
        return self.nodes.save()

    def load(self, state: Saved) -> None:
        """See `ToolEnv.load`."""
        self.nodes.load(state)

    def free(self, state: Saved) -> None:
        """See `ToolEnv.free`."""
        self.nodes.free(state)

    def end(self) -> None:
        """See `ToolEnv.end`."""
        self.nodes.close()
