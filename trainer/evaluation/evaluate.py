"""Measure a student: the same engine as exploring, at width 1, on tasks that it was not shown.

The model is in this process (`LocalChat`), or behind any OpenAI-compatible endpoint.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.config import Config
from engine.runs.build_executor import Resources
from engine.runs.run import Selection, run
from engine.runs.store import Store
from trainer.errors import TrainerError
from trainer.evaluation.measures.batch_ask import Asked
from trainer.evaluation.measures.general import general
from trainer.evaluation.measures.harness import check_installed, harness
from trainer.evaluation.measures.llm_judge import journal_of
from trainer.evaluation.measures.references import Turn, turns
from trainer.evaluation.measures.teacher_forcing import Forced, forced
from trainer.evaluation.metrics import Report, measure

if TYPE_CHECKING:
    from trainer.inference.local_chat import LocalChat

REPORT = "report.json"

SLOTS = 32
"""Tasks at once for a model in this process: a token costs a CPU much the same for 8 rows as for
32 (70 and 93 ms for SmolLM2-135M, bfloat16, 2 cores)."""

_BESIDE = ("forced", "judged", "agreement", "general", "harness")
"""Fields of a report that are not measured from a run's trees."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Flags of `trainer eval`.

    model: a directory, a hub id or "smollm2", in this process; with base_url, the endpoint's name
    of it.   depth: steps a task.   max_tokens: of a reply.   samples: chains a task, for pass@k.
    concurrency: tasks at once; None for as many as the model in this process generates for, or 8
    of an endpoint.   options: what the environment takes besides, by name.
    reference: a run, or a file of rows, to be compared with turn by turn; fuzzy_weight: see
    `measures.forced`.   general_data: held-out chat.   lm_eval: tasks of the harness;
    lm_eval_limit: documents a task.

    Raises:
        TrainerError: flags that do not go together.
    """

    env: str
    model: str
    data: str | None = None
    split: str | None = None
    limit: int | None = None
    tasks: str = ""
    base_url: str = ""
    template: str = "react"
    depth: int = 12
    max_tokens: int = 256
    temperature: float = 0.0
    samples: int = 1
    concurrency: int | None = None
    seed: int = 0
    sandbox: str = "auto"
    options: Mapping[str, Any] = field(default_factory=dict)
    reference: Path | None = None
    fuzzy_weight: float = 1.0
    general_data: Path | None = None
    lm_eval: tuple[str, ...] = ()
    lm_eval_limit: int | None = None

    def __post_init__(self) -> None:
        if self.samples > 1 and not self.temperature:
            raise TrainerError(
                "--samples draws chains that differ: give a --temperature above 0, such as 0.8"
            )
        if self.base_url and (self.general_data or self.lm_eval):
            flag = "--general-data" if self.general_data else "--lm-eval"
            raise TrainerError(f"{flag} needs a model in this process: leave out --base-url")
        if self.general_data and not self.general_data.is_file():
            raise TrainerError(f"--general-data {self.general_data}: no such file")
        if self.lm_eval:
            check_installed()


def evaluate(wanted: Evaluation, out: Path) -> Report:
    """Run the student on every task, and write the report into folder `out`. A run that was cut
    off goes on where it stopped.

    Raises:
        TreegraftError: something that the user can mend.
    """
    config = _config(wanted)  # says what is wrong before a model is loaded
    references = turns(wanted.reference, wanted.template) if wanted.reference else []
    with _model(wanted) as chat:
        if chat is not None:
            # The fingerprint of the weights: another model is another run.
            config = replace(config, teacher=chat.name, base_url=chat.base_url)
        at_once = wanted.concurrency or (SLOTS if chat else 8)
        run(
            config,
            out,
            selection=Selection(wanted.tasks, wanted.limit),
            means=Resources(chat=chat, concurrency=at_once),
        )
        report = read(out)
        if references:
            asked = Asked(journal_of(out), wanted.base_url, chat, at_once)
            report.forced = _forced(wanted, asked, references, report)
    if wanted.general_data:
        report.general = general(wanted.model, wanted.general_data)
    if wanted.lm_eval:
        report.harness = harness(wanted.model, wanted.lm_eval, wanted.lm_eval_limit)
    write(report, out)
    return report


def read(folder: Path) -> Report:
    """The report of a run, of `trainer eval` or `engine explore`: from its trees, and what was
    measured besides from its `report.json`.

    Raises:
        UsageError: there is no run.
        TrainerError: it holds no task yet, or the file is no report.
    """
    with Store.open(folder) as store:
        report = measure(folder.resolve().name, store.trees(), store.failures())
    if not report.outcomes:
        raise TrainerError(f"{folder}: this run holds no task yet")
    file = folder / REPORT
    if file.is_file():
        kept = _kept(file)
        for name in _BESIDE:
            setattr(report, name, getattr(kept, name))
    return report


def write(report: Report, folder: Path) -> None:
    """Keep `report` with its run."""
    (folder / REPORT).write_text(json.dumps(report.to_dict(), indent=2) + "\n", "utf-8")


def _kept(file: Path) -> Report:
    try:
        return Report.from_dict(json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise TrainerError(f"{file} is not a report ({error}); delete it") from error


def _forced(wanted: Evaluation, asked: Asked, references: list[Turn], report: Report) -> Forced:
    """Raises TrainerError where no task that was measured has a reference."""
    ours = [turn for turn in references if turn.task in report.outcomes]
    if not ours:
        raise TrainerError(f"--reference {wanted.reference}: holds none of the tasks measured")
    without = len(report.outcomes.keys() - {turn.task for turn in ours})
    return forced(asked, wanted.model, wanted.max_tokens, ours, wanted.fuzzy_weight, without)


def _config(wanted: Evaluation) -> Config:
    return Config(
        env=wanted.env,
        data=wanted.data,
        split=wanted.split,
        sandbox=wanted.sandbox,
        options=wanted.options,
        teacher=wanted.model,
        base_url=wanted.base_url,
        template=wanted.template,
        search="react",
        width=wanted.samples,
        solved=wanted.samples,  # no chain is left out because another one solved the task
        depth=wanted.depth,
        task_max_calls=None,
        temperature=wanted.temperature,
        reply_tokens=wanted.max_tokens,
        seed=wanted.seed,
    )


@contextmanager
def _model(wanted: Evaluation) -> "Iterator[LocalChat | None]":
    """The model in this process; None for an endpoint."""
    if wanted.base_url:
        yield None
        return
    from trainer.inference.local_chat import LocalChat

    slots = min(wanted.concurrency or SLOTS, wanted.limit or SLOTS)
    with closing(LocalChat(wanted.model, slots=slots)) as chat:
        yield chat
