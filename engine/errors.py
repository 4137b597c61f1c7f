"""What the user of the engine can mend."""

from treegraft.errors import TreegraftError


class UsageError(TreegraftError):
    """The command, its flags or a file that it names are wrong."""


class LeakError(TreegraftError):
    """A row would hold what no row may hold; nothing is written."""
