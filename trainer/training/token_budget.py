"""A training that is as long as a number of tokens, so that methods can be compared."""

from dataclasses import replace
from typing import TypeVar

from trainer.training.options import TrainingOptions

T = TypeVar("T", bound=TrainingOptions)


def with_passes(options: T, tokens: int) -> T:
    """Return the options with as many passes over the rows as --trained-tokens asks for.

    Args:
        options: The options of a command.
        tokens: Tokens that the loss sees in one pass.
    """
    if options.trained_tokens is None:
        return options
    return replace(options, num_train_epochs=options.trained_tokens / tokens)
