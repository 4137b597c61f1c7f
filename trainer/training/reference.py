"""The reference's log-probabilities, computed once and kept as columns beside the rows.

The reference is the student as it was before the first step; with LoRA it is the student without
its adapter. Either way nothing but the student is in memory.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from datasets import Dataset  # type: ignore[import-untyped]
from torch.utils.data import DataLoader
from trl.models.utils import prepare_deepspeed

from trainer.training.lm_head import score_labelled_only
from trainer.tree_packing.forward import install


class OwnRows:
    """A trainer of TRL's that takes rows as they are, and has its reference from `complete`."""

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        return dataset

    def _precompute_ref_logps(self, dataset: Dataset, name: str, batch_size: int) -> Dataset:
        return dataset  # not yet: the head is not narrowed, and nothing is packed


def complete(trainer: Any, packed: bool, names: Sequence[str]) -> None:
    """Make `trainer` ready to train.   packed: compute shared prefixes once.   names: of the
    reference's columns."""
    score_labelled_only(trainer.model)
    if packed:
        install(trainer.model)
    _add_reference(trainer, names)


def _add_reference(trainer: Any, names: Sequence[str]) -> None:
    """Give the data sets of `trainer` a column for each figure of `compute_ref_log_probs`.

    TRL's own `_precompute_ref_logps` hands them on in a cache file, which the other processes of
    a run do not find.

    trainer: TRL's, of DPO or KTO, of which training has not begun.
    """
    with _ready(trainer) as model:
        trainer.train_dataset = _with_reference(trainer, model, trainer.train_dataset, names)
        if trainer.eval_dataset is not None:
            trainer.eval_dataset = _with_reference(trainer, model, trainer.eval_dataset, names)


@contextmanager
def _ready(trainer: Any) -> Iterator[Any]:
    """The student as it can be run before training has begun.

    With DeepSpeed it is not on its device yet, and with ZeRO-3 in pieces, which only an engine
    brings together; the engine of the training, which is made later, has hooks of its own.
    """
    if not trainer.is_deepspeed_enabled:
        yield trainer.model
        return
    engine: Any = prepare_deepspeed(trainer.model, trainer.accelerator)
    yield engine
    engine.destroy()


def _with_reference(trainer: Any, model: Any, dataset: Dataset, names: Sequence[str]) -> Dataset:
    batch = trainer.args.per_device_train_batch_size
    loader = trainer.accelerator.prepare(
        DataLoader(dataset, batch_size=batch, collate_fn=trainer.data_collator)
    )
    found = [
        trainer.accelerator.gather_for_metrics(trainer.compute_ref_log_probs(model, rows))
        for rows in loader
    ]
    for at, name in enumerate(names):
        dataset = dataset.add_column(name, torch.cat([part[at] for part in found]).tolist())
    return dataset
