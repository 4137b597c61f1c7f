"""In which order rows are trained on.

The order is a function of seed and epoch alone, not of how much randomness was used before: a run
that goes on from a checkpoint meets the rows that it would have met undisturbed.
"""

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler

_POOL = 50
"""Batches whose rows are sorted by length together (as transformers groups by length)."""


class Order(Sampler[int]):
    """Row numbers in random order; in batches of several, rows of like length together.

    Little padding, which costs as much as text. The batches themselves are in random order.
    """

    def __init__(self, lengths: Sequence[int], batch: int, seed: int) -> None:
        self.lengths = list(lengths)
        self.batch, self.seed, self.epoch = batch, seed, 0

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        chance = torch.Generator().manual_seed(self.seed + self.epoch)
        order = _shuffled(range(len(self)), chance)
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
        for number in _shuffled(range(len(whole)), chance):
            yield from whole[number]
        for batch in rest:
            yield from batch

    def set_epoch(self, epoch: int) -> None:
        """accelerate calls it before each epoch."""
        self.epoch = epoch


def _shuffled(numbers: range, chance: torch.Generator) -> list[int]:
    return [numbers[at] for at in torch.randperm(len(numbers), generator=chance).tolist()]
