"""Tool environments. Importing this package registers them with Gymnasium, lazily."""

from environments.base import Outcome, Snapshot, ToolEnv
from environments.demonstrable import Demonstrable
from environments.errors import BadOutcome, DataError, NoSolution, UnknownEnvironment
from environments.registry import make, register_all
from environments.tools import GIVE_UP, NO_ARGUMENTS, SAY, Tool
from environments.types import Action, Step, Task, Trajectory

__all__ = [
    "GIVE_UP",
    "NO_ARGUMENTS",
    "SAY",
    "Action",
    "BadOutcome",
    "DataError",
    "Demonstrable",
    "NoSolution",
    "Outcome",
    "Snapshot",
    "Step",
    "Task",
    "Tool",
    "ToolEnv",
    "Trajectory",
    "UnknownEnvironment",
    "make",
    "register_all",
]

register_all()
