"""The `engine` and `trainer` commands.

`engine rounds` drives the trainer, so the engine's own package cannot hold it. It joins here.
"""

import sys

import typer

from engine.terminal import guarded


def engine_app() -> typer.Typer:
    """Return the `engine` command with all its parts."""
    from engine.cli.app import app
    from treegraft.rounds.cli import rounds

    complete = typer.Typer(
        name="engine",
        help="Explore tool environments as trees; export rows to train on.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    complete.add_typer(app)
    complete.command()(rounds)
    return complete


def engine() -> None:
    """Run the `engine` command."""
    sys.exit(guarded(engine_app()))


def trainer() -> None:
    """Run the `trainer` command."""
    from trainer.cli.app import app

    sys.exit(guarded(app))
