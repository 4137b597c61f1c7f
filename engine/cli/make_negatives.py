"""The command `engine make negatives`: tasks in which no call is right."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.env_flags import EnvChoice
from engine.cli.flags import command
from engine.executors.base import close_env
from engine.make.asker import AskerSettings
from engine.make.negatives.make import (
    Negatives,
    NegativeSettings,
    Worlds,
    make_negatives,
    reword,
)
from engine.panels import OUTPUT
from engine.runs.build_executor import RunBudget
from engine.runs.run import wait
from engine.terminal import Json, Unsafe, confirmed, resumable, say
from environments.negatives import SUFFIX
from environments.task_files import write_tasks
from treegraft.write_files import beside, check_writable


def _negatives(
    choice: EnvChoice,
    output: Annotated[
        Path, typer.Option("--output", help="Task file to write.", rich_help_panel=OUTPUT)
    ],
    settings: NegativeSettings,
    asking: AskerSettings,
    budget: RunBudget,
    unsafe: Unsafe = False,
    json_: Json = False,
) -> None:
    """Make tasks that look as if they needed a call, and do not; each is checked by playing it.

    For example:

    engine make negatives --env bird --split train --n 50 --output negatives.jsonl

    engine explore --env bird+negatives --task-file negatives.jsonl --output runs/negatives
    """
    confirmed(choice.sandbox, unsafe)
    check_writable(output)
    choice = replace(choice, env=choice.env.removesuffix(SUFFIX))
    name = f"{choice.env}{SUFFIX}"
    world = choice.make(name)
    try:
        with choice.open(None) as (base, tasks), resumable():
            worlds = Worlds(choice.env, base, world)
            found = make_negatives(worlds, tasks, settings, asking.seed)
    finally:
        close_env(world)
    if not asking.by_rules:
        found = _reworded(found, asking, budget, output)
    write_tasks(output, found.tasks, world=name, data=choice.data)
    _tell(found, settings, output, json_)


def _reworded(
    found: Negatives, asking: AskerSettings, budget: RunBudget, output: Path
) -> Negatives:
    with resumable():
        return wait(lambda: reword(found, asking, budget, output))


def _tell(found: Negatives, settings: NegativeSettings, output: Path, as_json: bool) -> None:
    if as_json:
        report = {"negatives": len(found.tasks), "kinds": found.counts()}
        print(json.dumps(report | {"dropped": dict(found.dropped)}), file=beside(output))
    else:
        kinds = ", ".join(f"{kind} {n}" for kind, n in sorted(found.counts().items()))
        left = ", ".join(f"{why} {n}" for why, n in found.dropped.most_common())
        say(
            f"{len(found.tasks)} of {settings.n} negatives in {output} ({kinds or 'none'}); "
            f"left out: {left or 'none'}"
        )
    if found.stopped:
        say("the budget is spent; raise it and run the same command to go on")
    if found.stopped or not found.tasks:
        raise typer.Exit(1)


negatives = command(_negatives)
