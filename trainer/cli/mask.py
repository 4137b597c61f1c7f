"""The command `trainer mask`: shows what the loss sees of a row, and proves it of a file."""

import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.terminal import Json
from trainer.cli.options import Model, prepare_torch
from trainer.errors import TrainerError

if TYPE_CHECKING:
    from trainer.data.mask_audit import Audit, Conversation
    from trainer.tokens.chat_template import ChatTemplate


def mask(
    model_name_or_path: Model,
    dataset: Annotated[
        Path, typer.Option(help="Rows for SFT or DPO, as `engine export` writes them.")
    ],
    row: Annotated[int, typer.Option(min=1, help="Which row to show; 1 is the first.")] = 1,
    json_: Json = False,
) -> None:
    """Show which tokens of a row are trained, and prove of the whole file that they are right.

    Exit status 1: a mask is wrong, or no row can be used.
    """
    prepare_torch()
    from trainer.data.mask_audit import audit, read
    from trainer.tokens.chat_template import renderer_of

    rows = list(read(dataset))
    if not rows:
        raise TrainerError(f"{dataset}: holds no rows")
    if row > len(rows):
        raise TrainerError(f"--row {row}: {dataset} has {len(rows)} rows")
    renderer = renderer_of(model_name_or_path)
    found = audit(renderer, rows)
    if json_:
        shown = [_as_json(renderer, one) for one in rows[row - 1]]
        counted = {field.name: getattr(found, field.name) for field in fields(found)}
        print(json.dumps({**counted, "rows": len(rows), "row": shown}))
    else:
        _show(renderer, rows[row - 1])
        _report(found, len(rows))
    if found.violations or not found.sequences:
        raise typer.Exit(1)


def _show(renderer: "ChatTemplate", row: "list[Conversation]") -> None:
    from rich.console import Console

    from trainer.cli.mask_view import view
    from trainer.data.mask_audit import labelled

    console = Console(highlight=False, soft_wrap=True)
    for one in row:
        console.print(f"line {one.line}, {one.column}", style="bold", markup=False)
        sequences = labelled(renderer, one)
        console.print(sequences if isinstance(sequences, str) else view(renderer, sequences))


def _report(found: "Audit", rows: int) -> None:
    for violation in found.violations:
        print(f"WRONG: {violation}")
    for reason, number in found.dropped.most_common():
        print(f"dropped: {number}: {reason}")
    print(
        f"{rows} rows, {found.turns} turns in {found.sequences} sequences; {found.tokens} tokens, "
        f"{found.distinct} distinct within a row, {found.trained} trained; "
        f"{'WRONG: ' + str(len(found.violations)) if found.violations else 'every mask is exact'}"
    )


def _as_json(renderer: "ChatTemplate", one: "Conversation") -> dict[str, Any]:
    from trainer.cli.mask_view import parts
    from trainer.data.mask_audit import labelled

    made = labelled(renderer, one)
    place = {"line": one.line, "column": one.column}
    if isinstance(made, str):
        return {**place, "dropped": made}
    sequences = [
        {
            "ids": sequence.ids,
            "labels": sequence.labels,
            "parts": [{"text": t, "trained": trained} for t, trained in parts(renderer, sequence)],
        }
        for sequence in made
    ]
    return {**place, "sequences": sequences}
