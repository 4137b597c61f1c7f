"""Kahneman-Tversky optimisation (Ethayarajh et al. 2024, arXiv:2402.01306) on single cases.

TRL's KTOTrainer, with log-probabilities of only what the agent wrote.

The KL term is estimated, as in the paper's section 4.1 and in TRL, from mismatched cases: each
prompt of a batch with the completion of the case before it. Their tokens are masked likewise.

Limits: the batches are the same in every epoch, since the mismatched cases are made once. A
mismatched sequence may be longer than any row; it is truncated at the model's longest, which
changes an estimate and no row.
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Any

import torch
from trl.trainer.kto_config import KTOConfig
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference, KTOTrainer
from trl.trainer.utils import pad

from trainer.data.preferences import TokenizedCase, TokenizedPreferences, read_cases
from trainer.data.rows import reasons
from trainer.errors import TrainerError
from trainer.runtime.distributed import say_once
from trainer.training.options import KtoOptions
from trainer.training.output import claim
from trainer.training.preference_figures import warning_of_fall
from trainer.training.preference_trainer import (
    Columns,
    PreferenceData,
    PreTokenizedMixin,
    finish_setup,
    gather,
)
from trainer.training.run import (
    LoadedModel,
    TrainingSummary,
    callbacks,
    flags_checked,
    open_model,
    run,
)
from trainer.training.token_budget import with_passes
from trainer.training.trl_config import lora_config, trl_arguments
from trainer.tree_packing.batches import alike

_MASKS = {"": "completion_mask", "KL_": "KL_mask"}


@dataclass(frozen=True, slots=True)
class KtoSummary(TrainingSummary):
    """What KTO reports.

    Attributes:
        rows: Cases read.
        used: Cases trained on.
        successes: Those of them that are successes.
        dropped: Cases left out, by reason.
        tokens: Tokens of one epoch.
        scored_tokens: Those of them that the agent wrote.
        successes_before: Mean log-probability of successes before training, each the sum over what
            the agent wrote.
        successes_after: The same at the end: what those of the last log entry gained, added.
        failures_before: Mean log-probability of failures before training.
        failures_after: The same at the end.
    """

    rows: int
    used: int
    successes: int
    dropped: Mapping[str, int]
    tokens: int
    scored_tokens: int
    successes_before: float
    successes_after: float
    failures_before: float
    failures_after: float


class MaskedCollator(DataCollatorForUnpairedPreference):
    """TRL's collator, with masks that count only what the agent wrote.

    `max_length` is where mismatched sequences are truncated; no row is longer.
    """

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """Return a batch of cases and their mismatched twins."""
        batch: dict[str, Any] = super().torch_call(examples)
        for prefix, column in _MASKS.items():
            masks = [
                torch.tensor(([0] * len(one["prompt_ids"]) + one[column])[: self.max_length])
                for one in examples
            ]
            batch[f"{prefix}completion_mask"] = pad(masks, padding_value=0, padding_side="right")
        return batch


class MaskedKTOTrainer(PreTokenizedMixin, KTOTrainer):
    """TRL's trainer, for rows as `columns` makes them."""


def kto(options: KtoOptions) -> KtoSummary:
    """Train, and write the model.

    Raises:
        TrainerError: A flag, a file or the model cannot be used; nothing was written.
    """
    output = claim(options, "kto")
    student = open_model(options)
    cases = gather(options, student, partial(read_cases, min_reward=options.min_reward))
    check(cases)
    trainer = build(options, student, cases)
    rows: Any = trainer.train_dataset
    before = _means(rows["label"], rows["ref_logps"])
    say_once(
        f"before training the mean log-probability of successes is {before[True]:.2f}, of failures "
        f"{before[False]:.2f}"
    )
    result = run(trainer, student, output)

    def after(good: bool, name: str) -> float:
        # A reward is beta times the gain in log-probability.
        rewards = result.figures(f"rewards/{name}")
        return before[good] + rewards[-1] / options.beta if rewards and options.beta else math.nan

    summary = KtoSummary(
        **cases.train.counts(),
        successes=_successes(cases.train),
        successes_before=before[True],
        successes_after=after(True, "chosen"),
        failures_before=before[False],
        failures_after=after(False, "rejected"),
        **result.summary(),
    )
    remedy = "raise --desirable-weight, or lower --learning-rate"
    if warning := warning_of_fall(summary.successes_before, summary.successes_after, remedy):
        say_once(warning)
    return summary


def check(cases: PreferenceData) -> None:
    """Require successes and failures to learn from.

    Raises:
        TrainerError: There are only successes, or only failures.
    """
    for part in (cases.train, cases.held_out):
        if part and not 0 < (good := _successes(part)) < len(part.rows):
            dropped = reasons(part.dropped) if part.dropped else "none"
            raise TrainerError(
                f"{good} successes and {len(part.rows) - good} failures are left (dropped: "
                f"{dropped}); both are needed: export with --min-reward 0"
            )


def build(options: KtoOptions, student: LoadedModel, cases: PreferenceData) -> MaskedKTOTrainer:
    """Return TRL's trainer, ready to train; this computes the reference's log-probabilities.

    Raises:
        TrainerError: TRL refuses the value of a flag.
    """
    options = with_passes(options, cases.train.counts()["scored_tokens"])
    tokenizer = student.renderer.tokenizer
    packed = alike(options.tree_packing, student.model, student.max_length)
    student.settle_attention(packed)
    train, held_out = cases.tables(
        partial(columns, batch=options.per_device_train_batch_size, seed=options.seed)
    )
    with flags_checked():
        trainer = MaskedKTOTrainer(
            student.model,
            args=KTOConfig(
                **trl_arguments(options, len(train)),
                beta=options.beta,
                desirable_weight=options.desirable_weight,
                undesirable_weight=options.undesirable_weight,
                precompute_ref_log_probs=True,
            ),
            data_collator=MaskedCollator(tokenizer.pad_token_id, max_length=student.max_length),
            train_dataset=train,
            eval_dataset=held_out,
            processing_class=tokenizer,
            peft_config=lora_config(options),
            callbacks=callbacks(options.output_dir, options.early_stopping_patience),
        )
    finish_setup(trainer, packed, ("ref_logps", "ref_KL_logps"))
    return trainer


def columns(cases: TokenizedPreferences, batch: int, seed: int) -> Columns:
    """Return the columns of the trainer's data set, one row per case, in random order."""
    order = [case for (case,) in cases.rows]
    random.Random(seed).shuffle(order)
    mismatched = _rotated(order, batch)
    return {
        "prompt_ids": [case.prompt for case in order],
        "completion_ids": [case.completion for case in order],
        "completion_mask": [case.mask for case in order],
        "KL_completion_ids": [case.completion for case in mismatched],
        "KL_mask": [case.mask for case in mismatched],
        "label": [case.good for case in order],
    }


def _rotated(cases: Sequence[TokenizedCase], batch: int) -> list[TokenizedCase]:
    """Return, for each case, the one before it in its batch; for the first, the last."""
    rotated: list[TokenizedCase] = []
    for start in range(0, len(cases), batch):
        part = list(cases[start : start + batch])
        rotated += [part[-1], *part[:-1]]
    return rotated


def _means(labels: Sequence[bool], scores: Sequence[float]) -> dict[bool, float]:
    """Return the mean score of successes and of failures."""
    return {
        good: fmean(score for label, score in zip(labels, scores, strict=True) if label == good)
        for good in (True, False)
    }


def _successes(cases: TokenizedPreferences) -> int:
    return sum(case.good for (case,) in cases.rows)
