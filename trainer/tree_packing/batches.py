"""Whether to pack a training, and the batches that its trainer gets.

A packed training gets groups of rows instead of rows: one group is one batch and one trie. A step
keeps about as many rows as the flags say, so that learning rate and schedule mean the same packed
or not; the number of batches per step follows from that. What changes is which rows share a step:
rows with a common prefix go together, at most half of a step's rows in one group.
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
"""`auto` packs from this ratio on: tokens in rows per computed token."""


@dataclass(frozen=True, slots=True)
class Packing:
    """How to pack the rows of a training.

    Attributes:
        groups: Indices of the rows that are packed together.
        ratio: Tokens in rows per computed token.
        accumulation: Groups per step.
        reason: Why rows are not packed; "" if they are.
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
        """One line for the user."""
        if not self.packed:
            return f"tree packing is off: {self.reason}"
        return f"tree packing: {self.ratio:.2f} tokens of rows per computed token"

    @property
    def flags(self) -> dict[str, Any]:
        """TRL's flags that packing sets; for TRL, a group is one row."""
        if not self.packed:
            return {}
        return {
            "per_device_train_batch_size": 1,
            "gradient_accumulation_steps": self.accumulation,
        }

    def grouped(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return `rows` as the trainer gets them: if packed, each column holds a list per group."""
        if not self.packed:
            return [dict(row) for row in rows]
        return [
            {name: [rows[number][name] for number in group] for name in rows[group[0]]}
            for group in self.groups
        ]


def checked(mode: str) -> Mode:
    """Return the value of --tree-packing.

    Raises:
        TrainerError: It is not auto, on or off.
    """
    for known in get_args(Mode):
        if mode == known:
            found: Mode = known
            return found
    raise TrainerError(f"--tree-packing {mode}: use auto, on or off")


def declined(mode: Mode, model: PreTrainedModel, longest: int) -> str:
    """Return why rows that share prefixes are not packed; "" if they are.

    Args:
        mode: The value of --tree-packing.
        model: The model to train.
        longest: Tokens of the longest row.

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
    """Return whether to pack the batches as they are, as those of preference pairs.

    If not, the user is told why.

    Args:
        tree_packing: The flag.
        model: The model to train.
        longest: Tokens of the longest row.

    Raises:
        TrainerError: The flag has no such value, or is on and the model cannot be packed.
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
    """Decide how to pack `rows`.

    Args:
        mode: The value of --tree-packing.
        model: The model to train.
        rows: Token ids.
        budget: Maximum distinct tokens per group (a batch's memory).
        step: Rows per step of one process: its batch size times its accumulation.

    Raises:
        TrainerError: `mode` is on and the model cannot be packed.
    """
    if mode == "off":
        return Packing([], reason=OFF)
    # At most half of a step's rows; with several processes each needs a group of its own.
    most = step // 2 if distributed.world_size() == 1 else step
    groups = split(rows, budget, most=max(most, 1))
    ratio = sum(map(len, rows)) / distinct(rows, groups)
    if mode == "auto" and ratio < WORTH:
        return Packing([], reason="the rows share no prefix that is worth it")
    if reason := declined(mode, model, max(map(len, rows))):
        return Packing([], reason=reason)
    return Packing(groups, ratio, max(round(step * len(groups) / len(rows)), 1))


def attach(packing: Packing, trainer: Trainer) -> None:
    """Make a TRL trainer take the groups of `packing`: change its collator and its model."""
    if not packing.packed:
        return
    model: Any = trainer.model
    install(model)
    collate: Collator = trainer.data_collator
    trainer.data_collator = partial(_collate, collate)


def _collate(collate: Collator, examples: list[dict[str, Any]]) -> dict[str, Any]:
    """Collate the rows of groups; plain rows, as of a held-out set, are collated as they are."""
    return collate([row for example in examples for row in _rows(example)])


def _rows(example: dict[str, Any]) -> list[dict[str, Any]]:
    if not isinstance(example["input_ids"][0], list):
        return [example]
    number = len(example["input_ids"])
    return [{name: values[row] for name, values in example.items()} for row in range(number)]
