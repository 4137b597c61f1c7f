"""What goes wrong with environments and their data."""

from treegraft.errors import TreegraftError


class DataError(TreegraftError):
    """Task data is missing or malformed; the message names the file and the record."""


class UnknownEnvironment(TreegraftError):
    """`--env` names nothing that can be made."""


class NoSolution(TreegraftError):
    """A task has no known solution, where one has to be played."""


class BadWorld(TreegraftError):
    """A world's own code breaks the contract; names the class, the method and what to do."""


class BadOutcome(BadWorld):
    """An environment returned a reward or facts that no tree can hold; it fails the task."""
