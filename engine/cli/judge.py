"""The command `engine judge`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.flags import command
from engine.make.asker import AskerSettings
from engine.make.steps.judge import judge_run
from engine.runs.build_executor import RunBudget
from engine.runs.judgements import write_judgements
from engine.runs.run import wait
from engine.terminal import Json, resumable, say


def _judge(
    run: Annotated[Path, typer.Argument(help="The run's folder.")],
    asking: AskerSettings,
    budget: RunBudget,
    task_file: Annotated[
        Path | None, typer.Option(help="The run's task file, if it played one.")
    ] = None,
    json_: Json = False,
) -> None:
    """Judge each step of successful paths: right, detour, recovered or wrong.

    The world of the run is played again: a path is proven to succeed without its detours.

    For example:

    engine judge runs/a

    engine judge runs/a --model gpt-4.1-mini --budget-usd 2
    """
    with resumable():
        judged = wait(lambda: judge_run(run, asking, budget, task_file))
    file = write_judgements(run, judged.found)
    if json_:
        report = {"labels": dict(judged.labels), "pruned": judged.pruned, "unread": judged.unread}
        print(json.dumps(report | {"output": str(file), "stopped": judged.stopped}))
    else:
        labels = ", ".join(f"{label} {number}" for label, number in judged.labels.most_common())
        unread = f"; {judged.unread} could not be read" if judged.unread else ""
        stopped = f"; {judged.stopped}: run the same command with more" if judged.stopped else ""
        say(
            f"{sum(judged.labels.values())} steps judged: {labels or 'none'}; {judged.pruned} "
            f"paths succeed without their detours{unread}{stopped}; in {file}"
        )
    if judged.stopped:
        raise typer.Exit(1)


judge = command(_judge)
