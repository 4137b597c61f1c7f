"""The command `engine branch`."""

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.branch.branch import FOLDER
from engine.branch.branch import branch as branch_paths
from engine.branch.report import Branched, read_branched
from engine.branch.settings import BranchSettings
from engine.cli import unfinished
from engine.cli.env_flags import EnvFlags
from engine.cli.flags import command
from engine.errors import UsageError
from engine.panels import OUTPUT, TASKS
from engine.runs.build_executor import Resources, RunBudget
from engine.runs.progress import Bar
from engine.runs.run import wait
from engine.terminal import Json, resumable, say

SHOWN = 10
"""Differences that are printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldFlags(EnvFlags):
    """The world in which the paths are played.

    Attributes:
        env: A registered environment (`engine envs` lists them), `module:Class` or
            `FILE.py:Class`.
        data: Folder or file of the task data.
        split: Which split: train, dev, test.
    """

    env: str = field(default="", metadata={"panel": TASKS, "default": "the run's"})
    data: str | None = field(default=None, metadata={"panel": TASKS, "default": "the run's"})
    split: str | None = field(default=None, metadata={"panel": TASKS, "default": "the run's"})

    def world(self) -> dict[str, Any]:
        """Return the options of `Config` that name the world; empty for the run's.

        Raises:
            UsageError: The world has options, but no name.
        """
        if self.env:
            given = {"env": self.env, "data": self.data, "split": self.split}
            return {**given, "env_args": self.options(self.env)}
        if self.data or self.split or self.env_arg or self.observation_chars:
            raise UsageError("--data, --split and options of a world need --env, which names it")
        return {}


def _branch(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    settings: BranchSettings,
    world: WorldFlags,
    budget: RunBudget,
    resources: Resources,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the run with the branched paths; the same command goes on with it.",
            show_default="branch in the run's folder",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Branch the failed paths of a run where they went wrong: for pairs and recovery rows.

    Each path is played again. Where the world answers otherwise than recorded, the path is refused
    and the difference is shown. The result is a run, too, which `engine export` makes rows of.

    For example:

    engine branch runs/a

    engine branch runs/imported --env bird --policy gpt-4.1-mini --budget-usd 5
    """
    from rich.console import Console

    out, chosen = output or run / FOLDER, replace(settings, world=world.world())
    with resumable(), Bar(Console(stderr=True)) as bar:
        summary = wait(lambda: branch_paths(run, out, chosen, budget, resources, bar))
    found = read_branched(out)
    if json_:
        print(json.dumps({"run": str(out), **found.to_dict(), "complete": summary.complete}))
    else:
        _tell(found, out)
    unfinished.end(summary)


def _tell(found: Branched, out: Path) -> None:
    steps = ", ".join(f"{step} ({n})" for step, n in sorted(found.wrong_steps.items()))
    say(
        f"{found.paths} failed paths: {found.branched} branched, {found.unsolved} solved from no "
        f"state, {found.succeeded} succeed in this world, {len(found.refused)} refused; "
        f"{found.continuations} continuations, {found.recovered} recoveries; in {out}"
    )
    if steps:
        say(f"wrong steps (paths): {steps}")
    if found.cut_short:
        say(f"{found.cut_short} paths were cut short: the policy succeeded from their ends")
    refused = Counter(found.refused)  # paths part from the recorded ones at the same step
    for one, number in refused.most_common(SHOWN):
        say(f"refused{f' ({number} paths)' if number > 1 else ''}: {one}")
    if len(refused) > SHOWN:
        say(f"... and {len(refused) - SHOWN} more; --json lists all")


branch = command(_branch)
