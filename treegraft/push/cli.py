"""The command `engine push`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.flags import command
from engine.errors import UsageError
from engine.terminal import Json, say


def _push(
    source: Annotated[Path, typer.Argument(help="A run, or a file of rows in any format.")],
    repo_id: Annotated[str, typer.Option(help="The data set on the hub: USER/NAME.")],
    private: Annotated[bool, typer.Option(help="Make it a private one.")] = False,
    revision: Annotated[
        str, typer.Option(help="Branch to push to, made if there is none; default: main.")
    ] = "",
    licence: Annotated[str, typer.Option(help="The data set's licence, for the card.")] = "",
    held_out: Annotated[
        list[Path],
        typer.Option(
            help="Runs, or files of tasks, prompts or rows, whose tasks must not be in the rows."
        ),
    ] = [],  # noqa: B006
    format: Annotated[str, typer.Option(help="Format of the rows: jsonl or parquet.")] = "jsonl",
    output: Annotated[
        Path | None, typer.Option(help="Folder to keep what is pushed in, too.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write the folder --output, and upload nothing.")
    ] = False,
    json_: Json = False,
) -> None:
    """Push a run or rows to the Hugging Face Hub: a data set with a card made from the audit.

    The token is that of HF_TOKEN or of `hf auth login`. For example:

    engine push runs/a --repo-id me/sql-agent --licence mit --private
    """
    try:
        import datasketch  # noqa: F401
        import huggingface_hub  # noqa: F401

        from treegraft.push.api import push_to_hub
    except ImportError as error:
        raise UsageError(
            f"engine push needs packages ({error.name}): pip install 'treegraft[hub]'"
        ) from error
    done = push_to_hub(
        source,
        repo_id,
        private=private,
        revision=revision or None,
        licence=licence,
        held_out=held_out,
        format=format,
        output=output,
        dry_run=dry_run,
    )
    if json_:
        print(json.dumps(asdict(done)))
        return
    counted = ", ".join(f"{number} {name}" for name, number in done.rows.items())
    for reason, number in done.unusable.items():
        say(f"left out, {number}: {reason}")
    if dry_run:
        say(f"would push to {repo_id}: {', '.join(done.files)} ({counted} rows), from {output}")
    else:
        say(f"{counted} rows pushed: {done.url}")


push = command(_push)
