"""What the commands that train say in the end, in the same words."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from trainer.runtime.distributed import is_main

if TYPE_CHECKING:
    from trainer.training.run import TrainingSummary


def course(done: "TrainingSummary") -> str:
    """Steps and losses."""
    resumed = f" (on from {done.resumed})" if done.resumed else ""
    held_out = "" if done.eval_loss is None else f", held out {done.eval_loss:.3f}"
    return (
        f"{done.steps} steps{resumed}, loss {done.loss_first:.3f} to {done.loss_last:.3f}{held_out}"
    )


def left_out(dropped: Mapping[str, int]) -> str:
    """How many were dropped for which reason."""
    return ", ".join(f"{reason}: {number}" for reason, number in dropped.items()) or "none"


def print_json(done: Any) -> None:
    """A summary, a dataclass, for machines; once."""
    if is_main():
        print(json.dumps(asdict(done)))
