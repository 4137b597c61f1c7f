"""Measure a student: the engine's exploration with one chain per task, on held-out tasks.

The model is loaded into this process (`LocalChat`), or behind any OpenAI-compatible endpoint.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.api import explore_config
from engine.config import Config
from engine.runs.build_executor import Resources
from engine.runs.explore import Progress
from engine.runs.plan import Selection
from engine.runs.shots import read_shots
from search import React, TaskBudget
from trainer.data.rows import read_rows
from trainer.errors import TrainerError
from trainer.evaluation.measures.batch_ask import Asked
from trainer.evaluation.measures.general_chat import general_loss
from trainer.evaluation.measures.llm_judge import journal_path
from trainer.evaluation.measures.lm_harness import check_installed, harness
from trainer.evaluation.measures.perturbed import compared
from trainer.evaluation.measures.references import reference_turns
from trainer.evaluation.measures.teacher_forcing import TeacherForcing, teacher_forcing
from trainer.evaluation.measures.turn import Turn
from trainer.evaluation.metrics import read_report
from trainer.evaluation.options import EvalOptions
from trainer.evaluation.overall import Overall, folder_name
from trainer.evaluation.perturbations import FOLDER, changed
from trainer.evaluation.report import Report
from treegraft.write_files import check_folder, make_folder

if TYPE_CHECKING:
    from trainer.inference.local_chat import LocalChat

SLOTS = 32
"""Tasks at once for a model in this process: on a CPU a token of 8 rows takes about as long as one
of 32 rows (70 and 93 ms for SmolLM2-135M, bfloat16, 2 cores)."""
ENDPOINT_CONCURRENCY = 8


def evaluate(options: EvalOptions, out: Path, progress: Progress | None = None) -> Report:
    """Run the student on every task, and write the report into folder `out`.

    A run that was interrupted is resumed. Without an environment, the student is asked at the turns
    of the references only.

    Raises:
        TreegraftError: The options, the files or the endpoint cannot be used.
    """
    if options.env:
        _config(options)  # checked before a model is loaded
    read_shots(options.shots, options.shots_from, options.seed)
    if options.lm_eval:
        check_installed()
    if options.general_data and not list(read_rows(options.general_data)):
        raise TrainerError(f"--general-data {options.general_data}: holds no conversation")
    check_folder(out)
    references = reference_turns(options.reference, options.template) if options.reference else []
    with open_student(options) as chat:
        if options.env:
            report = measure_student(options, out, chat, progress)
        else:
            make_folder(out)
            report = Report(out.resolve().name)
        for name in options.perturb:
            own = measure_student(changed(options, name), out / FOLDER / name, chat, progress)
            report.perturbed[name] = compared(report, own)
        if references:
            asked = Asked(
                journal_path(out),
                options.base_url,
                chat,
                _concurrency(options, chat),
                options.api,
                options.api_version,
            )
            # The fingerprint of the weights: the journal may hold replies of another model.
            named = replace(options, model=chat.name) if chat else options
            report.forced = _compare_with(references, named, asked, report)
    if options.general_data:
        report.general = general_loss(options.model, options.general_data)
    if options.lm_eval:
        report.harness = harness(options.model, options.lm_eval_tasks, options.lm_eval_limit)
    report.keep(out)
    return report


def measure_student(
    options: EvalOptions, out: Path, chat: "LocalChat | None", progress: Progress | None = None
) -> Report:
    """Run a student that `open_student` opened, or resume the run; return what it did.

    Raises:
        TreegraftError: The options or the endpoint cannot be used.
    """
    config = _config(options)
    if chat is not None:
        # The fingerprint of the weights: another model is another run.
        config = replace(config, teacher=chat.name, base_url=chat.base_url)
    explore_config(
        config,
        out,
        selection=Selection(
            tasks=options.tasks,
            limit=options.limit,
            quarantine=options.quarantine,
            strict=options.strict,
        ),
        resources=Resources(
            chat=chat,
            concurrency=_concurrency(options, chat),
            fail_fast=options.fail_fast,
            api_version=options.api_version,
        ),
        progress=progress,
    )
    return read_report(out)


def evaluate_worlds(
    options: EvalOptions,
    worlds: Mapping[str, Mapping[str, Any]],
    out: Path,
    progress: Progress | None = None,
) -> Overall:
    """Run the student in each world, loaded once; a run that was interrupted is resumed.

    Args:
        options: Those of every world.
        worlds: The environments' own options, by environment.
        out: Gets a folder for each world.

    Raises:
        TreegraftError: As `evaluate`.
    """
    reports = {}
    with open_student(options) as chat:
        for env, env_args in worlds.items():
            own = replace(options, env=env, env_args=env_args)
            reports[env] = measure_student(own, out / folder_name(env), chat, progress)
    return Overall(out.resolve().name, reports)


def _concurrency(options: EvalOptions, chat: "LocalChat | None") -> int:
    return options.concurrency or (SLOTS if chat else ENDPOINT_CONCURRENCY)


def _config(options: EvalOptions) -> Config:
    """Return the exploration that an evaluation is: independent chains from the start state."""
    return Config(
        env=options.env,
        data=options.data,
        split=options.split,
        sandbox=options.sandbox,
        env_args=options.env_args,
        task_file=options.task_file,
        teacher=options.model,
        base_url=options.base_url,
        api=options.api,
        template=options.template,
        dialect=options.dialect,
        tool_noise=options.tool_noise,
        repair=options.repair,
        # Every chain is played, even after one has solved the task.
        search=React(
            width=options.samples,
            max_solutions=options.samples,
            depth=options.depth,
            restarts=options.restarts,
        ),
        budget=TaskBudget(calls=None),
        temperature=options.temperature,
        max_reply_tokens=options.max_reply_tokens,
        seed=options.seed,
        shots=options.shots,
        shots_from=options.shots_from,
    )


@contextmanager
def open_student(options: EvalOptions) -> "Iterator[LocalChat | None]":
    """Load the model into this process; yield None for an endpoint."""
    if options.base_url:
        yield None
        return
    from trainer.inference.local_chat import LocalChat

    slots = min(options.concurrency or SLOTS, options.limit or SLOTS)
    with closing(LocalChat(options.model, slots=slots)) as chat:
        yield chat


def _compare_with(
    references: list[Turn], options: EvalOptions, asked: Asked, report: Report
) -> TeacherForcing:
    """Ask the student at the turns of the references.

    Raises:
        TrainerError: No task that was measured has a reference.
    """
    if options.env:
        tasks = {*report.outcomes}
    else:
        tasks = {*list(dict.fromkeys(turn.task for turn in references))[: options.limit]}
    measured = [turn for turn in references if turn.task in tasks]
    if not measured:
        raise TrainerError(f"--reference {options.reference}: holds none of the tasks measured")
    without = len(tasks - {turn.task for turn in measured})
    reply_tokens, weight = options.max_reply_tokens, options.fuzzy_weight
    return teacher_forcing(asked, options.model, reply_tokens, measured, weight, without)
