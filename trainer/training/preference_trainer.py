"""What DPO and KTO share: their data, and the reference's log-probabilities.

The reference is the student as it was before the first step; with LoRA it is the student without
its adapter. Its log-probabilities are computed once and kept as columns beside the rows, so that
only the student is in memory. A reference that moves (`moving_reference`) starts with them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from datasets import Dataset
from torch.utils.data import DataLoader
from trl.models.utils import prepare_deepspeed

from trainer.data.preferences import Preference, TokenizedPreferences, load_preferences
from trainer.data.row_check import RowCheck
from trainer.data.row_source import RowSource
from trainer.training.lm_head import score_labelled_only
from trainer.training.options import TrainingOptions
from trainer.training.run import LoadedModel, row_check
from trainer.tree_packing.forward import install

Columns = dict[str, list[Any]]


@dataclass(frozen=True, slots=True)
class PreferenceData:
    """What a run trains on, and what it is evaluated on.

    Attributes:
        train: The rows of --dataset.
        held_out: The rows of --eval-dataset.
    """

    train: TokenizedPreferences
    held_out: TokenizedPreferences | None = None

    def tables(
        self, columns: Callable[[TokenizedPreferences], Columns]
    ) -> tuple[Dataset, Dataset | None]:
        """Return the data sets for TRL, `train` and `held_out`."""
        held_out = Dataset.from_dict(columns(self.held_out)) if self.held_out else None
        return Dataset.from_dict(columns(self.train)), held_out


def gather(
    options: TrainingOptions,
    student: LoadedModel,
    read: Callable[[RowSource], Iterable[Preference]],
) -> PreferenceData:
    """Read and tokenise the rows to train on, and those held out.

    Raises:
        TrainerError: A file cannot be used, or nothing is left of it.
    """
    load = partial(
        load_preferences,
        read=read,
        renderer=student.renderer,
        max_length=student.max_length,
    )
    measured = RowCheck(options.allow_test_split)
    held_out = None if options.eval_dataset is None else load(options.eval_dataset, check=measured)
    return PreferenceData(load(options.dataset, check=row_check(options)), held_out)


class PreTokenizedMixin:
    """Makes a trainer of TRL's take rows as they are, and the reference from `finish_setup`."""

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        return dataset

    def _precompute_ref_logps(self, dataset: Dataset, name: str, batch_size: int) -> Dataset:
        return dataset  # too early: the head is not narrowed yet, and nothing is packed


def finish_setup(trainer: Any, packed: bool, names: Sequence[str]) -> None:
    """Make a new trainer ready to train, with a column per figure of `compute_ref_log_probs`.

    TRL's own `_precompute_ref_logps` passes the columns on in a cache file, which the other
    processes of a run do not find.

    Args:
        trainer: A trainer of TRL's, of DPO or KTO.
        packed: Whether to compute shared prefixes once.
        names: The names of the reference's columns.
    """
    for model in filter(None, (trainer.model, trainer.ref_model)):
        score_labelled_only(model)
        if packed:
            install(model)
    with _runnable(trainer) as model:
        trainer.train_dataset = _with_reference(trainer, model, trainer.train_dataset, names)
        if trainer.eval_dataset is not None:
            trainer.eval_dataset = _with_reference(trainer, model, trainer.eval_dataset, names)


@contextmanager
def _runnable(trainer: Any) -> Iterator[Any]:
    """Yield the student as it can be run before training has begun.

    With DeepSpeed it is not on its device yet, and with ZeRO-3 it is partitioned, so it needs an
    engine. The engine of the training is made later and has its own hooks.
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
