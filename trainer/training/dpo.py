"""Direct preference optimisation (Rafailov et al. 2023, arXiv:2305.18290) of a student on pairs.

TRL's DPOTrainer, with log-probabilities of only what the agent wrote.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from datasets import Dataset
from torch.utils.data import Sampler
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DataCollatorForPreference, DPOTrainer
from trl.trainer.utils import pad

from trainer.data.preferences import TokenizedPreferences, read_pairs
from trainer.training.length_sampler import LengthGroupedSampler
from trainer.training.options import DpoOptions
from trainer.training.output import claim
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
from trainer.training.trl_config import lora_config, trl_arguments
from trainer.tree_packing.batches import alike


@dataclass(frozen=True, slots=True)
class DpoSummary(TrainingSummary):
    """What DPO reports.

    Attributes:
        rows: Pairs read.
        used: Pairs trained on.
        dropped: Pairs left out, by reason.
        tokens: Tokens of one epoch.
        scored_tokens: Those of them that the agent wrote.
        accuracy: Share of pairs whose chosen half has the higher reward, in the last log entry.
        margin: By how much, in log-probability times beta.
    """

    rows: int
    used: int
    dropped: Mapping[str, int]
    tokens: int
    scored_tokens: int
    accuracy: float
    margin: float


class MaskedCollator(DataCollatorForPreference):
    """TRL's collator, with masks that count only what the agent wrote."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """Return a batch, chosen halves first."""
        batch: dict[str, Any] = super().torch_call(examples)
        masks = [
            torch.tensor([0] * len(example["prompt_ids"]) + example[f"{half}_mask"])
            for half in ("chosen", "rejected")
            for example in examples
        ]
        batch["completion_mask"] = pad(masks, padding_value=0, padding_side="right")
        return batch


class MaskedDPOTrainer(PreTokenizedMixin, DPOTrainer):
    """TRL's trainer, for rows as `columns` makes them."""

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler[int]:
        rows: Any = self.train_dataset if train_dataset is None else train_dataset
        halves = [rows["prompt_ids"], rows["chosen_ids"], rows["rejected_ids"]]
        lengths = [len(prompt) + max(len(a), len(b)) for prompt, a, b in zip(*halves, strict=True)]
        return LengthGroupedSampler(lengths, self.args.per_device_train_batch_size, self.args.seed)


def dpo(options: DpoOptions) -> DpoSummary:
    """Train, and write the model.

    Raises:
        TrainerError: A flag, a file or the model cannot be used; nothing was written.
    """
    output = claim(options, "dpo")
    student = open_model(options)
    pairs = gather(options, student, read_pairs)
    trainer = build(options, student, pairs)
    result = run(trainer, student, output)
    last = {
        name: (result.figures(f"rewards/{name}") or [float("nan")])[-1]
        for name in ("accuracies", "margins")
    }
    return DpoSummary(
        **pairs.train.counts(),
        accuracy=last["accuracies"],
        margin=last["margins"],
        **result.summary(),
    )


def build(options: DpoOptions, student: LoadedModel, pairs: PreferenceData) -> MaskedDPOTrainer:
    """Return TRL's trainer, ready to train; this computes the reference's log-probabilities.

    Raises:
        TrainerError: TRL refuses the value of a flag.
    """
    tokenizer = student.renderer.tokenizer
    longest = max(half.tokens for row in pairs.train.rows for half in row)
    packed = alike(options.tree_packing, student.model, longest)
    student.settle_attention(packed)
    train, held_out = pairs.tables(columns)
    losses: dict[str, float] = {options.loss_type: 1.0}
    if options.sft_weight:
        losses["sft"] = options.sft_weight
    with flags_checked():
        trainer = MaskedDPOTrainer(
            student.model,
            args=DPOConfig(
                **trl_arguments(options, len(train)),
                beta=options.beta,
                loss_type=list(losses),
                loss_weights=list(losses.values()),
                precompute_ref_log_probs=True,
            ),
            data_collator=MaskedCollator(tokenizer.pad_token_id),
            train_dataset=train,
            eval_dataset=held_out,
            processing_class=tokenizer,
            peft_config=lora_config(options),
            callbacks=callbacks(options.output_dir, options.early_stopping_patience),
        )
    finish_setup(trainer, packed, ("ref_chosen_logps", "ref_rejected_logps"))
    return trainer


def columns(pairs: TokenizedPreferences) -> Columns:
    """Return the columns of the trainer's data set, one row per pair; masks are of completions."""
    chosen, rejected = ([row[at] for row in pairs.rows] for at in (0, 1))
    return {
        "prompt_ids": [half.prompt for half in chosen],
        "chosen_ids": [half.completion for half in chosen],
        "rejected_ids": [half.completion for half in rejected],
        "chosen_mask": [half.mask for half in chosen],
        "rejected_mask": [half.mask for half in rejected],
    }
