"""General ability by the tasks of EleutherAI's lm-evaluation-harness, if it is installed."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from trainer.errors import TrainerError
from trainer.runtime import hardware
from trainer.runtime.embedded_model import resolve


def check_installed() -> None:
    """Check that `lm_eval` is installed.

    Raises:
        TrainerError: It is not.
    """
    if find_spec("lm_eval") is None:
        raise TrainerError("--lm-eval needs EleutherAI's harness: pip install lm_eval")


def harness(
    model: str, tasks: Sequence[str], limit: int | None = None
) -> dict[str, dict[str, float]]:
    """Return the figures of each task by metric ("acc", "acc_stderr"), as the harness names them.

    Args:
        model: A directory, a hub id or "smollm2".
        tasks: Their names in the harness.
        limit: Maximum documents per task.

    Raises:
        TrainerError: The harness is not installed, does not know a task, or cannot load it; with
            the harness's message.
    """
    check_installed()
    simple_evaluate = import_module("lm_eval").simple_evaluate
    try:
        found = simple_evaluate(
            model="hf",
            model_args={"pretrained": resolve(model), "dtype": "float32"},
            tasks=list(tasks),
            limit=limit,
            device=hardware.device(),
            log_samples=False,
            bootstrap_iters=1000,
        )
    except (KeyError, ValueError, OSError, ImportError) as error:
        reason = " ".join(str(error).split())[:300]
        raise TrainerError(f"--lm-eval {','.join(tasks)}: {reason}") from error
    return {task: _figures(values) for task, values in dict(found["results"]).items()}


def _figures(values: Mapping[str, Any]) -> dict[str, float]:
    """Keep numbers only; "acc,none" is the metric acc without a filter."""
    return {
        name.removesuffix(",none"): float(value)
        for name, value in values.items()
        if "," in name and isinstance(value, int | float)
    }
