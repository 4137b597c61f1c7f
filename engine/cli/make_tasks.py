"""The command `engine make tasks`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.env_flags import EnvChoice
from engine.cli.flags import command
from engine.make.asker import AskerSettings
from engine.make.tasks.candidates import MadeTasks
from engine.make.tasks.make import TaskMaking, make_tasks
from engine.panels import OUTPUT
from engine.runs.build_executor import RunBudget
from engine.runs.run import wait
from engine.terminal import Json, Unsafe, confirmed, resumable, say
from environments.task_files import task_line, write_tasks
from treegraft.write_files import beside, check_writable, is_stream, write_text


def _tasks(
    choice: EnvChoice,
    making: TaskMaking,
    asking: AskerSettings,
    budget: RunBudget,
    output: Annotated[
        Path,
        typer.Option(
            help="Task file to write, for --task-file; beside it *.rejected.jsonl.",
            rich_help_panel=OUTPUT,
        ),
    ],
    unsafe: Unsafe = False,
    json_: Json = False,
) -> None:
    """Make new tasks for a world, and check each: it can be solved, in one way, and not by nothing.

    For example:

    engine make tasks --env bird --n 50 --split train --output tasks.jsonl

    engine make tasks --env kg --how self-instruct --model gpt-4.1-mini --output tasks.jsonl
    """
    confirmed(choice.sandbox, unsafe)
    check_writable(output)
    with resumable(), choice.open(None) as (env, _):
        made = wait(lambda: make_tasks(env, making, asking, budget, output))
        write_tasks(output, made.tasks, world=choice.env, data=choice.data)
    rejected = _write_rejected(made, output, choice)
    if json_:
        report = {
            "tasks": len(made.tasks),
            "wanted": making.n,
            "output": str(output),
            "rejected": made.counts,
            "rejected_file": rejected,
            "stopped": made.stopped,
        }
        print(json.dumps(report), file=beside(output))
    else:
        say(_line(made, making.n, output, rejected))
    if made.stopped:
        raise typer.Exit(1)


def _write_rejected(made: MadeTasks, output: Path, choice: EnvChoice) -> str:
    """Write what was left out, with reasons, beside a file; return its name, "" for a stream."""
    if is_stream(output):
        return ""
    file = output.with_name(f"{output.stem}.rejected.jsonl")
    lines = [
        {
            "reason": each.doubt.reason,
            "why": each.doubt.why,
            "task": task_line(each.task, choice.env, choice.data) if each.task else None,
            "text": each.text,
        }
        for each in made.rejected
        if each.doubt
    ]
    write_text(file, "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines))
    return str(file)


def _line(made: MadeTasks, wanted: int, output: Path, rejected: str) -> str:
    counts = ", ".join(f"{reason} {number}" for reason, number in made.counts.items())
    left = f"left out: {counts or 'none'}"
    where = f" ({rejected})" if rejected and counts else ""
    stopped = f"; {made.stopped}" if made.stopped else ""
    return f"{len(made.tasks)} of {wanted} tasks made, in {output}; {left}{where}{stopped}"


tasks = command(_tasks)
