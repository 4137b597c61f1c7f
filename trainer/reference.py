"""The reference's log-probabilities, computed once and kept as columns beside the rows.

The reference is the student as it was before the first step; with LoRA it is the student without
its adapter. Either way nothing but the student is in memory.
"""

from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset  # type: ignore[import-untyped]
from torch.utils.data import DataLoader


def add_reference(trainer: Any, names: Sequence[str]) -> None:
    """Give the data sets of `trainer` a column for each figure of `compute_ref_log_probs`.

    TRL's own `_precompute_ref_logps` hands them on in a cache file, which the other processes of
    a run do not find.

    trainer: TRL's, of DPO or KTO, of which training has not begun.
    """
    trainer.train_dataset = _with_reference(trainer, trainer.train_dataset, names)
    if trainer.eval_dataset is not None:
        trainer.eval_dataset = _with_reference(trainer, trainer.eval_dataset, names)


def _with_reference(trainer: Any, dataset: Dataset, names: Sequence[str]) -> Dataset:
    batch = trainer.args.per_device_train_batch_size
    loader = trainer.accelerator.prepare(
        DataLoader(dataset, batch_size=batch, collate_fn=trainer.data_collator)
    )
    found = [
        trainer.accelerator.gather_for_metrics(trainer.compute_ref_log_probs(trainer.model, rows))
        for rows in loader
    ]
    for at, name in enumerate(names):
        dataset = dataset.add_column(name, torch.cat([part[at] for part in found]).tolist())
    return dataset
