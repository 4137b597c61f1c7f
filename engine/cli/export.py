"""The command `engine export`: its flags, and what it says in the end."""

import json
from pathlib import Path
from typing import Annotated, get_args

import typer

from engine.terminal import Json, say


def export(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")],
    output: Annotated[Path, typer.Option(help="The file; *.parquet writes Parquet.")],
    to: Annotated[str, typer.Option(help="sft or dpo.")] = "sft",
    format: Annotated[str, typer.Option(help="jsonl, sharegpt or toolbench.")] = "jsonl",
    template: Annotated[
        str,
        typer.Option(
            help="How messages are written; of several, a,b,c, each row takes one.",
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
    pairs: Annotated[str, typer.Option(help="Of dpo rows: step or trajectory.")] = "step",
    min_reward: Annotated[float, typer.Option(min=0, max=1, help="Of a path.")] = 1.0,
    per_task: Annotated[int | None, typer.Option(min=1, help="Paths a task, at most.")] = None,
    loops: Annotated[bool, typer.Option("--loops", help="Keep paths that go in circles.")] = False,
    give_ups: Annotated[bool, typer.Option("--give-ups", help="Keep paths given up.")] = False,
    near_duplicates: Annotated[
        bool, typer.Option("--near-duplicates", help="Keep paths that hardly differ.")
    ] = False,
    exclude_marked: Annotated[
        bool, typer.Option("--exclude-marked", help="Leave out what a person marked bad.")
    ] = False,
    min_mark: Annotated[
        int | None, typer.Option(min=1, max=5, help="Only trajectories marked so, or better.")
    ] = None,
    corrected: Annotated[
        bool,
        typer.Option(
            "--corrected", help="Only what the teacher corrected, of runs with --student."
        ),
    ] = False,
    mask_errors: Annotated[
        bool, typer.Option("--mask-errors", help="Actions that erred are shown, not learnt (sft).")
    ] = False,
    json_: Json = False,
) -> None:
    """Write training rows: successful paths (sft), or where success and failure part (dpo)."""
    from engine.config import one_of
    from engine.export.export import Export, Format, Kind, export
    from engine.export.filters import Filter
    from engine.export.rows import Pairs

    one_of("to", to, get_args(Kind))
    one_of("pairs", pairs, get_args(Pairs))
    one_of("format", format, get_args(Format))
    wanted = Filter(
        min_reward,
        per_task,
        loops,
        give_ups,
        near_duplicates,
        exclude_marked=exclude_marked,
        min_mark=min_mark,
        corrected=corrected,
    )
    how = Export(to, wanted, _list(template), _list(dialect), pairs, format, mask_errors)  # type: ignore[arg-type]  # checked above
    counts = export(runs, output, how)
    if counts.stale_marks:
        say(f"{counts.stale_marks} marks are on nodes that their trees no longer have: passed over")
    if json_:
        print(json.dumps({"rows": counts.rows, "dropped": dict(counts.dropped)}))
    else:
        dropped = ", ".join(f"{reason} {n}" for reason, n in counts.dropped.most_common())
        say(f"{counts.rows} rows in {output}; paths left out: {dropped or 'none'}")
    if not counts.rows:
        say("no row was written: the runs hold nothing that passes; see --min-reward")
        raise typer.Exit(1)


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
