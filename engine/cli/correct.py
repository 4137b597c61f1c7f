"""The command `engine correct`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.flags import command, json_object
from engine.play.correction import Correction, corrected_run
from engine.play.correction import correct as play_correction
from engine.terminal import Json, say


def _correct(
    run: Annotated[Path, typer.Argument(help="The run's folder.")],
    task: Annotated[str, typer.Option(help="The task's id.")],
    node: Annotated[int, typer.Option(min=1, help="The step's node; `engine show` numbers them.")],
    thought: Annotated[
        str | None, typer.Option(help="The thought.", show_default="as it was")
    ] = None,
    tool: Annotated[str, typer.Option(help="The tool.", show_default="as it was")] = "",
    arguments: Annotated[
        str, typer.Option(help="The arguments, a JSON object.", show_default="as they were")
    ] = "",
    task_file: Annotated[
        Path | None, typer.Option(help="The run's task file, if it played one.")
    ] = None,
    json_: Json = False,
) -> None:
    """Correct the thought or the call of a step, and play the path again.

    For example:

    engine correct runs/a --task bird-train-0 --node 2 --arguments '{"table": "books"}'
    """
    given = json_object(arguments, "--arguments") if arguments else None
    made = Correction(task, node, thought=thought, tool=tool, arguments=given)
    last = play_correction(run, made, task_file)
    out = corrected_run(run)
    if json_:
        print(json.dumps({"run": str(out), "reward": last.step.reward, "status": last.status}))
    else:
        say(f"the corrected path {last.status}, reward {last.step.reward:g}; in {out}")


correct = command(_correct)
