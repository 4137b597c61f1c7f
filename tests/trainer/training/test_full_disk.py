"""A disk that fills up while a model is trained: nothing half is left, and the run goes on."""

import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tests.support.rows import AGENT, write
from trainer.errors import TrainerError
from trainer.training.options import SftOptions
from trainer.training.output import claim
from trainer.training.run import open_model, run
from trainer.training.sft import build, gather, sft

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:transformers")

SMALL, MODEL = 100_000, 7_000_000
"""Bytes: less than the weights; more than the weights, and less than the optimizer's state."""


@contextmanager
def room_restored() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class FillsUp(TrainerCallback):
    """From the checkpoint of step 2 on, or from the end of training on, files cannot grow."""

    def __init__(self, when: str, size: int) -> None:
        self.when, self.size = when, size

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if self.when == "training":
            self._fill()

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if self.when == "end":
            self._fill()

    def _fill(self) -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, hard))


@pytest.mark.parametrize(
    ("when", "size", "place", "last"),
    [
        ("training", MODEL, "out/checkpoint-4", 2),
        ("end", SMALL, "out", 5),
    ],
)
def test_the_last_checkpoint_is_kept(
    when: str, size: int, place: str, last: int, tiny: Path, tmp_path: Path
) -> None:
    options = SftOptions(
        model=str(tiny),
        dataset=write(tmp_path / "rows.jsonl", [{"messages": row} for row in AGENT]),
        output_dir=tmp_path / "out",
        max_steps=5,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=1,
        max_length=256,
        bf16=False,
        save_strategy="steps",
        save_steps=2,
    )
    student = open_model(options)
    trainer = build(options, student, gather(options, student))
    trainer.add_callback(FillsUp(when, size))
    says = (
        rf"could not be written to {re.escape(str(tmp_path))}/{place}: .*; make room, then "
        rf"--resume-from-checkpoint goes on from checkpoint-{last}$"
    )
    with room_restored(), pytest.raises(TrainerError, match=says):
        run(trainer, student, claim(options, "sft"))
    left = {each.name for each in options.output_dir.iterdir()} - {"README.md"}  # TRL's
    checkpoints = {f"checkpoint-{step}" for step in (2, 4, 5) if step <= last}
    assert left == {"treegraft.json", "training_log.jsonl", *checkpoints}
    done = sft(replace(options, resume_from_checkpoint=True))
    assert (done.steps, done.resumed) == (5, last)
