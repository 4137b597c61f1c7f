"""What goes wrong in training and measuring. The commands print these as one line."""

from treegraft.errors import TreegraftError


class TrainerError(TreegraftError):
    """A flag, a file or a model that cannot be used; the message says what to do."""


class TemplateRefused(TrainerError):
    """The chat template does not show the model what the rows hold, so no mask could be right."""


class RowError(TrainerError):
    """One row cannot be used; it is dropped, counted and reported."""
