"""TRL's DPOTrainer for a plain TRL script, with log-probabilities of only what the agent wrote.

    trainer = MaskedDPOTrainer(model, args=DPOConfig(...), train_dataset=pairs)

It takes the rows that TRL takes, and others of docs/data.md. TRL counts each token after the
prompt: tool output and what users say, too. `trainer dpo` counts as this trainer does, and has
more: weights of pairs, shared prefixes, a reference that moves.
"""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
from datasets import Dataset, IterableDataset
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DataCollatorForPreference, DPOTrainer
from trl.trainer.utils import pad

from trainer.data.preferences import Preference, TokenizedPreferences, load_preferences, read_pairs
from trainer.data.row_source import RowSource, in_memory
from trainer.errors import TrainerError
from trainer.tokens.chat_template import ChatTemplate

_SIDES = ("chosen", "rejected")
_MASKS = ("chosen_mask", "rejected_mask")


class MaskedPreferenceCollator(DataCollatorForPreference):
    """TRL's collator of pairs, with masks that count only what the agent wrote.

    Its examples have the columns of `preference_columns`.
    """

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """Return a batch, chosen halves first."""
        batch: dict[str, Any] = super().torch_call(examples)
        masks = [
            torch.tensor([0] * len(example["prompt_ids"]) + example[f"{side}_mask"])
            for side in _SIDES
            for example in examples
        ]
        batch["completion_mask"] = pad(
            masks,
            padding_value=0,
            padding_side="right",
            pad_to_multiple_of=self.pad_to_multiple_of,
        )
        return batch


class MaskedDPOTrainer(DPOTrainer):
    """TRL's DPOTrainer that scores only the assistant's tokens in chosen and rejected.

    Its arguments are TRL's. A row with a half of more than `max_length` tokens is left out, and
    said so: cut, it would be another preference. A reply of weight 0 is context.

    Raises:
        TrainerError: A data set is streamed, or nothing is left of it; or the chat template
            refuses a row.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # TRL makes its collator before the first use of it, and computes the reference with it.
        self._collator: MaskedPreferenceCollator | None = None
        super().__init__(*args, **kwargs)

    @property
    def data_collator(self) -> Any:
        """The collator: TRL's is replaced, one of your own is kept."""
        return self._collator

    @data_collator.setter
    def data_collator(self, given: Any) -> None:
        if type(given) is DataCollatorForPreference:
            given = MaskedPreferenceCollator(
                given.pad_token_id, pad_to_multiple_of=given.pad_to_multiple_of
            )
        self._collator = given

    def _prepare_dataset(
        self, dataset: Any, processing_class: Any, args: DPOConfig, dataset_name: str
    ) -> Dataset:
        if isinstance(dataset, IterableDataset):
            raise TrainerError(
                f"MaskedDPOTrainer: the {dataset_name} data set is streamed; load it whole"
            )
        pairs = load_preferences(
            in_memory(dataset),
            read_pairs,
            ChatTemplate(processing_class),
            args.max_length or sys.maxsize,
            _all,
        )
        return Dataset.from_dict(preference_columns(pairs))

    def _set_signature_columns_if_needed(self) -> None:
        settle: Callable[[], None] = super()._set_signature_columns_if_needed
        settle()
        this: Any = self  # transformers does not say that the columns are a list
        columns = this._signature_columns
        this._signature_columns = [*columns, *(name for name in _MASKS if name not in columns)]


def preference_columns(pairs: TokenizedPreferences) -> dict[str, list[Any]]:
    """Return the columns of a data set for the collator, one row per pair.

    The masks are of the completions.
    """
    chosen, rejected = ([row[at] for row in pairs.rows] for at in (0, 1))
    return {
        "prompt_ids": [half.prompt for half in chosen],
        "chosen_ids": [half.completion for half in chosen],
        "rejected_ids": [half.completion for half in rejected],
        "chosen_mask": [half.mask for half in chosen],
        "rejected_mask": [half.mask for half in rejected],
    }


def _all(rows: Sequence[Preference], _: RowSource) -> tuple[Sequence[Preference], Counter[str]]:
    """Leave out nothing: which rows to train on is the script's choice."""
    return rows, Counter()
