"""What stops a run of rounds."""

from engine.errors import UsageError
from treegraft.errors import TreegraftError


class LeakedTask(UsageError):
    """What measures the student would be trained on; nothing is trained."""


class StepFailed(TreegraftError):
    """A step did not end well; the same command does it again, and goes on from there."""
