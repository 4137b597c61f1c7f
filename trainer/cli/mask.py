"""The command `trainer mask`: show which tokens the loss sees, and prove it for a whole file."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from engine.cli.flags import command
from engine.terminal import Json
from trainer.cli.options import RENAMED
from trainer.errors import TrainerError
from trainer.runtime.prepare import prepare_tokenizers

if TYPE_CHECKING:
    from trainer.data.mask_audit import Audit, Conversation
    from trainer.data.mask_readings import Reading
    from trainer.tokens.chat_template import ChatTemplate

Trainer = Literal["trl", "llama-factory", "axolotl", "prime-rl"]


@partial(command, renamed=RENAMED)
def mask(
    model: Annotated[str, typer.Option(help="Directory, hub id or smollm2.")],
    dataset: Annotated[
        Path, typer.Option(help="Rows for SFT or DPO, in any format of docs/data.md.")
    ],
    row: Annotated[int, typer.Option(min=1, help="Number of the row to show, from 1.")] = 1,
    for_: Annotated[
        Trainer | None,
        typer.Option(
            "--for", help="Read the rows as this trainer does, and compare what it would train."
        ),
    ] = None,
    trainer_config: Annotated[
        Path | None,
        typer.Option(help="Its own file: TRL's or axolotl's YAML, dataset_info.json, TOML."),
    ] = None,
    github: Annotated[
        bool | None,
        typer.Option(
            help="Write annotations and a summary for GitHub; default: in a workflow of GitHub.",
            show_default=False,
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Show which tokens of a row are trained, and prove that every mask of the file is exact.

    Exit status 0: all is right. 1: a mask is wrong, the other trainer would train on something
    else, or no row can be used. 2: bad input.
    """
    prepare_tokenizers()
    from trainer.data.mask_audit import audit, read_conversations
    from trainer.data.mask_rules import findings, unmarked
    from trainer.data.token_drift import token_drift
    from trainer.tokens.chat_template import load_chat_template

    dataset, other = _reading(for_, trainer_config, dataset)
    marked = [
        [unmarked(one) for one in row]
        for row in read_conversations(dataset, other.convert if other else None)
    ]
    rows = [[one.conversation for one in row] for row in marked]
    if not rows:
        raise TrainerError(f"{dataset}: holds no rows")
    if row > len(rows):
        raise TrainerError(f"--row {row}: {dataset} has {len(rows)} rows")
    renderer = load_chat_template(model)
    found, drift = audit(renderer, rows), token_drift(renderer, dataset)
    theirs = findings(renderer, marked, other.rule) if other else []
    if json_:
        shown = [_as_json(renderer, one) for one in rows[row - 1]]
        counts = {field.name: getattr(found, field.name) for field in fields(found)}
        drifted = {"drift": asdict(drift)} if drift else {}
        compared = {"trainer": other.trainer, "findings": theirs} if other else {}
        print(json.dumps({**counts, **drifted, **compared, "rows": len(rows), "row": shown}))
    else:
        _show(renderer, rows[row - 1])
        _report(found, len(rows))
        if drift:
            print(drift)
        _compare(other, theirs)
    _tell_github(github, dataset, found, len(rows), (other, theirs))
    if found.violations or theirs or not found.sequences:
        raise typer.Exit(1)


def _reading(
    trainer: Trainer | None, config: Path | None, dataset: Path
) -> "tuple[Path, Reading | None]":
    """Return the file of rows, and how the other trainer reads it."""
    if trainer is None:
        if config:
            raise TrainerError("--trainer-config needs --for, which says whose it is")
        return dataset, None
    from trainer.data.mask_readings import reading
    from trainer.data.mask_settings import settings_of

    file, settings = settings_of(trainer, config, dataset)
    return file, reading(trainer, settings)


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


def _compare(other: "Reading | None", findings: Sequence[str]) -> None:
    if other is None:
        return
    for finding in findings:
        print(f"{other.trainer}: {finding}")
    what = "token by token" if other.rule else "message by message"
    verdict = f"differences: {len(findings)}" if findings else "no difference"
    print(f"compared with {other.trainer} {what}: {verdict}")


def _tell_github(
    wanted: bool | None,
    dataset: Path,
    found: "Audit",
    rows: int,
    compared: "tuple[Reading | None, Sequence[str]]",
) -> None:
    from trainer.cli.mask_github import add_summary, annotate, in_workflow, summarise

    if not (in_workflow() if wanted is None else wanted):
        return
    other, theirs = compared
    faults = [*found.violations, *theirs]
    if not found.sequences:
        faults.append("no row can be used")
    annotate(dataset, faults, to=sys.stderr)
    add_summary(summarise(dataset, found, rows, other.trainer if other else "", faults))


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
