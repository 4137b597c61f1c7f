"""The command `engine make templates`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.env_flags import EnvChoice
from engine.cli.flags import command
from engine.make.asker import AskerSettings
from engine.make.templates.make import DECISIONS, TemplateMaking, make_templates, read_queries
from engine.panels import OUTPUT
from engine.runs.build_executor import RunBudget
from engine.runs.run import wait
from engine.templates.base import world_of
from engine.terminal import Json, confirmed, resumable, say
from treegraft.write_files import beside, check_folder, make_folder, write_text


def _templates(
    choice: EnvChoice,
    making: TemplateMaking,
    asking: AskerSettings,
    budget: RunBudget,
    output: Annotated[
        Path,
        typer.Option(
            help=f"Folder for a file per template, and {DECISIONS}.", rich_help_panel=OUTPUT
        ),
    ],
    json_: Json = False,
) -> None:
    """Make prompt templates: by a model, kept if replies to them are better; or by rule.

    For example:

    engine make templates --env bird --n 20 --output templates

    engine make templates --env bird --split train --model gpt-4.1-mini --output templates
    """
    confirmed(choice.sandbox, False)
    check_folder(output)
    with resumable(), choice.open(None) as (env, tasks):
        world, queries = world_of(env), read_queries(making, [env.with_tools(t) for t in tasks])
        made = wait(lambda: make_templates(world, queries, making, asking, budget, output))
    make_folder(output)
    for one in made.kept:
        write_text(output / f"{one.name}.toml", one.source)
    lines = [json.dumps(one.line(), ensure_ascii=False) for one in made.decisions]
    write_text(output / DECISIONS, "".join(f"{line}\n" for line in lines))
    counts = dict(made.counts.most_common())
    if json_:
        report = {"kept": len(made.kept), "made": len(made.decisions), "dropped": counts}
        print(json.dumps(report | {"output": str(output), "stopped": made.stopped}), file=beside())
    else:
        dropped = ", ".join(f"{kind} {number}" for kind, number in counts.items()) or "none"
        stopped = f"; {made.stopped}: run the same command with more" if made.stopped else ""
        say(f"{len(made.kept)} of {len(made.decisions)} templates kept, in {output}; "
            f"dropped: {dropped}{stopped}")  # fmt: skip
    if made.stopped or not made.kept:
        raise typer.Exit(1)


templates = command(_templates)
