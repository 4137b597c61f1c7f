"""The loss of SFT: TRL's trainer, with a weight for every token.

    loss of a step = sum(weights x -log p) / sum(items)

over all batches that are accumulated and all processes, so that batch 4 and batch 1 accumulated
four times are one computation.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from datasets import Dataset  # type: ignore[import-untyped]
from torch.utils.data import Sampler
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling, SFTTrainer
from trl.trainer.utils import pad

from trainer.training.length_sampler import Order
from trainer.training.lm_head import score_labelled_only


class WeightedCollator(DataCollatorForLanguageModeling):
    """TRL's collator, with `weights`, (rows, positions), and `items`, (rows), in the batch.

    padding_free: the rows are packed; they become one row, whose positions start anew at each
    sequence.
    """

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super().torch_call(examples)
        weights = [torch.tensor(example["weights"], dtype=torch.float32) for example in examples]
        if self.padding_free:
            weights = [torch.cat(weights)]
        batch["weights"] = pad(weights, padding_value=0, padding_side="right")
        batch["items"] = torch.tensor([example["items"] for example in examples])
        return batch


class WeightedTrainer(SFTTrainer):
    """Takes rows as `weights.columns` makes them."""

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
        """TRL's own, on log-probabilities that are weighted first."""
        weights, items = inputs.pop("weights")[:, 1:], inputs.pop("items")

        def weighted(**given: Any) -> Any:
            out = model(**given)
            out.log_probs = out.log_probs * weights
            return out

        counted = num_items_in_batch
        if counted is None:  # in evaluation: TRL takes the count for that of all processes
            counted = items.sum() * self.accelerator.num_processes
        own: Callable[..., Any] = super().compute_loss
        return own(weighted, inputs, return_outputs, counted)

    def _get_num_items_in_batch(
        self, batch_samples: list[Mapping[str, torch.Tensor]], device: torch.device
    ) -> torch.Tensor:
        items = torch.stack([batch["items"].sum() for batch in batch_samples]).sum().to(device)
        if self.args.average_tokens_across_devices and self.args.world_size > 1:
            items = self.accelerator.gather(items).sum()
        return items

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler[int]:
        rows: Any = self.train_dataset if train_dataset is None else train_dataset
        lengths = [len(ids) for ids in rows["input_ids"]]
        return Order(lengths, self.args.per_device_train_batch_size, self.args.seed)
