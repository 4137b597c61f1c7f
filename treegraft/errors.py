"""The root of Treegraft's exceptions.

Every error that a user can cause or fix derives from `TreegraftError`. The commands print it as one
line and exit with code 2. An exception out of an environment or a policy becomes a
`search.faults.TaskFault`. Any other exception is a defect and keeps its traceback.
"""


class TreegraftError(Exception):
    """Something the user can act on. The message says what to do."""

    @property
    def line(self) -> str:
        """What a command that ends with it prints."""
        return str(self)


class UsageError(TreegraftError):
    """A command, an option or a file named by one is wrong."""
