"""The command `engine credit`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from engine.cli import unfinished
from engine.cli.flags import command
from engine.credit.credit import FOLDER, Credit, read_credit
from engine.credit.credit import credit as value_states
from engine.credit.settings import CreditSettings
from engine.panels import OUTPUT
from engine.runs.build_executor import Resources, RunBudget
from engine.runs.progress import Bar
from engine.runs.run import wait
from engine.terminal import Json, resumable, say


def _credit(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    settings: CreditSettings,
    budget: RunBudget,
    resources: Resources,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the run with the continuations; the same command goes on with it.",
            show_default="credit in the run's folder",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Value every state of a run: a policy plays on from it, several times.

    The states are restored, not replayed. The result is a run, too: `engine export` makes pairs,
    rows and process rewards of its values.

    For example:

    engine credit runs/a

    engine credit runs/a --policy my-student@http://127.0.0.1:8000/v1 --budget-calls 5000
    """
    from rich.console import Console

    out = output or run / FOLDER
    with resumable(), Bar(Console(stderr=True)) as bar:
        summary = wait(lambda: value_states(run, out, settings, budget, resources, bar))
    found = read_credit(out)
    if json_:
        print(json.dumps({"run": str(out), **found.to_dict(), "complete": summary.complete}))
    else:
        say(_told(found, out))
    unfinished.end(summary)


def _told(found: Credit, out: Path) -> str:
    low = sum(number for mean, number in found.means.items() if mean < 0.3)
    high = sum(number for mean, number in found.means.items() if mean > 0.7)
    return (
        f"{found.valued} of {found.states} states valued by {found.continuations} continuations: "
        f"{low} below 0.3, {high} above 0.7, {found.pivots} solved in 30 to 70 % of them; in {out}"
    )


credit = command(_credit)
