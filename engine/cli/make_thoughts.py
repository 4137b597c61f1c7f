"""The command `engine make thoughts`: thoughts for the actions of a run that have none."""

import json
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.flags import command
from engine.make.asker import AskerSettings
from engine.make.thoughts.runs import ThoughtCounts, ThoughtSettings, write_thoughts
from engine.panels import OUTPUT
from engine.runs.build_executor import RunBudget
from engine.runs.run import wait
from engine.terminal import Json, resumable, say


def _thoughts(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            help="Folder of the new run; the same command goes on with it.",
            rich_help_panel=OUTPUT,
        ),
    ],
    settings: ThoughtSettings,
    asking: AskerSettings,
    budget: RunBudget,
    json_: Json = False,
) -> None:
    """Write a thought before each action that has none, and check it.

    A thought is kept if it mentions only what the agent has seen, if the action follows from it,
    and if it tells no secret. What fails is asked for once more, else it stays empty.

    For example:

    engine make thoughts runs/a --output runs/b

    engine make thoughts runs/a --model gpt-4.1-mini --replace --output runs/b
    """
    with resumable():
        counts = wait(lambda: write_thoughts(run, output, asking, settings, budget))
    if json_:
        print(json.dumps({"run": str(output), **counts.to_dict()}))
    else:
        _tell(counts, output)
    if counts.empty["budget"]:
        say("the budget is spent; raise it and run the same command to go on")
        raise typer.Exit(1)


def _tell(counts: ThoughtCounts, output: Path) -> None:
    left = ", ".join(f"{why} {n}" for why, n in counts.empty.most_common())
    kept = f", {counts.kept} kept" if counts.kept else ""
    say(f"{counts.written} thoughts written{kept}, in {output}; left empty: {left or 'none'}")


thoughts = command(_thoughts)
