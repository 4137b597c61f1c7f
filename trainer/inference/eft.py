"""Emulated fine-tuning: a base model, with what tuning changed in another one.

Mitchell et al. 2023, arXiv:2310.12962: log p = log p_base + beta (log p_tuned - log p_untuned),
up to a constant. With a small tuned model and a large base it emulates tuning the large one.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Self

import torch
from transformers import PreTrainedTokenizerBase

from trainer.errors import TrainerError
from trainer.inference.next_token import CachedModel
from trainer.runtime.loading import load_tokenizer
from trainer.tokens.comparison import difference
from treegraft.ranges import check_ranges


@dataclass(frozen=True, slots=True)
class Eft:
    """What to add to a base model.

    Attributes:
        tuned: A tuned model: a directory, a hub id, or "smollm2".
        untuned: The model that it was tuned from.
        beta: How much of the difference to add; 0 for none.
    """

    tuned: str
    untuned: str
    beta: float = field(default=1.0, metadata={"min": 0, "flag": "eft-beta"})

    def __post_init__(self) -> None:
        check_ranges(self)

    @classmethod
    def parse(cls, pair: str, beta: float) -> Self | None:
        """Return what --eft TUNED:UNTUNED and --eft-beta ask for; None without --eft.

        Raises:
            TrainerError: `pair` is not two names, or there is only a beta.
            UsageError: `beta` is out of its range.
        """
        if not pair and beta != 1:
            raise TrainerError("--eft-beta has no effect without --eft")
        if not pair:
            return None
        tuned, colon, untuned = pair.partition(":")
        if not (tuned and untuned) or ":" in untuned:
            raise TrainerError(
                f"--eft {pair}: must be TUNED:UNTUNED, two models without a colon in their names"
            )
        return cls(tuned, untuned, beta)


class EmulatedTuning:
    """Three models as one; see `trainer.inference.next_token.NextToken`.

    Requests are rendered with the tuned model's chat template, and replies end where the base's
    or the tuned model's do. A model that stands for two of the three is loaded and run once.
    """

    def __init__(
        self, base: CachedModel, tuned: CachedModel, untuned: CachedModel, beta: float
    ) -> None:
        """Join models whose tokenizers are equal; see `check_tokenizers`."""
        self._base, self._tuned, self._untuned, self._beta = base, tuned, untuned, beta
        self._models = list(dict.fromkeys((base, tuned, untuned)))
        # Models of one family pad their vocabularies to different sizes.
        self._tokens = max(tuned.tokenizer.get_vocab().values()) + 1
        self.tokenizer, self.slots = tuned.tokenizer, base.slots
        self.context = min(model.context for model in self._models)
        self.ends = base.ends | tuned.ends
        parts = [base.fingerprint, tuned.fingerprint, untuned.fingerprint, beta]
        self.fingerprint = sha256(json.dumps(parts).encode()).hexdigest()[:12]

    @classmethod
    def load(cls, base: str, eft: Eft, *, slots: int, context: int, dtype: torch.dtype) -> Self:
        """Load the models; the arguments are those of `CachedModel.load`.

        Raises:
            TrainerError: A model cannot be loaded or run, or their tokenizers differ.
        """
        names = base, eft.tuned, eft.untuned
        check_tokenizers({name: load_tokenizer(name) for name in names})
        loaded = {
            name: CachedModel.load(name, slots=slots, context=context, dtype=dtype)
            for name in dict.fromkeys(names)
        }
        return cls(loaded[base], loaded[eft.tuned], loaded[eft.untuned], eft.beta)

    def logits(
        self, first: int, ids: Sequence[Sequence[int]], positions: torch.Tensor, visible: int
    ) -> torch.Tensor:
        """Read tokens with each model; see `NextToken`. Padding has no logits."""
        given = {model: model.logits(first, ids, positions, visible) for model in self._models}
        size = min(self._tokens, *(each.shape[-1] for each in given.values()))
        base, tuned, untuned = (
            given[model][:, :size] for model in (self._base, self._tuned, self._untuned)
        )
        # What normalises each distribution is the same for all tokens, so logits will do.
        return base + self._beta * (tuned - untuned)

    def copy(self, source: int, to: int, length: int) -> None:
        """Copy a slot of each model; see `NextToken`."""
        for model in self._models:
            model.copy(source, to, length)


def check_tokenizers(tokenizers: dict[str, PreTrainedTokenizerBase]) -> None:
    """Check that models have one vocabulary and the same special tokens.

    Args:
        tokenizers: By the model's name; the first is compared with the others.

    Raises:
        TrainerError: They differ; says how.
    """
    (first, base), *others = tokenizers.items()
    for name, other in others:
        if shown := difference(base, other):
            raise TrainerError(
                f"--eft needs models with one tokenizer; of {first} and {name}: {shown}"
            )
