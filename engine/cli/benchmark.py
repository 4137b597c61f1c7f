"""The command `engine benchmark`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from engine.benchmark.freeze import freeze
from engine.cli.flags import command
from engine.terminal import Json, say
from treegraft.write_files import beside, check_writable


def _benchmark(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")],
    output: Annotated[Path, typer.Option(help="File to write; another one is not replaced.")],
    template: Annotated[
        str, typer.Option(help="Prompt template of the turns.", show_default="the run's")
    ] = "",
    by: Annotated[str, typer.Option(help="Who reviewed.", show_default="nobody is named")] = "",
    json_: Json = False,
) -> None:
    """Freeze what people reviewed in runs: references to measure students by, without the world.

    Reviewed are trajectories marked good, or scored 4 or 5, in engine view; corrected ones that
    solved their task; and single steps marked good. For example:

    engine benchmark runs/a --output benchmark.jsonl

    trainer eval --reference benchmark.jsonl --model smollm2 --output runs/student
    """
    check_writable(output)
    found = freeze(runs, output, template, by)
    if found.stale:
        say(f"{found.stale} marks skipped: their trees no longer have those nodes")
    if json_:
        print(json.dumps(asdict(found)), file=beside(output))
    else:
        how = ", ".join(f"{name} {number}" for name, number in found.reviewed.items())
        say(f"{found.turns} turns of {found.tasks} tasks in {output} ({how}); hash {found.hash}")


benchmark = command(_benchmark)
