"""The command `trainer mask`: show which tokens the loss sees, and prove it for a whole file."""

import json
from collections.abc import Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.flags import command
from engine.terminal import Json
from trainer.cli.options import RENAMED
from trainer.errors import TrainerError
from trainer.runtime.prepare import prepare_tokenizers

if TYPE_CHECKING:
    from trainer.data.mask_audit import Audit, Conversation
    from trainer.tokens.chat_template import ChatTemplate


@partial(command, renamed=RENAMED)
def mask(
    model: Annotated[str, typer.Option(help="Directory, hub id or smollm2.")],
    dataset: Annotated[
        Path, typer.Option(help="Rows for SFT or DPO, in any format of docs/data.md.")
    ],
    row: Annotated[int, typer.Option(min=1, help="Number of the row to show, from 1.")] = 1,
    json_: Json = False,
) -> None:
    """Show which tokens of a row are trained, and prove that every mask of the file is exact.

    Exit status 1: a mask is wrong, or no row can be used.
    """
    prepare_tokenizers()
    from trainer.data.mask_audit import audit, read_conversations
    from trainer.tokens.chat_template import load_chat_template

    rows = list(read_conversations(dataset))
    if not rows:
        raise TrainerError(f"{dataset}: holds no rows")
    if row > len(rows):
        raise TrainerError(f"--row {row}: {dataset} has {len(rows)} rows")
    renderer = load_chat_template(model)
    found = audit(renderer, rows)
    if json_:
        shown = [_as_json(renderer, one) for one in rows[row - 1]]
        counts = {field.name: getattr(found, field.name) for field in fields(found)}
        print(json.dumps({**counts, "rows": len(rows), "row": shown}))
    else:
        _show(renderer, rows[row - 1])
        _report(found, len(rows))
    if found.violations or not found.sequences:
        raise typer.Exit(1)


def _show(renderer: "ChatTemplate", row: "Sequence[Conversation]") -> None:
    from rich.console import Console

    from trainer.cli.mask_view import view
    from trainer.data.mask_audit import label_or_reason

    console = Console(highlight=False, soft_wrap=True)
    for one in row:
        console.print(f"line {one.line}, {one.column}", style="bold", markup=False)
        sequences = label_or_reason(renderer, one)
        console.print(sequences if isinstance(sequences, str) else view(renderer, sequences))


def _report(found: "Audit", rows: int) -> None:
    for violation in found.violations:
        print(f"WRONG: {violation}")
    for reason, number in found.dropped.most_common():
        print(f"dropped: {number}: {reason}")
    weighted = f" ({found.weighted} of a weight other than 1)" if found.weighted else ""
    print(
        f"{rows} rows, {found.turns} turns{weighted} in {found.sequences} sequences; "
        f"{found.tokens} tokens, {found.distinct} distinct within a row, {found.trained} trained; "
        f"{f'WRONG: {len(found.violations)}' if found.violations else 'every mask is exact'}"
    )


def _as_json(renderer: "ChatTemplate", one: "Conversation") -> dict[str, Any]:
    from trainer.cli.mask_view import parts
    from trainer.data.mask_audit import label_or_reason

    place = {"line": one.line, "column": one.column}
    labelled = label_or_reason(renderer, one)
    if isinstance(labelled, str):
        return {**place, "dropped": labelled}
    sequences = [
        {
            "ids": sequence.ids,
            "labels": sequence.labels,
            "parts": [
                {"text": text, "trained": bool(weight), "weight": weight}
                for text, weight in parts(renderer, sequence)
            ],
        }
        for sequence in labelled
    ]
    return {**place, "sequences": sequences}
