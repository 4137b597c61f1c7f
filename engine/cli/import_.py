"""The command `engine import`: other systems' runs become a run."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.flags import command
from engine.interop.import_run import FORMATS, Imported
from engine.interop.import_run import import_run as import_files
from engine.interop.settings import ImportSettings
from engine.terminal import Json, say


def _import(
    format: Annotated[str, typer.Argument(help=f"What the files hold: {', '.join(FORMATS)}.")],
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders of them.")],
    output: Annotated[Path, typer.Option(help="Folder of the run to write.")],
    settings: ImportSettings,
    json_: Json = False,
) -> None:
    """Make a run of conversations that another system recorded.

    Conversations of one task become one tree: equal beginnings are one path. Then `engine stats`,
    `show`, `view` and `export` work on it as on any run.

    For example:

    engine import chat rows.jsonl --output runs/theirs --reward score --success 0.9

    engine export runs/theirs --output pairs.jsonl --to dpo
    """
    found = import_files(format, paths, output, settings)
    if json_:
        print(json.dumps(asdict(found)))
        return
    say(
        f"{found.conversations} conversations of {found.trees} tasks in {output}: "
        f"{found.nodes} steps, {found.merged} more shared; {found.successes} succeeded"
    )
    if found.unknown:
        say(_untold(found))


def _untold(found: Imported) -> str:
    return (
        f"{found.unknown} of {found.conversations} conversations have no reward, so they make no "
        "rows and no pairs: name its field with --reward, or its file with --rewards, or import "
        "again with --default-reward 1 if they are right"
    )


import_run = command(_import)
