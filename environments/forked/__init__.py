"""Worlds whose states are forked programs in the sandbox, such as an interpreter or a shell."""

from environments.forked.env import ForkedEnv
from environments.forked.nodes import LIMITS, ForkedNodes, Saved, graded, returned, why_stopped
from environments.forked.shell import BASH, SHELL, ShellEnv

__all__ = [
    "BASH",
    "LIMITS",
    "SHELL",
    "ForkedEnv",
    "ForkedNodes",
    "Saved",
    "ShellEnv",
    "graded",
    "returned",
    "why_stopped",
]
