"""Whether a training is packed, and the batches that its trainer gets then.

A packed training is given groups of rows in place of rows: one group is one batch and one trie.
The rows of a step stay about as many as the flags say, so that learning rate and schedule mean the
same packed or not; the batches that a step takes follow from that. What changes is which rows meet
in a step: those that share go together, at most half of a step's rows at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

from transformers import PreTrainedModel, Trainer

from trainer.errors import TrainerError
from trainer.runtime import distributed
from trainer.tree_packing.forward import install
from trainer.tree_packing.grouping import Groups, distinct, split
from trainer.tree_packing.supported import refusal

Collator = Callable[[list[dict[str, Any]]], dict[str, Any]]
Mode = Literal["auto", "on", "off"]
OFF = "--tree-packing off"
WORTH = 1.05
"""Tokens in rows for one that is computed, from which on `auto` packs."""


@dataclass(frozen=True, slots=True)
class Packing:
    """groups: numbers of rows that are packed together.
    ratio: tokens in rows for one that is computed.
    accumulation: groups of a step.   reason: why rows are not packed, "" where they are.
    """

    groups: Groups
    ratio: float = 1.0
    accumulation: int = 1
    reason: str = ""

    @property
    def packed(self) -> bool:
        """Whether a batch is a group."""
        return not self.reason

    @property
    def summary(self) -> str:
        """For the user."""
        if not self.packed:
            return f"tree packing is off: {self.reason}"
        return f"tree packing: {self.ratio:.2f} tokens of rows for one that is computed"

    @property
    def flags(self) -> dict[str, Any]:
        """TRL's flags that packing sets: to it, a group is one row."""
        if not self.packed:
            return {}
        return {
            "per_device_train_batch_size": 1,
            "gradient_accumulation_steps": self.accumulation,
        }

    def grouped(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """`rows` as the trainer gets them: columns of values, packed columns of lists of values."""
        if not self.packed:
            return [dict(row) for row in rows]
        return [
            {name: [rows[number][name] for number in group] for name in rows[group[0]]}
            for group in self.groups
        ]


def checked(mode: str) -> Mode:
    """The value of --tree-packing.

    Raises:
        TrainerError: there is no such one.
    """
    for known in get_args(Mode):
        if mode == known:
            found: Mode = known
            return found
    raise TrainerError(f"--tree-packing {mode}: use auto, on or off")


def declined(mode: Mode, model: PreTrainedModel, longest: int) -> str:
    """Why batches whose rows do share prefixes (a pair's halves) are not packed; "" if they are.

    longest: tokens of the longest row.

    Raises:
        TrainerError: `mode` is on and the model cannot be packed.
    """
    if mode == "off":
        return OFF
    reason = refusal(model, longest)
    if not reason:
        return ""
    if mode == "on":
        raise TrainerError(f"--tree-packing on: the model cannot be packed: {reason}")
    return f"the model cannot be packed: {reason}"


def alike(tree_packing: str, model: PreTrainedModel, longest: int) -> bool:
    """Whether to pack batches as they are, whose rows begin alike; it says why not.

    tree_packing: the flag.   longest: tokens of the longest row.

    Raises:
        TrainerError: as `checked` and `declined`.
    """
    mode = checked(tree_packing)
    reason = declined(mode, model, longest)
    if reason and mode == "auto":
        distributed.say_once(f"tree packing is off: {reason}")
    return not reason


def plan(
    mode: Mode,
    model: PreTrainedModel,
    rows: Sequence[Sequence[int]],
    *,
    budget: int,
    step: int,
) -> Packing:
    """How to pack `rows`, of token ids.

    budget: distinct tokens of a group, at most (a batch's memory).
    step: rows that a process gives to a step: its batch times its accumulation.

    Raises:
        TrainerError: `mode` is on and the model cannot be packed.
    """
    if mode == "off":
        return Packing([], reason=OFF)
    # Half of a step's rows; of several processes each needs a group of its own.
    most = step // 2 if distributed.world_size() == 1 else step
    groups = split(rows, budget, most=max(most, 1))
    ratio = sum(map(len, rows)) / distinct(rows, groups)
    if mode == "auto" and ratio < WORTH:
        return Packing([], reason="the rows share no prefix that is worth it")
    if reason := declined(mode, model, max(map(len, rows))):
        return Packing([], reason=reason)
    return Packing(groups, ratio, max(round(step * len(groups) / len(rows)), 1))


def attach(packing: Packing, trainer: Trainer) -> None:
    """Make a trainer of TRL's take the groups of `packing`: its collator and its model."""
    if not packing.packed:
        return
    model: Any = trainer.model
    install(model)
    collate: Collator = trainer.data_collator
    trainer.data_collator = partial(_collate, collate)


def _collate(collate: Collator, examples: list[dict[str, Any]]) -> dict[str, Any]:
    """Groups by a collator of rows; rows, as of a held-out set, pass as they are."""
    return collate([row for example in examples for row in _rows(example)])


def _rows(example: dict[str, Any]) -> list[dict[str, Any]]:
    if not isinstance(example["input_ids"][0], list):
        return [example]
    number = len(example["input_ids"])
    return [{name: values[row] for name, values in example.items()} for row in range(number)]
