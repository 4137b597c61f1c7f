"""The order in which rows are trained on.

It depends on seed and epoch alone, so a resumed run sees the rows that it would have seen
uninterrupted. transformers' `group_by_length` draws from the global random state instead, and
serves the batches of each pool in order of length.
"""

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler

_POOL = 50
"""Batches whose rows are sorted by length together (as in transformers)."""


class LengthGroupedSampler(Sampler[int]):
    """Row numbers in random order; rows of similar length share a batch, in random order too.

    That leaves little padding, which costs as much as text.
    """

    def __init__(self, lengths: Sequence[int], batch: int, seed: int) -> None:
        self.lengths = list(lengths)
        self.batch, self.seed, self.epoch = batch, seed, 0

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch)
        order = _shuffled(range(len(self)), generator)
        if self.batch == 1:
            yield from order
            return
        pool = self.batch * _POOL
        batches: list[list[int]] = []
        for start in range(0, len(order), pool):
            alike = sorted(order[start : start + pool], key=lambda row: -self.lengths[row])
            batches += [alike[at : at + self.batch] for at in range(0, len(alike), self.batch)]
        # Only the last batch may be short: the loader cuts the order every `batch` rows.
        whole = [batch for batch in batches if len(batch) == self.batch]
        rest = [batch for batch in batches if len(batch) < self.batch]
        for number in _shuffled(range(len(whole)), generator):
            yield from whole[number]
        for batch in rest:
            yield from batch

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch; accelerate calls this before each one."""
        self.epoch = epoch


def _shuffled(numbers: range, generator: torch.Generator) -> list[int]:
    return [numbers[at] for at in torch.randperm(len(numbers), generator=generator).tolist()]
