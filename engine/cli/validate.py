"""The command `engine validate`."""

import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.env_flags import EnvChoice
from engine.cli.flags import command
from engine.runs.quarantine import default_file, earlier
from engine.terminal import Json, Unsafe, confirmed, say
from engine.validate import validate as validate_tasks
from treegraft.write_files import beside, check_writable


def _validate(
    choice: EnvChoice,
    limit: Annotated[int | None, typer.Option(min=1, help="Most tasks to play.")] = None,
    quarantine: Annotated[
        Path | None,
        typer.Option(help="Where to write.", show_default="runs/quarantine-ENV.json"),
    ] = None,
    unsafe: Unsafe = False,
    json_: Json = False,
) -> None:
    """Play every task's own solution twice, with branches; write down the tasks that are unsound.

    A task is unsound if its solution does not solve it, if doing nothing solves it, if the same
    actions return something else another time or in another process, or if they do after a restore.
    """
    confirmed(choice.sandbox, unsafe)
    file = quarantine or default_file(choice.env, choice.data)
    check_writable(file)
    before = earlier(file, choice.env, choice.data)
    again = partial(choice.make, choice.env)
    with choice.open(limit) as (world, tasks):
        found = [unsound for _, unsound in validate_tasks(world, tasks, again) if unsound]
    before.updated(tasks, {one.task: f"{one.kind}: {one.reason}" for one in found}).write(file)
    results = beside(file)
    report = {"tasks": len(tasks), "sound": len(tasks) - len(found), "quarantine": str(file)}
    if json_:
        print(json.dumps({**report, "unsound": [asdict(one) for one in found]}), file=results)
        return
    for one in found:
        print(f"{one.task}\t{one.group}\t{one.kind}\t{one.reason}", file=results)
    say(f"{report['sound']} of {len(tasks)} tasks are sound; the others are in {file}")


validate = command(_validate)
