"""What goes wrong in the engine and can be fixed by its user."""

from treegraft.errors import TreegraftError, UsageError

__all__ = ["LeakError", "UsageError"]


class LeakError(TreegraftError):
    """A row would hold a secret; nothing is written."""
