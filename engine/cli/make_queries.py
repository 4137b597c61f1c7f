"""The command `engine make queries`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.env_flags import EnvChoice
from engine.cli.flags import command
from engine.make.asker import AskerSettings
from engine.make.queries.make import QuerySettings, make_queries
from engine.panels import OUTPUT
from engine.runs.build_executor import RunBudget
from engine.runs.run import wait
from engine.terminal import Json, Unsafe, confirmed, resumable, say
from environments.task_files import write_tasks
from treegraft.write_files import beside, check_writable


def _queries(
    choice: EnvChoice,
    settings: QuerySettings,
    asking: AskerSettings,
    budget: RunBudget,
    output: Annotated[
        Path, typer.Option(help="Task file to write, for --task-file.", rich_help_panel=OUTPUT)
    ],
    unsafe: Unsafe = False,
    json_: Json = False,
) -> None:
    """Write the tasks of a world in other words, and check that the gold still solves each.

    For example:

    engine make queries --env bird --split train --n 50 --output queries.jsonl

    engine make queries --env kg --split train --how paraphrase,language:de --model gpt-4.1-mini
    --output queries.jsonl
    """
    confirmed(choice.sandbox, unsafe)
    check_writable(output)
    with resumable(), choice.open(None) as (env, tasks):
        made = wait(lambda: make_queries(env, tasks, settings, asking, budget, output))
        write_tasks(output, made.tasks, world=choice.env, data=choice.data)
    left = dict(made.left_out.most_common())
    if json_:
        report = {"tasks": len(made.tasks), "wanted": settings.n, "output": str(output)}
        report |= {"left_out": left, "stopped": made.stopped}
        print(json.dumps(report), file=beside(output))
    else:
        reasons = ", ".join(f"{why} {number}" for why, number in left.items()) or "none"
        stopped = f"; {made.stopped}" if made.stopped else ""
        say(
            f"{len(made.tasks)} of {settings.n} tasks made, in {output}; left out: {reasons}"
            + stopped
        )
    if made.stopped:
        raise typer.Exit(1)


queries = command(_queries)
