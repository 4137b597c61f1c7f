"""The command `trainer data`: what files of rows hold, and what would be left out of them."""

import json
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.flags import command
from engine.terminal import Json
from trainer.cli.options import RENAMED
from trainer.errors import TrainerError
from trainer.runtime.prepare import prepare_torch

if TYPE_CHECKING:
    from collections import Counter

    from trainer.data.overview import Overview
    from trainer.data.row_source import SourceRow
    from trainer.tokens.chat_template import ChatTemplate


@partial(command, renamed=RENAMED)
def data(
    files: Annotated[list[Path], typer.Argument(help="Files of rows, or data sets of the hub.")],
    model: Annotated[
        str | None,
        typer.Option(help="Whose tokens are counted: directory, hub id or smollm2."),
    ] = None,
    row: Annotated[int, typer.Option(min=1, help="Number of the row to show, from 1.")] = 1,
    max_length: Annotated[
        int, typer.Option(min=1, help="Tokens over which a row would be left out.")
    ] = 2048,
    json_: Json = False,
) -> None:
    """Say what files of rows were taken for, what they hold, and what would be left out."""
    prepare_torch()
    from trainer.data.overview import overview
    from trainer.data.row_source import source_rows
    from trainer.tokens.chat_template import load_chat_template

    renderer = load_chat_template(model) if model else None
    found = []
    for file in files:
        rows = list(source_rows(file))
        if row > len(rows):
            raise TrainerError(f"{file}: has {len(rows)} rows; there is no row {row} to show")
        counts = overview(rows, renderer, max_length)
        found.append(_as_json(file, counts, rows[row - 1]))
        if not json_:
            _print(file, counts, "tokens" if model else "characters")
            _show(rows[row - 1], row, renderer)
    if json_:
        print(json.dumps(found))


def _as_json(file: Path, counts: "Overview", shown: "SourceRow") -> dict[str, Any]:
    whole = {field.name: getattr(counts, field.name) for field in fields(counts)}
    row = {"place": shown.place, "defect": shown.defect, **shown.value}
    return {"file": str(file)} | whole | {"lengths": counts.quantiles(), "row": row}


def _print(file: Path, found: "Overview", unit: str) -> None:
    lengths = ", ".join(f"{name} {length:,}" for name, length in found.quantiles().items())
    lines = [
        f"{file}: {found.rows:,} rows, taken for {_counted(found.formats)}",
        f"  messages: {_counted(found.roles)}; {found.context_turns:,} of the assistant are "
        f"context only, {found.weighted_turns:,} weighted; {found.with_tools:,} rows with tools",
        f"  length in {unit}: {lengths}",
        f"  left out: {found.left_out.total():,}",
        *(f"    {number:,}: {reason}" for reason, number in found.left_out.most_common()),
    ]
    if found.labels:
        lines.append(f"  labels: {_counted(found.labels)}; trainer sft leaves out those of false")
    if found.test_split:
        lines.append(f"  of the test split: {found.test_split:,}; refused in training")
    print("\n".join(lines))


def _counted(counts: "Counter[str]") -> str:
    return ", ".join(f"{name} {number:,}" for name, number in counts.most_common()) or "nothing"


def _show(row: "SourceRow", number: int, renderer: "ChatTemplate | None") -> None:
    from rich.console import Console

    from trainer.cli.mask_view import plain, view
    from trainer.data.mask_audit import conversations_of, label_or_reason
    from trainer.errors import TemplateRefused

    console = Console(highlight=False, soft_wrap=True)
    for one in conversations_of(row):
        console.print(f"row {number} ({row.place}), {one.column}", style="bold", markup=False)
        if one.defect or renderer is None:
            console.print(one.defect or plain(one.messages, one.first), markup=False)
            continue
        try:
            sequences = label_or_reason(renderer, one)
        except TemplateRefused as error:
            sequences = str(error)
        console.print(sequences if isinstance(sequences, str) else view(renderer, sequences))
