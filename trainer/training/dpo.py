"""Direct preference optimisation (Rafailov et al. 2023, arXiv:2305.18290) of a student on pairs:
TRL's DPOTrainer, with log-probabilities of what the agent wrote and of nothing else.

The reference's log-probabilities are computed once, before the first step, and kept beside the
rows: no second model is in memory, with LoRA or without.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from datasets import Dataset  # type: ignore[import-untyped]
from torch.utils.data import Sampler
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DataCollatorForPreference, DPOTrainer
from trl.trainer.utils import pad

from trainer.data.preferences import Files, PreTokenized, gather, read_pairs, tables
from trainer.errors import TrainerError
from trainer.training.length_sampler import Order
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

LOSSES = ("sigmoid", "ipo")


@dataclass(frozen=True, slots=True)
class Options(Training):
    """Flags of `trainer dpo`; see `Training` for those of every command.

    beta: how strongly the student is held to the reference; IPO's tau.   loss_type: sigmoid
    (DPO), or ipo (Azar et al. 2023, arXiv:2310.12036), on means over the agent's tokens.
    sft_weight: of the negative log-likelihood of chosen, added to the loss (RPO: Pang et al.
    2024, arXiv:2404.19733).
    """

    beta: float = 0.1
    loss_type: str = "sigmoid"
    sft_weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Summary(TrainingSummary):
    """rows: pairs read.   tokens, scored_tokens: of one epoch.   accuracy: the share of the last
    logged steps' pairs of which chosen has the higher reward; margin: by how much, in
    log-probability times beta."""

    rows: int
    used: int
    dropped: Mapping[str, int]
    tokens: int
    scored_tokens: int
    accuracy: float
    margin: float


class MaskedCollator(DataCollatorForPreference):
    """TRL's collator, with masks that count what the agent wrote only."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super().torch_call(examples)
        masks = [
            torch.tensor([0] * len(example["prompt_ids"]) + example[f"{half}_mask"])
            for half in ("chosen", "rejected")
            for example in examples
        ]
        batch["completion_mask"] = pad(masks, padding_value=0, padding_side="right")
        return batch


class MaskedDPOTrainer(OwnRows, DPOTrainer):
    """Takes rows as `columns` makes them."""

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler[int]:
        rows: Any = self.train_dataset if train_dataset is None else train_dataset
        halves = [rows["prompt_ids"], rows["chosen_ids"], rows["rejected_ids"]]
        lengths = [len(prompt) + max(len(a), len(b)) for prompt, a, b in zip(*halves, strict=True)]
        return Order(lengths, self.args.per_device_train_batch_size, self.args.seed)


def dpo(options: Options) -> Summary:
    """Train, and write the model.

    Raises:
        TrainerError: something that the user can mend, before anything is written.
    """
    if options.loss_type not in LOSSES:
        raise TrainerError(f"--loss_type {options.loss_type}: use {' or '.join(LOSSES)}")
    student = open_model(options, "dpo")
    pairs = gather(options, student, read_pairs)
    trainer = build(options, student, pairs)
    ran = run(trainer, options, student.renderer, "dpo")
    return _summary(options, pairs.train, ran)


def build(options: Options, student: LoadedModel, pairs: Files) -> MaskedDPOTrainer:
    """TRL's trainer over `pairs`, ready to train: the reference's columns are computed here.

    Raises:
        TrainerError: a flag has a value that TRL refuses.
    """
    tokenizer = student.renderer.tokenizer
    longest = max(
        len(half.prompt) + len(half.completion) for row in pairs.train.rows for half in row[:2]
    )
    packed = alike(options.tree_packing, student.model, longest)
    train, held_out = tables(pairs, columns)
    both = [options.loss_type, "sft"], [1.0, options.sft_weight]
    types, weights = both if options.sft_weight else ([options.loss_type], [1.0])
    with flags_checked():
        trainer = MaskedDPOTrainer(
            student.model,
            args=DPOConfig(
                **arguments(options, len(pairs.train.rows)),
                beta=options.beta,
                loss_type=types,
                loss_weights=weights,
                precompute_ref_log_probs=True,
            ),
            data_collator=MaskedCollator(tokenizer.pad_token_id),
            train_dataset=train,
            eval_dataset=held_out,
            processing_class=tokenizer,
            peft_config=lora(options),
            callbacks=callbacks(options),
        )
    complete(trainer, packed, ("ref_chosen_logps", "ref_rejected_logps"))
    return trainer


def columns(pairs: PreTokenized) -> dict[str, list[Any]]:
    """The columns that the trainer is given, a row for each pair; masks are of completions."""
    chosen, rejected = ([row[at] for row in pairs.rows] for at in (0, 1))
    return {
        "prompt_ids": [half.prompt for half in chosen],
        "chosen_ids": [half.completion for half in chosen],
        "rejected_ids": [half.completion for half in rejected],
        "chosen_mask": [half.mask for half in chosen],
        "rejected_mask": [half.mask for half in rejected],
    }


def _summary(options: Options, pairs: PreTokenized, ran: TrainingResult) -> Summary:
    last = {
        name: (ran.figures(f"rewards/{name}") or [float("nan")])[-1]
        for name in ("accuracies", "margins")
    }
    return Summary(
        rows=pairs.read,
        used=len(pairs.rows),
        dropped=dict(pairs.dropped),
        tokens=pairs.tokens,
        scored_tokens=pairs.scored,
        accuracy=last["accuracies"],
        margin=last["margins"],
        output_dir=str(options.output_dir),
        **ran.summary(),
    )
