"""The loss of SFT: TRL's trainer, with a weight per token.

    loss of a step = sum(weights x -log p) / sum(loss_denominator)

The sums are over all batches of a step and all processes, so batch size 4 and batch size 1
accumulated four times are one computation.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from datasets import Dataset
from torch.utils.data import Sampler
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling, SFTTrainer
from trl.trainer.utils import pad

from trainer.training.length_sampler import LengthGroupedSampler
from trainer.training.lm_head import score_labelled_only


class WeightedCollator(DataCollatorForLanguageModeling):
    """TRL's collator, with `weights`, (rows, positions), and `loss_denominator`, (rows).

    With `padding_free`, the rows are packed: they become one row, whose positions restart at each
    sequence.
    """

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """Return a batch."""
        batch: dict[str, Any] = super().torch_call(examples)
        weights = [torch.tensor(example["weights"], dtype=torch.float32) for example in examples]
        if self.padding_free:
            weights = [torch.cat(weights)]
        batch["weights"] = pad(weights, padding_value=0, padding_side="right")
        batch["loss_denominator"] = torch.tensor([one["loss_denominator"] for one in examples])
        return batch


class WeightedTrainer(SFTTrainer):
    """TRL's trainer, for rows as `loss_weights.columns` makes them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        score_labelled_only(self.model)

    def compute_loss(
        self,
        model: Callable[..., Any],
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Return TRL's loss, on log-probabilities that are weighted first."""
        weights = inputs.pop("weights")[:, 1:]
        denominator = inputs.pop("loss_denominator")

        def weighted(**kwargs: Any) -> Any:
            out = model(**kwargs)
            out.log_probs = out.log_probs * weights
            return out

        count = num_items_in_batch
        if count is None:  # in evaluation; TRL takes it for the count of all processes
            count = denominator.sum() * self.accelerator.num_processes
        compute: Callable[..., Any] = super().compute_loss
        return compute(weighted, inputs, return_outputs, count)

    def _get_num_items_in_batch(
        self, batch_samples: list[Mapping[str, torch.Tensor]], device: torch.device
    ) -> torch.Tensor:
        sums = [batch["loss_denominator"].sum() for batch in batch_samples]
        total = torch.stack(sums).sum().to(device)
        if self.args.average_tokens_across_devices and self.args.world_size > 1:
            total = self.accelerator.gather(total).sum()
        return total

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler[int]:
        rows: Any = self.train_dataset if train_dataset is None else train_dataset
        lengths = [len(ids) for ids in rows["input_ids"]]
        return LengthGroupedSampler(lengths, self.args.per_device_train_batch_size, self.args.seed)
