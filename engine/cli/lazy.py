"""A command group that imports a command's module only when that command is run.

`--help` of the group must answer at once, and the modules need Gymnasium, numpy or torch.
"""

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from engine.cli.world_options import EnvCommand
from engine.errors import UsageError


def lazy_app(name: str, summary: str, commands: Mapping[str, tuple[str, str]]) -> typer.Typer:
    """Return an application whose commands are imported when they are run.

    `commands` maps names to (`module:object`, one line of help). The object is a function or a
    `typer.Typer`; a function's `context_settings` attribute is passed on.
    """

    class Group(TyperGroup):
        listing = False

        def list_commands(self, ctx: Any) -> list[str]:
            return list(commands)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            if cmd_name not in commands:
                return None
            target, line = commands[cmd_name]
            return _summary(cmd_name, line) if self.listing else load(cmd_name, target)

        def format_help(self, ctx: Any, formatter: Any) -> None:
            with self._listed():
                super().format_help(ctx, formatter)

        def shell_complete(self, ctx: Any, incomplete: str) -> Any:
            with self._listed():
                return super().shell_complete(ctx, incomplete)

        @contextmanager
        def _listed(self) -> Iterator[None]:
            """Show the commands without importing them."""
            self.listing = True
            try:
                yield
            finally:
                self.listing = False

    app = typer.Typer(
        name=name,
        cls=Group,
        help=summary,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    return app


def _summary(name: str, line: str) -> Any:
    """Return a command that does nothing, to be listed."""
    app = typer.Typer(add_completion=False)
    app.command(name=name, help=line)(_nothing)
    return typer.main.get_command(app)


def load(name: str, target: str) -> Any:
    """Import a command, `module:object`, and return it as a click command called `name`.

    Raises:
        UsageError: This installation lacks a module that the command needs.
    """
    module, _, attribute = target.partition(":")
    try:
        found: Any = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{name} needs {error.name}, which is not installed: pip install 'treegraft[train]'"
        ) from error
    if not isinstance(found, typer.Typer):
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        settings = getattr(found, "context_settings", None)
        app.command(name=name, cls=EnvCommand, context_settings=settings)(found)
        found = app
    made = typer.main.get_command(found)
    made.name = name
    return made


def _nothing() -> None:
    """Do nothing: the body of a command that is only listed."""


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"treegraft {_version()}")
        raise typer.Exit


def _version() -> str:
    """Return the version of what is installed; `treegraft-masks` is `trainer mask` alone."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("treegraft")
    except PackageNotFoundError:
        return f"{version('treegraft-masks')} (masks)"


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """Make typer treat the application as a group."""
