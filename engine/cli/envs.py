"""The command `engine envs`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from engine.terminal import Json

if TYPE_CHECKING:
    from engine.env_table import EnvRow

WIDTH = 120
"""Characters of a line where the output is no terminal."""


def envs(
    name: Annotated[
        str, typer.Argument(help="A registered environment, `module:Class` or `FILE.py:Class`.")
    ] = "",
    measure: Annotated[
        bool, typer.Option(help="Measure what a branch costs.", show_default=False)
    ] = False,
    json_: Json = False,
) -> None:
    """List the environments, or the options of one, for `--env-arg`."""
    if name:
        _print_options(name, json_)
        return
    from engine.env_table import env_rows

    rows = list(env_rows(measured=measure))
    if json_:
        print(json.dumps({row.name: asdict(row) for row in rows}))
    else:
        _print_table(rows, measure)


def _milliseconds(number: float | None) -> str:
    if number is None:
        return "-"
    return f"{number:.0f}" if number >= 100 else f"{number:.2g}"


def _print_options(name: str, json_: bool) -> None:
    from environments.registry import options_of

    options = options_of(name)
    if json_:
        print(json.dumps({name: [asdict(option) for option in options]}, default=str))
        return
    print(name)
    for option in options:
        print(f"  --env-arg {option.name}=...  {option.help} [default: {option.default}]")


def _print_table(rows: Sequence["EnvRow"], measured: bool) -> None:
    from rich.box import MARKDOWN
    from rich.console import Console
    from rich.table import Table

    table = Table("world", "tasks (train/test)", "extra", "a state branches by", box=MARKDOWN)
    if measured:
        table.add_column("a branch, ms", justify="right")
    for row in rows:
        tasks = row.tasks and "/".join(str(row.tasks.get(split, 0)) for split in ("train", "test"))
        extra = row.extra if row.installed else f"{row.extra}, not installed"
        cells = [row.name, tasks or "-", extra or "-", row.branching or "-"]
        if measured:
            cells.append(_milliseconds(row.branch_ms))
        table.add_row(*cells)
    console = Console()
    Console(width=None if console.is_terminal else WIDTH).print(table)
