"""The trainer's Python API: train on rows, and measure a model in an environment.

    model = sft(rows, model="smollm2", output_dir="student", learning_rate=1e-4)
    report = evaluate(model, "bird", split="test")

`treegraft` exports these names. The commands call the same functions with the same options.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from environments import ToolEnv
from trainer.data.row_source import RowSource

if TYPE_CHECKING:
    from trainer.evaluation.report import Report
    from trainer.training.options import TrainingOptions
    from trainer.training.run import TrainingSummary


@dataclass(frozen=True)
class TrainedModel(os.PathLike[str]):
    """A trained model on disk; give it wherever a model's folder is taken.

    Attributes:
        path: The folder, in transformers' format.
        summary: What training did: rows used and dropped, tokens, losses.
    """

    path: Path
    summary: "TrainingSummary"

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)


def sft(
    rows: RowSource, *, model: str | os.PathLike[str], output_dir: Path | str, **options: Any
) -> TrainedModel:
    """Fine-tune a model on rows; the loss counts what the agent wrote and nothing else.

    Args:
        rows: A file of any format of docs/data.md, a data set of the hub, a `datasets.Dataset`, or
            an iterable of dicts.
        model: Directory, hub id or "smollm2".
        output_dir: Directory for the trained model.
        **options: Fields of `SftOptions`: TRL's names, such as learning_rate and max_steps.

    Raises:
        TreegraftError: Something you can fix; the message says what to do.
    """
    from trainer.training.options import SftOptions

    return _train("sft", SftOptions, rows, model, output_dir, options)


def dpo(
    pairs: RowSource, *, model: str | os.PathLike[str], output_dir: Path | str, **options: Any
) -> TrainedModel:
    """Train a model on preference pairs; see `sft`. The options are those of `DpoOptions`."""
    from trainer.training.options import DpoOptions

    return _train("dpo", DpoOptions, pairs, model, output_dir, options)


def kto(
    rows: RowSource, *, model: str | os.PathLike[str], output_dir: Path | str, **options: Any
) -> TrainedModel:
    """Train a model on rows labelled good or bad; see `sft`. Options: those of `KtoOptions`."""
    from trainer.training.options import KtoOptions

    return _train("kto", KtoOptions, rows, model, output_dir, options)


def distill(
    rows: RowSource,
    *,
    model: str | os.PathLike[str],
    teacher: str | os.PathLike[str],
    output_dir: Path | str,
    **options: Any,
) -> TrainedModel:
    """Train a model on a local teacher's probabilities of what the agent wrote in rows.

    Args:
        rows: As of `sft`; on-policy if they are the model's own paths.
        model: Directory, hub id or "smollm2".
        teacher: The same, of a model with the same tokenizer.
        output_dir: Directory for the trained model.
        **options: Fields of `DistillOptions`.

    Raises:
        TreegraftError: Something you can fix; the message says what to do.
    """
    from trainer.training.options import DistillOptions

    taught = {**options, "teacher": os.fspath(teacher)}
    return _train("distill", DistillOptions, rows, model, output_dir, taught)


def _train(
    method: str,
    kind: "type[TrainingOptions]",
    rows: RowSource,
    model: str | os.PathLike[str],
    output_dir: Path | str,
    options: dict[str, Any],
) -> TrainedModel:
    import importlib

    from trainer.runtime.prepare import prepare_torch

    made = kind(model=os.fspath(model), dataset=rows, output_dir=Path(output_dir), **options)
    prepare_torch()
    train = getattr(importlib.import_module(f"trainer.training.{method}"), method)
    return TrainedModel(Path(output_dir), train(made))


def evaluate(
    model: str | os.PathLike[str],
    env: str | type[ToolEnv],
    *,
    out: Path | str | None = None,
    **options: Any,
) -> "Report":
    """Measure a model on the tasks of an environment and return the report.

    Args:
        model: Directory, hub id or "smollm2"; with `base_url`, the endpoint's name for it.
        env: A registered name, `module:Class`, or a class of your own.
        out: The run's folder; the same call resumes it. Default: runs/eval-MODEL-ENV-SPLIT.
        **options: Fields of `EvalOptions` (split, limit, template, depth, samples, ...).

    Raises:
        TreegraftError: Something you can fix; the message says what to do.
    """
    from trainer.evaluation.evaluate import evaluate as measure
    from trainer.evaluation.options import EvalOptions
    from trainer.runtime.prepare import prepare_torch

    name = env if isinstance(env, str) else f"{env.__module__}:{env.__qualname__}"
    made = EvalOptions(env=name, model=os.fspath(model), **options)
    if not made.base_url:
        prepare_torch()
    folder = Path(out) if out else _folder(os.fspath(model), name, made.split)
    return measure(made, folder)


def _folder(model: str, env: str, split: str | None) -> Path:
    words = "-".join(["eval", Path(model).name, env, split or "all"])
    return Path("runs") / "".join(c if c.isalnum() or c in "-._" else "-" for c in words)
