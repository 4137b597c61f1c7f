"""Errors of training and measuring. The commands print them as one line."""

from treegraft.errors import TreegraftError


class TrainerError(TreegraftError):
    """A flag, a file or a model that cannot be used; the message says what to do."""


class TemplateRefused(TrainerError):
    """The chat template does not show the model what the rows hold, so no mask can be exact."""


class RowError(TrainerError):
    """One row cannot be used; it is dropped, counted and reported."""


class WrongValue(TrainerError):
    """A value of a row has the wrong type, so the file is not what it seems; it is refused."""
