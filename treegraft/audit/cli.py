"""The command `engine audit`."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.flags import command
from engine.errors import UsageError
from engine.export.export import ExportSettings
from engine.export.formats import check_name, write_rows
from engine.terminal import Json, say
from treegraft.audit.label_sheet import Accuracy, read_sheet, write_sheet
from treegraft.audit.settings import FINDINGS, AuditSettings
from treegraft.write_files import beside, check_writable, write_text

if TYPE_CHECKING:
    from treegraft.audit.audit import Audit


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What is written, and what people said.

    Attributes:
        output: File for the rows that remain; *.parquet writes Parquet.
        card: File for the data card (README.md).
        licence: The data set's licence, for the card.
        sheet: CSV file for a sample that people judge, yes or no.
        sheet_rows: Rows of the sample.
        labels: The judged sample: how many of all rows are right.
    """

    output: Path | None = None
    card: Path | None = None
    licence: str = ""
    sheet: Path | None = None
    sheet_rows: int = field(default=100, metadata={"min": 1})
    labels: Path | None = None

    def check(self, settings: AuditSettings) -> None:
        """Refuse what cannot be written, before anything is read.

        Raises:
            UsageError: A file cannot be written, or rows are changed and not written.
        """
        for file in filter(None, (self.output, self.card, self.sheet)):
            check_writable(file)
        if self.output:
            check_name(self.output, "jsonl")
        elif settings.drop or settings.balance or settings.anonymise:
            raise UsageError("--drop, --balance and --anonymise need --output for what remains")


def _audit(
    sources: Annotated[list[Path], typer.Argument(help="Runs, and files of rows in any format.")],
    settings: AuditSettings,
    outputs: Outputs,
    to: Annotated[str, typer.Option(help="Rows to make of runs: sft or dpo.")] = "sft",
    show: Annotated[int, typer.Option(min=0, help="Rows to name per finding.")] = 3,
    fail: Annotated[
        bool, typer.Option("--fail", help="Exit with 1 if a finding is not in --drop.")
    ] = False,
    json_: Json = False,
) -> None:
    """Find what is wrong with rows: repeats, conflicts, private and held-out texts, imbalance.

    For example:

    engine audit runs/a rows.jsonl --drop duplicate,secret --output clean.jsonl --card README.md
    """
    try:
        from treegraft.audit.audit import audit as audit_sources
    except ImportError as error:
        raise UsageError(
            f"engine audit needs packages ({error.name}): pip install 'treegraft[audit]'"
        ) from error
    outputs.check(settings)
    accuracy = read_sheet(outputs.labels) if outputs.labels else None
    found = audit_sources(sources, settings, ExportSettings(to))  # type: ignore[arg-type]
    kept = found.kept(settings)
    _write(found, kept, sources, settings, outputs, accuracy)
    if json_:
        counted = dict(found.summary()) | {"kept": len(kept)}
        if accuracy:
            counted["accuracy"] = [accuracy.right, accuracy.judged, *accuracy.interval]
        print(json.dumps(counted), file=beside(outputs.output, outputs.card, outputs.sheet))
    else:
        _print(found, show)
        if accuracy:
            say(accuracy.in_words)
        say(f"{len(kept)} rows remain" + f" in {outputs.output}" * bool(outputs.output))
    if fail and any(found.found.get(kind) for kind in set(FINDINGS) - settings.dropped):
        raise typer.Exit(1)


def _write(
    found: "Audit",
    kept: list[dict[str, Any]],
    sources: list[Path],
    settings: AuditSettings,
    outputs: Outputs,
    accuracy: Accuracy | None,
) -> None:
    if outputs.output:
        write_rows(kept, outputs.output, ranking=any("chosen" in row for row in kept))
    if outputs.card:
        from treegraft.audit.card import Part, card

        parts = [Part("rows", found, len(kept))]
        text = card(parts, sources, settings, licence=outputs.licence, accuracy=accuracy)
        write_text(outputs.card, text)
    if outputs.sheet:
        number = write_sheet(found.rows, outputs.sheet, outputs.sheet_rows, settings.seed)
        say(
            f'{number} rows in {outputs.sheet}: fill in "right" with yes or no, then '
            f"--labels {outputs.sheet}"
        )


def _print(found: "Audit", show: int) -> None:
    say(f"{len(found.rows)} rows; {found.unusable.total()} more cannot be used")
    for reason, number in found.unusable.most_common():
        say(f"  {number}: {reason}")
    for kind, number in found.counts().items():
        say(f"{kind}: {number}")
        for place, said in list(found.found.get(kind, {}).items())[:show]:
            say(f"  {found.rows[place].place}: {said}")
    conflicts = found.conflicts
    say(
        f"{conflicts.contexts} contexts, {conflicts.repeated} of them in several rows, "
        f"{len(conflicts.disagreeing)} with different answers"
    )
    for key, counts in found.spread.items():
        shown = ", ".join(f"{value} {number}" for value, number in counts.most_common(6))
        more = f", and {len(counts) - 6} more" if len(counts) > 6 else ""
        say(f"by {key}: {shown}{more}")


audit = command(_audit)
