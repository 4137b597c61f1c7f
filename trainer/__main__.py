"""`python -m trainer` is the `trainer` command."""

from treegraft.commands import trainer

trainer()
