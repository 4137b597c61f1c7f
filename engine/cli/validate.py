"""The command `engine validate`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.options import (
    Data,
    Db,
    Env,
    Format,
    Goals,
    Limit,
    Observation,
    Partial,
    Sandbox,
    Schema,
    Split,
    env_options,
)
from engine.terminal import Json, Unsafe, confirmed, say


def validate(
    env: Env,
    data: Data = None,
    split: Split = None,
    limit: Limit = None,
    quarantine: Annotated[
        Path | None,
        typer.Option(help="Where to write.", show_default="runs/quarantine-ENV-SPLIT.json"),
    ] = None,
    sandbox: Sandbox = "auto",
    unsafe: Unsafe = False,
    db: Db = None,
    format_: Format = None,
    partial: Partial = False,
    goals: Goals = None,
    observation: Observation = None,
    schema: Schema = None,
    json_: Json = False,
) -> None:
    """Play every task's own solution and a no-op; write down the tasks that are unsound."""
    options = {**env_options(locals()), "sandbox": confirmed(sandbox, unsafe)}
    from dataclasses import asdict

    import environments
    from engine.runs.tasks import quarantine_file, select
    from engine.validate import validate, write_quarantine

    file = quarantine or quarantine_file(env, split)
    world = environments.make(env, data=data, split=split, **options)
    try:
        tasks = select(world.tasks, limit=limit)
        found = [unsound for _, unsound in validate(world, tasks) if unsound]
    finally:
        world.close()
    write_quarantine(file, found, data)
    report = {"tasks": len(tasks), "sound": len(tasks) - len(found), "quarantine": str(file)}
    if json_:
        print(json.dumps({**report, "unsound": [asdict(one) for one in found]}))
        return
    for one in found:
        print(f"{one.task}\t{one.group}\t{one.kind}\t{one.reason}")
    say(f"{report['sound']} of {len(tasks)} tasks are sound; the others are in {file}")
