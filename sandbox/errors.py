"""Errors of the sandbox."""

from treegraft.errors import TreegraftError


class SandboxError(TreegraftError):
    """The sandbox itself failed (start, transport). What the agent's code does is a result."""


class StateLost(SandboxError):
    """A saved state is gone (evicted, killed). Replaying the path rebuilds it."""


class DatabaseUnreadable(SandboxError):
    """A database is missing or cannot be read: its own tasks cannot be played."""


class DatabaseChanged(SandboxError):
    """A program wrote to a database while tasks were played on it."""
