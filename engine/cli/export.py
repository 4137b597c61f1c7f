"""The command `engine export`: from runs to a file of training rows."""

import json
from pathlib import Path
from typing import Annotated, get_args

import typer

from engine.terminal import Json, say


def export(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")],
    output: Annotated[Path, typer.Option(help="File to write; *.parquet writes Parquet.")],
    to: Annotated[
        str, typer.Option(help="Rows: sft (successful paths) or dpo (pairs with failures).")
    ] = "sft",
    format: Annotated[
        str, typer.Option(help="File format: jsonl, sharegpt or toolbench.")
    ] = "jsonl",
    template: Annotated[
        str,
        typer.Option(
            help="How messages are written; of several (a,b,c), each row takes one.",
            show_default="the run's",
        ),
    ] = "",
    dialect: Annotated[
        str,
        typer.Option(
            help="How tools are described: openai, lines, autogpt, toolbench, typescript; a,b,c.",
            show_default="the template's",
        ),
    ] = "",
    pairs: Annotated[
        str, typer.Option(help="Pairs in dpo rows: step (one action) or trajectory.")
    ] = "step",
    min_reward: Annotated[float, typer.Option(min=0, max=1, help="Least reward of a path.")] = 1.0,
    per_task: Annotated[int | None, typer.Option(min=1, help="Most paths per task.")] = None,
    loops: Annotated[
        bool,
        typer.Option(
            "--loops", help="Keep paths in which an action got the same observation twice."
        ),
    ] = False,
    give_ups: Annotated[
        bool, typer.Option("--give-ups", help="Keep paths that end by giving up.")
    ] = False,
    near_duplicates: Annotated[
        bool,
        typer.Option(
            "--near-duplicates", help="Keep paths that differ in case and punctuation only."
        ),
    ] = False,
    exclude_marked: Annotated[
        bool, typer.Option("--exclude-marked", help="Leave out what a person marked bad.")
    ] = False,
    min_mark: Annotated[
        int | None,
        typer.Option(min=1, max=5, help="Keep trajectories with this score or more by a person."),
    ] = None,
    corrected: Annotated[
        bool,
        typer.Option(
            "--corrected", help="Keep only what a teacher corrected in runs with a student."
        ),
    ] = False,
    mask_errors: Annotated[
        bool,
        typer.Option("--mask-errors", help="Show actions that failed, but do not train on them."),
    ] = False,
    json_: Json = False,
) -> None:
    """Write training rows: successful paths (sft), or pairs of success and failure (dpo)."""
    from engine.config import one_of
    from engine.export.export import ExportSettings, Kind, export
    from engine.export.filters import Filters
    from engine.export.formats import Format
    from engine.export.pairs import PairKind

    one_of("to", to, get_args(Kind))
    one_of("pairs", pairs, get_args(PairKind))
    one_of("format", format, get_args(Format))
    filters = Filters(
        min_reward,
        per_task,
        loops,
        give_ups,
        near_duplicates,
        exclude_marked=exclude_marked,
        min_mark=min_mark,
        corrected=corrected,
    )
    settings = ExportSettings(
        to,  # type: ignore[arg-type]  # checked above
        filters,
        _split(template),
        _split(dialect),
        pairs,  # type: ignore[arg-type]  # checked above
        format,  # type: ignore[arg-type]  # checked above
        mask_errors,
    )
    counts = export(runs, output, settings)
    if counts.stale_annotations:
        say(f"{counts.stale_annotations} marks skipped: their trees no longer have those nodes")
    if json_:
        print(json.dumps({"rows": counts.rows, "dropped": dict(counts.dropped)}))
    else:
        dropped = ", ".join(f"{reason} {n}" for reason, n in counts.dropped.most_common())
        say(f"{counts.rows} rows in {output}; paths left out: {dropped or 'none'}")
    if not counts.rows:
        say("no row was written: no path passes the filters; see --min-reward")
        raise typer.Exit(1)


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
