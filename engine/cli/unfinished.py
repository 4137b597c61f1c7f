"""What a command says of the tasks that a run left, and its exit status."""

from typing import TYPE_CHECKING

import typer

from engine.runs.failure import failed_line
from engine.terminal import say

if TYPE_CHECKING:
    from engine.runs.explore import Summary


def end(summary: "Summary", budget: str = "the budget") -> None:
    """Say what a run left for the same command to do.

    Args:
        summary: What the run did.
        budget: How the budget that cut tasks short is called.

    Raises:
        typer.Exit: Something is left; the status is 1.
    """
    if summary.stopped:
        say(f"{budget} is spent: {summary.stopped} tasks were cut short; raise it to go on")
    if summary.failed:
        say(f"{failed_line(summary.failures)}; the same command tries them again")
    if not summary.complete:
        raise typer.Exit(1)
