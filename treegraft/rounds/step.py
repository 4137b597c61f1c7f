"""One step of a round, in a process of its own: `python -m treegraft.rounds.step`.

The step's name and options come as one line of JSON on standard input, so that other users of the
machine see no address with a password in the list of processes. The result is one line of JSON on
standard output.
"""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Literal, TextIO, TypeVar

from rich.console import Console

from engine.api import explore_config
from engine.chat.prices import known_usd
from engine.cli.option_table import Options, take
from engine.config import Config, config_of
from engine.credit.credit import credit, read_credit
from engine.credit.settings import CreditSettings
from engine.errors import UsageError
from engine.export.export import ExportSettings, export
from engine.export.filters import Filters
from engine.export.value_rules import ValueRules
from engine.runs.build_executor import Resources, RunBudget
from engine.runs.plan import Selection
from engine.runs.progress import Bar
from engine.runs.run import wait
from engine.runs.store import Store
from engine.runs.tasks import read_ids
from engine.terminal import results_only, say
from trainer.cli.serve import stop_with_stdin
from trainer.evaluation.options import EvalOptions, JudgementOptions
from trainer.runtime.distributed import process_group
from trainer.runtime.prepare import prepare_torch
from trainer.serving.options import ServeOptions
from trainer.training.options import DpoOptions, SftOptions
from treegraft.errors import TreegraftError
from treegraft.rounds.tasks import outcome

if TYPE_CHECKING:
    from trainer.training.run import TrainingSummary

T = TypeVar("T")


def _build_search(options: Options) -> tuple[Config, dict[str, Any]]:
    """Return the arguments of `explore_config`, without its `progress`."""
    more: dict[str, Any] = {
        "out": Path(options.pop("output")),
        "selection": take(Selection, options),
        "budget": take(RunBudget, options),
        "resources": take(Resources, options),
    }
    return config_of(options), more


def _build_credit(
    options: Options,
) -> tuple[Path, Path, CreditSettings, RunBudget, Resources]:
    """Return the arguments of `credit`."""
    run, output = Path(options.pop("run")), Path(options.pop("output"))
    settings, budget = take(CreditSettings, options), take(RunBudget, options)
    resources = take(Resources, options)
    _refuse_rest(options)
    return run, output, settings, budget, resources


def _build_export(
    kind: Literal["sft", "dpo"], options: Options
) -> tuple[list[Path], Path, ExportSettings]:
    """Return the arguments of `export`."""
    runs, output = [Path(run) for run in options.pop("runs")], Path(options.pop("output"))
    filters, values = take(Filters, options), take(ValueRules, options)
    options["to"] = kind  # what goes together depends on it
    settings = take(ExportSettings, options)
    _refuse_rest(options)
    return runs, output, replace(settings, filters=filters, values=values)


def _build_evaluation(options: Options) -> tuple[EvalOptions, JudgementOptions, Path]:
    """Return the options, those of judges, and the folder."""
    out, env_args = Path(options.pop("output")), options.pop("env_args")
    evaluation = replace(take(EvalOptions, options), env_args=env_args)
    judgements = take(JudgementOptions, options)
    _refuse_rest(options)
    return evaluation, judgements, out


def _build(cls: type[T], options: Options) -> T:
    made = take(cls, options)
    _refuse_rest(options)
    return made


def _refuse_rest(options: Options) -> None:
    if options:
        raise UsageError(f"unknown option {', '.join(options)}")


BUILDERS: Mapping[str, Callable[[Options], Any]] = {
    "teacher": _build_search,
    "student": _build_search,
    "both": _build_search,
    "credit": _build_credit,
    "rows": partial(_build_export, "sft"),
    "pairs": partial(_build_export, "dpo"),
    "sft": partial(_build, SftOptions),
    "dpo": partial(_build, DpoOptions),
    "evaluate": _build_evaluation,
    "serve": partial(_build, ServeOptions),
}
"""From a step's options to arguments; a TreegraftError if options contradict each other."""


def main() -> int:
    """Run the step that standard input names; return the exit code."""
    message = json.loads(sys.stdin.readline())
    results = sys.stdout
    try:
        with results_only():
            result = run(message["step"], message["options"], results)
    except TreegraftError as error:
        say(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        return 130
    print(json.dumps(result))
    return 0


def run(step: str, options: Options, results: TextIO) -> Mapping[str, Any]:
    """Run a step and return its result.

    Args:
        step: Its name, a key of `BUILDERS`.
        options: What `step_options.StepOptions` made for it.
        results: Where a server announces that it answers.
    """
    if step in ("teacher", "student", "both"):
        return _search(step, options)
    if step == "credit":
        return _credit(options)
    if step in ("rows", "pairs"):
        return _export(step, options)
    if step == "evaluate":
        return _evaluate(options)
    if step == "serve":
        return _serve(options, results)
    return _train(step, options)


def _search(searcher: str, options: Options) -> Mapping[str, Any]:
    ids = read_ids(options["tasks"])
    config, more = _build_search(options)
    with Bar(Console(stderr=True)) as bar:
        found = explore_config(config, **more, progress=bar)
    if found.summary.stopped:
        say(f"the budget is spent: {found.summary.stopped} tasks were cut short")
    return outcome(found.path, ids, searcher)


def _credit(options: Options) -> Mapping[str, Any]:
    run, output, settings, budget, resources = _build_credit(options)
    with Bar(Console(stderr=True)) as bar:
        summary = wait(lambda: credit(run, output, settings, budget, resources, bar))
    with Store.open(output) as store:
        used, unpriced = store.usage(), bool(store.meta().get("unpriced"))
    cost = {"calls": used.calls, "tokens": used.tokens, "usd": known_usd(used, unpriced)}
    why = summary.failures[0].message if summary.failures else ""
    return {**read_credit(output).to_dict(), "failed": summary.failed, "why": why, **cost}


def _export(step: str, options: Options) -> Mapping[str, Any]:
    counts = export(*BUILDERS[step](options))
    if counts.stale_annotations:
        say(f"{counts.stale_annotations} marks skipped: their trees no longer have those nodes")
    return {"rows": counts.rows, "dropped": dict(counts.dropped)}


def _train(kind: str, options: Options) -> Mapping[str, Any]:
    prepare_torch()
    with process_group():
        summary: TrainingSummary
        if kind == "sft":
            from trainer.training.sft import sft

            summary = sft(_build(SftOptions, options))
        else:
            from trainer.training.dpo import dpo

            summary = dpo(_build(DpoOptions, options))
    return asdict(summary)


def _evaluate(options: Options) -> Mapping[str, Any]:
    evaluation, judgements, out = _build_evaluation(options)
    if not evaluation.base_url:
        prepare_torch()
    from trainer.evaluation.evaluate import evaluate
    from trainer.evaluation.judgements import add_judgements, check_judges

    if judgements.endpoints and not out.exists():
        check_judges(judgements, out)
    with Bar(Console(stderr=True)) as bar:
        report = evaluate(evaluation, out, bar)
    if judgements.requested:
        add_judgements(judgements, [(out, report)])
        report.keep(out)
    solved = report.solved
    return {"hits": solved.hits, "total": solved.total, "failed": report.failed}


def _serve(options: Options, results: TextIO) -> Mapping[str, Any]:
    """Serve until standard input closes."""
    Thread(target=stop_with_stdin, daemon=True).start()
    prepare_torch()
    from trainer.serving.choose import serve

    def announce(server: Any) -> None:
        print(json.dumps(asdict(server)), file=results, flush=True)

    say(serve(_build(ServeOptions, options), announce))
    return {}


if __name__ == "__main__":
    sys.exit(main())
