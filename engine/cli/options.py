"""Flags that several commands share: how an environment is named and made."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

Env = Annotated[
    str,
    typer.Option(
        help="A registered environment (bird, spider, database, python, webshop), or module:Class."
    ),
]
Data = Annotated[
    str | None,
    typer.Option(help="Folder, or file, of the task data.", show_default="the bundled tasks"),
]
Split = Annotated[str | None, typer.Option(help="Which split: train, dev, test.")]
Limit = Annotated[int | None, typer.Option(min=1, help="At most so many tasks.")]
Sandbox = Annotated[
    str, typer.Option(help="What confines the agent: auto, docker, bubblewrap, ...")
]
Db = Annotated[
    str | None,
    typer.Option(help="For --env database: postgres://user:password@host:port/database."),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="For --env python, of --data: humaneval, mbpp, gsm8k, jsonl.",
        show_default="by its first record",
    ),
]
Partial = Annotated[
    bool, typer.Option("--partial", help="For --env python: the share of tests passed is reward.")
]
Goals = Annotated[
    str | None,
    typer.Option(
        help="For --env webshop: synthetic or human.", show_default="human for the bundled shop"
    ),
]
Observation = Annotated[
    str | None, typer.Option(help="For --env webshop: text_rich or text.", show_default="text_rich")
]
Schema = Annotated[
    str | None,
    typer.Option(
        help="For --env bird and spider: where the schema is: tools, to look, or the prompt.",
        show_default="tools",
    ),
]
Run = Annotated[Path, typer.Argument(help="A run's folder.")]


def given(**options: str | bool | None) -> dict[str, str | bool]:
    """The environment's own options that were given."""
    return {name: value for name, value in options.items() if value is not None}


ENV_OPTIONS = ("db", "format_", "partial", "goals", "observation", "schema")
"""Parameters of commands that are options of an environment; a trailing _ is not in its name."""


def env_options(flags: Mapping[str, Any]) -> dict[str, str | bool]:
    """The environment's own options that were given, among a command's flags (its `locals()`)."""
    # A switch that is off is the environment's own default.
    return given(**{name.rstrip("_"): flags.get(name) or None for name in ENV_OPTIONS})
