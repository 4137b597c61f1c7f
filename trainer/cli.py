"""The `trainer` command: its parts, and `eval`. They parse and print; the work is elsewhere.

Modules are imported inside the commands: `trainer --help` must not wait for torch.
"""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.flags import Data, Db, Limit, Sandbox, Split, given
from engine.terminal import Json, Unsafe, confirmed, guarded, resumable, say
from trainer.cli_dpo import dpo
from trainer.cli_kto import kto
from trainer.cli_mask import mask
from trainer.cli_sft import sft
from trainer.errors import TrainerError
from trainer.flags import SETTINGS, prepare_torch

app = typer.Typer(
    name="trainer",
    help="Train a student on rows; measure it in the environments.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command in (sft, dpo, kto, mask):
    app.command(context_settings=SETTINGS)(command)


@app.command(name="eval")
def eval_(
    env: Annotated[str, typer.Option(help="A registered environment, or module:Class.")] = "",
    model: Annotated[
        str, typer.Option(help="A directory, a hub id, smollm2; or the endpoint's name of it.")
    ] = "",
    base_url: Annotated[
        str, typer.Option(help="An endpoint, instead of a model in this process.")
    ] = "",
    data: Data = None,
    split: Split = None,
    limit: Limit = None,
    tasks: Annotated[str, typer.Option(help="Task ids, a,b,c; or @FILE of one id a line.")] = "",
    template: Annotated[str, typer.Option(help="How messages are written: native, react.")] = (
        "react"
    ),
    depth: Annotated[int, typer.Option(min=1, help="Steps a task.")] = 12,
    max_tokens: Annotated[int, typer.Option(min=1, help="Tokens a reply, at most.")] = 256,
    temperature: Annotated[float, typer.Option(min=0, help="0 takes the likeliest token.")] = 0.0,
    concurrency: Annotated[
        int | None,
        typer.Option(min=1, help="Tasks at once.", show_default="32 here, 8 of an endpoint"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of sampling.")] = 0,
    sandbox: Sandbox = "auto",
    unsafe: Unsafe = False,
    db: Db = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format", help="For --env python, of --data: humaneval, mbpp, gsm8k, jsonl."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder; the same command resumes it.")
    ] = None,
    compare: Annotated[
        list[Path] | None,
        typer.Option(help="A run to print beside; once for each. The first is compared with."),
    ] = None,
    json_: Json = False,
) -> None:
    """Run a student on tasks and report how it did; or, without --env, compare runs."""
    from trainer.evaluate import Evaluation, evaluate, read

    reports = [read(run) for run in compare or []]
    if env:
        if not model or out is None:
            raise TrainerError("--env needs --model and --out")
        confirmed(sandbox, unsafe)
        options = given(db=db, format=format_)
        if not base_url:
            prepare_torch()
        wanted: dict[str, Any] = {
            name: value
            for name, value in locals().items()
            if name in Evaluation.__dataclass_fields__
        }
        with resumable():
            reports.append(evaluate(Evaluation(**wanted), out))
    elif not reports:
        raise TrainerError("say what to measure: --env and --model, or runs to --compare")
    if json_:
        print(json.dumps([report.to_dict() for report in reports]))
    else:
        from rich.console import Console

        from trainer.report import table

        Console().print(table(reports))
    if env and reports[-1].failed:
        say(f"{reports[-1].failed} tasks failed; the same command tries them again")
        raise typer.Exit(1)


def main() -> None:
    """Entry point of `trainer`."""
    sys.exit(guarded(app))
