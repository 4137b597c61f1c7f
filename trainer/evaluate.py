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
from engine.means import Means
from engine.session import Selection, run
from engine.store import Store
from trainer.errors import TrainerError
from trainer.metrics import Report, measure

if TYPE_CHECKING:
    from trainer.local_chat import LocalChat

REPORT = "report.json"

SLOTS = 32
"""Tasks at once for a model in this process: a token costs a CPU much the same for 8 rows as for
32 (70 and 93 ms for SmolLM2-135M, bfloat16, 2 cores)."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Flags of `trainer eval`.

    model: a directory, a hub id or "smollm2", in this process; with base_url, the endpoint's name
    of it.   depth: steps a task.   max_tokens: of a reply.
    concurrency: tasks at once; None for as many as the model in this process generates for, or 8
    of an endpoint.   options: what the environment takes besides, by name.
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
    concurrency: int | None = None
    seed: int = 0
    sandbox: str = "auto"
    options: Mapping[str, Any] = field(default_factory=dict)


def evaluate(wanted: Evaluation, out: Path) -> Report:
    """Run the student on every task, and write the report into folder `out`. A run that was cut
    off goes on where it stopped.

    Raises:
        TreegraftError: something that the user can mend.
    """
    config = _config(wanted)  # says what is wrong before a model is loaded
    with _model(wanted) as chat:
        if chat is not None:
            # The fingerprint of the weights: another model is another run.
            config = replace(config, teacher=chat.name, base_url=chat.base_url)
        run(
            config,
            out,
            selection=Selection(wanted.tasks, wanted.limit),
            means=Means(chat=chat, concurrency=wanted.concurrency or (SLOTS if chat else 8)),
        )
    report = read(out)
    (out / REPORT).write_text(json.dumps(report.to_dict(), indent=2) + "\n", "utf-8")
    return report


def read(folder: Path) -> Report:
    """The report of a run, of `trainer eval` or `engine explore`, from its trees.

    Raises:
        UsageError: there is no run.
        TrainerError: it holds no task yet.
    """
    with Store.open(folder) as store:
        report = measure(folder.resolve().name, store.trees(), store.failures())
    if not report.outcomes:
        raise TrainerError(f"{folder}: this run holds no task yet")
    return report


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
        width=1,
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
    from trainer.local_chat import LocalChat

    slots = min(wanted.concurrency or SLOTS, wanted.limit or SLOTS)
    with closing(LocalChat(wanted.model, slots=slots)) as chat:
        yield chat
