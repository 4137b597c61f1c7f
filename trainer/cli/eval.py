"""The command `trainer eval`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from engine.cli.env_flags import EnvFlags
from engine.cli.flags import command
from engine.terminal import Json, Unsafe, confirmed, resumable, say
from trainer.errors import TrainerError
from trainer.evaluation.options import CompareOptions, EvalOptions, JudgementOptions
from trainer.runtime.prepare import prepare_torch
from treegraft.write_files import beside, check_writable

if TYPE_CHECKING:
    from trainer.evaluation.overall import Overall
    from trainer.evaluation.report import Report
    from trainer.evaluation.reporting.comparison import Printed


def _eval(
    student: EvalOptions,
    env_flags: EnvFlags,
    judgements: JudgementOptions,
    shown: CompareOptions,
    output: Annotated[
        Path | None, typer.Option(help="The run's folder; the same command resumes it.")
    ] = None,
    unsafe: Unsafe = False,
    json_: Json = False,
) -> None:
    """Run a student on tasks and report how it did; without --env, compare earlier runs.

    --reference without --env asks the student at the turns of the references only.

    --env bird,python,webshop measures it in several worlds, and makes one table of them.
    """
    if "," in student.env or any(map(_of_worlds, shown.compare)):
        _worlds(student, env_flags, judgements, shown, _Out(output, unsafe, json_))
        return
    if student.env:
        student = replace(student, env_args=env_flags.options(student.env))
    if student.format_only:
        if judgements.requested or shown.compare or shown.report:
            raise TrainerError("--format-only has no runs to judge, compare or report on")
        _format_only(student, output, as_json=json_)
        return
    out = _checked(student, shown, judgements.sheet, output)

    from trainer.evaluation.metrics import read_report

    runs = [(folder, read_report(folder)) for folder in shown.compare]
    with resumable():
        if out is not None:
            if judgements.endpoints and not out.exists():
                from trainer.evaluation.judgements import check_judges

                check_judges(judgements, out)
            runs.append((out, _measured(student, out, unsafe)))
        if judgements.requested:
            from trainer.evaluation.judgements import add_judgements

            add_judgements(judgements, runs)
            if out is not None:
                runs[-1][1].keep(out)
    reports = [report for _, report in runs]
    _show(reports, shown, beside(*shown.report, judgements.sheet), json_)
    if out is not None:
        _end(out, reports[-1])


def _end(out: Path, report: "Report") -> None:
    """Say which tasks failed, and end with exit code 1 if any did."""
    from trainer.evaluation.perturbations import FOLDER

    failed = {out: report.failed} | {
        out / FOLDER / name: one.failed for name, one in report.perturbed.items()
    }
    for folder, number in failed.items():
        if number:
            say(f"{_failed_line(folder)}; the same command tries them again")
    if any(failed.values()):
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class _Out:
    """Where results go, and what was confirmed."""

    folder: Path | None
    unsafe: bool
    as_json: bool


def _of_worlds(folder: Path) -> bool:
    from trainer.evaluation.overall import holds_worlds

    return holds_worlds(folder)


def _worlds(
    student: EvalOptions,
    env_flags: EnvFlags,
    judgements: JudgementOptions,
    shown: CompareOptions,
    out: _Out,
) -> None:
    """Measure a student in several worlds, compare students over them, or both."""
    from trainer.evaluation.overall import common_worlds, read_overall
    from trainer.evaluation.reporting.comparison import WorldsComparison

    names = [name.strip() for name in student.env.split(",") if name.strip()]
    _check_worlds(student, names, judgements)
    folder = _checked(student, shown, None, out.folder)
    students = [read_overall(each) for each in shown.compare]
    if folder is not None:
        worlds = {name: env_flags.options(name) for name in names}
        confirmed(student.sandbox, out.unsafe)
        if not student.base_url:
            prepare_torch()
        from rich.console import Console

        from engine.runs.progress import Bar
        from trainer.evaluation.evaluate import evaluate_worlds

        with resumable(), Bar(Console(stderr=True)) as bar:
            students.append(evaluate_worlds(student, worlds, folder, bar))
    common_worlds(students)
    _print(WorldsComparison(students), students, shown, beside(*shown.report), out.as_json)
    failed = [report for report in students[-1].reports.values() if report.failed]
    if folder is not None and failed:
        say(
            f"{sum(each.failed for each in failed)} tasks failed; the same command tries them again"
        )
        raise typer.Exit(1)


def _check_worlds(student: EvalOptions, names: list[str], judgements: JudgementOptions) -> None:
    """Check that what is asked for can be done for several worlds at once.

    Raises:
        TrainerError: It cannot.
    """
    from trainer.evaluation.overall import folder_name

    fields: tuple[str, ...] = ("data", "task_file", "tasks", "quarantine", "format_only")
    fields += ("reference", "general_data", "lm_eval", "perturb")
    if given := [name for name in fields if getattr(student, name)]:
        flag = given[0].replace("_", "-")
        raise TrainerError(f"--{flag} is for one world: give one name to --env")
    if judgements.requested:
        flags = "--judge, --tooleval, --sheet and --scores"
        raise TrainerError(f"{flags} are for one world: give one to --env")
    if len({folder_name(name) for name in names}) < len(names):
        raise TrainerError(f"--env {student.env}: names a world twice")


def _checked(
    student: EvalOptions, shown: CompareOptions, sheet: Path | None, output: Path | None
) -> Path | None:
    """Return the folder of the new run; None if earlier runs are compared only."""
    from trainer.evaluation.reporting.comparison import check_name

    for file in shown.report:
        check_name(file)
    for file in (*shown.report, *([sheet] if sheet else [])):
        check_writable(file)
    asked = "--env" if student.env else "--reference" if student.reference else ""
    if not (asked or shown.compare):
        raise TrainerError("say what to measure: --env and --model, or runs to --compare")
    if asked and not (student.model and output):
        raise TrainerError(f"{asked} needs --model and --output")
    return output if asked else None


def _format_only(student: EvalOptions, output: Path | None, *, as_json: bool) -> None:
    if not student.base_url:
        prepare_torch()
    from trainer.evaluation.format_only import measure_format

    with resumable():
        report = measure_format(student, output)
    print(json.dumps(report.to_dict()) if as_json else "\n".join(report.lines()))
    if report.failed:
        say(f"{report.failed} prompts got no reply")
        raise typer.Exit(1)


def _measured(student: EvalOptions, out: Path, unsafe: bool) -> "Report":
    if student.env:
        confirmed(student.sandbox, unsafe)
    if not student.base_url:
        prepare_torch()
    from rich.console import Console

    from engine.runs.progress import Bar
    from trainer.evaluation.evaluate import evaluate

    with Bar(Console(stderr=True)) as bar:
        return evaluate(student, out, bar)


def _failed_line(out: Path) -> str:
    from engine.runs.failure import Failure, failed_line
    from engine.runs.store import Store

    with Store.open(out) as store:
        return failed_line(Failure(*found) for found in store.failures().values())


def _show(reports: "list[Report]", shown: CompareOptions, results: TextIO, as_json: bool) -> None:
    from trainer.evaluation.reporting.comparison import Comparison

    _print(Comparison(reports), reports, shown, results, as_json)


def _print(
    comparison: "Printed",
    measured: "Sequence[Report | Overall]",
    shown: CompareOptions,
    results: TextIO,
    as_json: bool,
) -> None:
    from rich.console import Console

    for file in shown.report:
        comparison.save(file)
    if as_json:
        print(json.dumps([each.to_dict() for each in measured]), file=results)
    else:
        Console(file=results).print(comparison)


eval_ = command(_eval, {"out": "output", "max-tokens": "max-reply-tokens"})
