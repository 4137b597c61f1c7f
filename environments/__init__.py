"""Tool environments. Importing this package registers them with Gymnasium, lazily.

Without Gymnasium, the nouns alone are here: the distribution `treegraft-masks` reads rows with
them, and has no environments.
"""

from importlib.util import find_spec

from environments.errors import (
    BadOutcome,
    BadWorld,
    DataError,
    NoSolution,
    UnknownEnvironment,
)
from environments.tools import GIVE_UP, NO_ARGUMENTS, SAY, Tool
from environments.types import Action, Step, Task, Trajectory

if find_spec("gymnasium"):
    from environments.base import Outcome, Snapshot, ToolEnv
    from environments.demonstrable import Demonstrable
    from environments.registry import make, register_all

    register_all()

__all__ = [
    "GIVE_UP",
    "NO_ARGUMENTS",
    "SAY",
    "Action",
    "BadOutcome",
    "BadWorld",
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
