"""Kahneman-Tversky optimisation (Ethayarajh et al. 2024, arXiv:2402.01306) of a student on single
successes and failures: TRL's KTOTrainer, with log-probabilities of what the agent wrote only.

The KL term is estimated, as in the paper's section 4.1 and in TRL, from mismatched cases: each
prompt of a batch with the completion of the case before it. Their tokens are masked likewise.

Limits: the batches are the same in every epoch, since the mismatched cases are made once. A
mismatched sequence may be longer than any row; it is cut at the model's longest, which changes an
estimate and no row.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from trl.trainer.kto_config import KTOConfig
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference, KTOTrainer
from trl.trainer.utils import pad

from trainer.data.preferences import Files, PreTokenized, Scored, gather, read_cases, tables
from trainer.errors import TrainerError
from trainer.training.options import Training, arguments, lora
from trainer.training.reference import OwnRows, complete
from trainer.training.run import (
    LoadedModel,
    TrainingResult,
    TrainingSummary,
    callbacks,
    flags_checked,
    open_model,
    run,
)
from trainer.tree_packing.batches import alike

_MASKS = {"": "completion_mask", "KL_": "KL_mask"}


@dataclass(frozen=True, slots=True)
class Options(Training):
    """Flags of `trainer kto`; see `Training` for those of every command.

    min_reward: rows of this reward and above are successes.   beta: how strongly the student is
    held to the reference.   desirable_weight, undesirable_weight: of successes and failures; the
    paper has their ratio offset that of their numbers.
    """

    per_device_train_batch_size: int = 4
    gradient_accumulation_steps: int = 2
    min_reward: float = 1.0
    beta: float = 0.1
    desirable_weight: float = 1.0
    undesirable_weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Summary(TrainingSummary):
    """rows: cases read.   successes: of those used.   tokens, scored_tokens: of one epoch."""

    rows: int
    used: int
    successes: int
    dropped: Mapping[str, int]
    tokens: int
    scored_tokens: int


class MaskedCollator(DataCollatorForUnpairedPreference):
    """TRL's collator, with masks that count what the agent wrote only.

    max_length: where mismatched sequences are cut; no row is longer.
    """

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super().torch_call(examples)
        for prefix, column in _MASKS.items():
            masks = [
                torch.tensor(([0] * len(one["prompt_ids"]) + one[column])[: self.max_length])
                for one in examples
            ]
            batch[f"{prefix}completion_mask"] = pad(masks, padding_value=0, padding_side="right")
        return batch


class MaskedKTOTrainer(OwnRows, KTOTrainer):
    """Takes rows as `columns` makes them."""


def kto(options: Options) -> Summary:
    """Train, and write the model.

    Raises:
        TrainerError: something that the user can mend, before anything is written.
    """
    student = open_model(options, "kto")
    cases = gather(options, student, lambda file: read_cases(file, options.min_reward))
    check(cases)
    trainer = build(options, student, cases)
    ran = run(trainer, options, student.renderer, "kto")
    return _summary(options, cases.train, ran)


def check(cases: Files) -> None:
    """See that there are successes and failures to learn from.

    Raises:
        TrainerError: there are only successes, or only failures.
    """
    for part in (cases.train, cases.held_out):
        good = sum(case.good for (case,) in part.rows) if part else 0
        if part and not 0 < good < len(part.rows):
            raise TrainerError(
                f"{good} successes and {len(part.rows) - good} failures are left (dropped: "
                f"{part.reasons or 'none'}); both are needed: export with --min-reward 0"
            )


def build(options: Options, student: LoadedModel, cases: Files) -> MaskedKTOTrainer:
    """TRL's trainer over `cases`, ready to train: the reference's columns are computed here.

    Raises:
        TrainerError: a flag has a value that TRL refuses.
    """
    tokenizer = student.renderer.tokenizer
    longest = student.longest(options.max_length)
    packed = alike(options.tree_packing, student.model, longest)
    train, held_out = tables(cases, lambda part: columns(part, options))
    with flags_checked():
        trainer = MaskedKTOTrainer(
            student.model,
            args=KTOConfig(
                **arguments(options, len(cases.train.rows)),
                beta=options.beta,
                desirable_weight=options.desirable_weight,
                undesirable_weight=options.undesirable_weight,
                precompute_ref_log_probs=True,
            ),
            data_collator=MaskedCollator(tokenizer.pad_token_id, max_length=longest),
            train_dataset=train,
            eval_dataset=held_out,
            processing_class=tokenizer,
            peft_config=lora(options),
            callbacks=callbacks(options),
        )
    complete(trainer, packed, ("ref_logps", "ref_KL_logps"))
    return trainer


def columns(cases: PreTokenized, options: Options) -> dict[str, list[Any]]:
    """The columns that the trainer is given, a row for each case, in random order."""
    order = [case for (case,) in cases.rows]
    random.Random(options.seed).shuffle(order)
    mismatched = _rotated(order, options.per_device_train_batch_size)
    return {
        "prompt_ids": [case.prompt for case in order],
        "completion_ids": [case.completion for case in order],
        "completion_mask": [case.mask for case in order],
        "KL_completion_ids": [case.completion for case in mismatched],
        "KL_mask": [case.mask for case in mismatched],
        "label": [case.good for case in order],
    }


def _rotated(cases: Sequence[Scored], batch: int) -> list[Scored]:
    """For each case the one before it in its batch; for the first, the last."""
    made: list[Scored] = []
    for start in range(0, len(cases), batch):
        part = list(cases[start : start + batch])
        made += [part[-1], *part[:-1]]
    return made


def _summary(options: Options, cases: PreTokenized, ran: TrainingResult) -> Summary:
    return Summary(
        rows=cases.read,
        used=len(cases.rows),
        successes=sum(case.good for (case,) in cases.rows),
        dropped=dict(cases.dropped),
        tokens=cases.tokens,
        scored_tokens=cases.scored,
        output_dir=str(options.output_dir),
        **ran.summary(),
    )
