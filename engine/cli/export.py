"""The command `engine export`: from runs to a file of training rows."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.flags import command
from engine.export.export import ExportSettings
from engine.export.export import export as export_runs
from engine.export.filters import Counts, Filters
from engine.export.no_rows import why_no_rows
from engine.export.pairs import BY_VALUE
from engine.export.value_rules import ValueRules
from engine.interop.atif_write import export_atif
from engine.terminal import Json, say
from treegraft.write_files import beside


def _export(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")],
    output: Annotated[
        Path,
        typer.Option(
            help="File to write; *.parquet writes Parquet, - to standard output. "
            "For --format atif, a folder."
        ),
    ],
    settings: ExportSettings,
    filters: Filters,
    values: ValueRules,
    json_: Json = False,
) -> None:
    """Write training rows: successful paths (sft), pairs (dpo), or paths with labels (prm)."""
    wanted = replace(settings, filters=filters, values=values)
    if wanted.format == "atif":
        files = export_atif(runs, output)
        if json_:
            print(json.dumps({"files": files}))
        say(f"{files} trajectories in {output}")
        return
    counts, by_value = export_runs(runs, output, wanted), wanted.pairs in BY_VALUE
    if counts.stale_annotations:
        say(f"{counts.stale_annotations} marks skipped: their trees no longer have those nodes")
    if json_:
        found = {
            "rows": counts.rows,
            "dropped": dict(counts.dropped),
            "forms": dict(counts.forms),
            **({"ranked": counts.ranked, "misranked": counts.misranked} if by_value else {}),
        }
        print(json.dumps(found), file=beside(output))
    else:
        dropped = ", ".join(f"{reason} {n}" for reason, n in counts.dropped.most_common())
        say(f"{counts.rows} rows in {output}; paths left out: {dropped or 'none'}")
        if wanted.mix or wanted.shots:
            forms = ", ".join(f"{form} {n}" for form, n in counts.forms.most_common())
            say(f"forms of the rows: {forms or 'none'}")
        if by_value and counts.ranked:
            say(_misranked(counts))
    if not counts.rows:
        say(f"no row was written: {why_no_rows(wanted, counts)}")
        raise typer.Exit(1)


def _misranked(counts: Counts) -> str:
    share = counts.misranked / counts.ranked
    return (
        f"the policy draws the rejected action more often in {counts.misranked} of the "
        f"{counts.ranked} value pairs that it draws from ({share:.0%})"
    )


export = command(_export)
