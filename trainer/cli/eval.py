"""The command `trainer eval`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.options import (
    Data,
    Db,
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
from engine.terminal import Json, Unsafe, confirmed, resumable, say
from trainer.errors import TrainerError
from trainer.runtime.prepare import prepare_torch

if TYPE_CHECKING:
    from trainer.evaluation.evaluate import Evaluation
    from trainer.evaluation.metrics import Report


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
    samples: Annotated[
        int, typer.Option(min=1, help="Chains a task, for pass@k; needs --temperature.")
    ] = 1,
    concurrency: Annotated[
        int | None,
        typer.Option(min=1, help="Tasks at once.", show_default="32 here, 8 of an endpoint"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of sampling.")] = 0,
    sandbox: Sandbox = "auto",
    unsafe: Unsafe = False,
    db: Db = None,
    format_: Format = None,
    partial: Partial = False,
    goals: Goals = None,
    observation: Observation = None,
    schema: Schema = None,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder; the same command resumes it.")
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            help="An explored run, or a file of SFT rows: ask the student at each turn of its "
            "successful paths, and compare."
        ),
    ] = None,
    fuzzy_weight: Annotated[
        float,
        typer.Option(min=0, help="W in match = EM(tool) + W x ROUGE-L(thought and arguments)."),
    ] = 1.0,
    general_data: Annotated[
        Path | None,
        typer.Option(
            "--general-data",
            "--general_data",
            help="Held-out chat, whose loss is reported: Alpaca, ShareGPT or messages.",
        ),
    ] = None,
    lm_eval: Annotated[
        str, typer.Option(help="Tasks of lm-eval, a,b,c, where that is installed.")
    ] = "",
    lm_eval_limit: Annotated[
        int | None, typer.Option(min=1, help="Documents of each task of lm-eval.")
    ] = None,
    judge: Annotated[
        list[str] | None,
        typer.Option(help="MODEL or MODEL@URL that scores each trajectory, 0 to 5; once for each."),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(help="Write a CSV file for people to score: blind, of all runs, shuffled."),
    ] = None,
    scores: Annotated[
        list[Path] | None, typer.Option(help="A sheet that a person filled in; once for each.")
    ] = None,
    compare: Annotated[
        list[Path] | None,
        typer.Option(help="A run to print beside; once for each. The first is compared with."),
    ] = None,
    report: Annotated[
        list[Path] | None, typer.Option(help="Write FILE.html or FILE.md too; once for each.")
    ] = None,
    json_: Json = False,
) -> None:
    """Run a student on tasks and report how it did; or, without --env, compare runs."""
    from trainer.evaluation import judgements
    from trainer.evaluation.evaluate import evaluate, read, write
    from trainer.evaluation.reporting.files import check_name, write_report

    for file in report or []:
        check_name(file)
    asked = judgements.Opinions(judge or (), scores or (), sheet)
    runs = [(folder, read(folder)) for folder in compare or []]
    if env:
        wanted = _wanted(locals())
        assert out is not None
        with resumable():
            runs.append((out, evaluate(wanted, out)))
    else:
        _without_env(
            runs, {"reference": reference, "general-data": general_data, "lm-eval": lm_eval}
        )
    if asked.wanted:
        with resumable():
            judgements.add(asked, runs)
        if env and out is not None:
            write(runs[-1][1], out)
    reports = [one for _, one in runs]
    for file in report or []:
        write_report(file, reports)
    _show(reports, json_)
    if env and reports[-1].failed:
        say(f"{reports[-1].failed} tasks failed; the same command tries them again")
        raise typer.Exit(1)


def _without_env(runs: Sequence[object], of_a_student: Mapping[str, object]) -> None:
    """Raises TrainerError unless there are runs to compare, and flags for runs only."""
    if not runs:
        raise TrainerError("say what to measure: --env and --model, or runs to --compare")
    if given := [name for name, value in of_a_student.items() if value]:
        raise TrainerError(f"--{given[0]} asks a student: it needs --env and --model")


def _wanted(flags: dict[str, Any]) -> "Evaluation":
    """The evaluation that a command's flags (its `locals()`) ask for; torch is made ready."""
    from trainer.evaluation.evaluate import Evaluation

    if not flags["model"] or flags["out"] is None:
        raise TrainerError("--env needs --model and --out")
    confirmed(flags["sandbox"], flags["unsafe"])
    if not flags["base_url"]:
        prepare_torch()
    given = {name: flags[name] for name in Evaluation.__dataclass_fields__ if name in flags}
    named = tuple(name.strip() for name in flags["lm_eval"].split(",") if name.strip())
    return Evaluation(**{**given, "options": env_options(flags), "lm_eval": named})


def _show(reports: "list[Report]", as_json: bool) -> None:
    if as_json:
        print(json.dumps([report.to_dict() for report in reports]))
        return
    from rich.console import Console

    from trainer.evaluation.reporting.sections import sections
    from trainer.evaluation.reporting.terminal import printable

    console = Console()
    for part in printable(sections(reports)):
        console.print(part)
