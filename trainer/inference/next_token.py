"""What a decoder draws from: the logits of the next token, for sequences in slots.

One model gives them (`CachedModel`), or several together (`trainer.inference.eft`).
"""

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Protocol, Self

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainer.errors import TrainerError
from trainer.inference.kv_cache import ATTENTION, SlotCache, unsupported
from trainer.runtime import hardware
from trainer.runtime.loading import load


class NextToken(Protocol):
    """Gives logits of the next token, and keeps what it has read in slots.

    Attributes:
        tokenizer: The tokenizer, with the chat template for requests.
        slots: Sequences at once.
        context: Maximum tokens per slot.
        ends: Token ids that end a reply, by the model's configuration.
        fingerprint: 12 hex digits of what decides the replies.
    """

    tokenizer: PreTrainedTokenizerBase
    slots: int
    context: int
    ends: frozenset[int]
    fingerprint: str

    def logits(
        self, first: int, ids: Sequence[Sequence[int]], positions: torch.Tensor, visible: int
    ) -> torch.Tensor:
        """Read tokens; return the logits after each row's last, (rows, vocabulary), in float32.

        Args:
            first: The slot of the first row; the other rows follow.
            ids: Token ids of each row, equally many.
            positions: (rows, tokens), the position of each token in its slot; -1 in idle rows.
            visible: Positions that the longest of these rows holds afterwards.
        """

    def copy(self, source: int, to: int, length: int) -> None:
        """Copy the first `length` positions of slot `source` to slot `to`."""


class CachedModel:
    """A model with keys and values for each slot; see `NextToken`."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        slots: int,
        context: int,
    ) -> None:
        """Move the model, which was loaded with `ATTENTION`, to the GPU if there is one."""
        self.tokenizer, self.slots, self.context = tokenizer, slots, context
        self.ends = own_ends(model)
        self.fingerprint = _fingerprint(model, tokenizer.chat_template)
        self._model = model
        self._cache = SlotCache(slots)
        torch.nn.Module.to(model, hardware.device())

    @classmethod
    def load(cls, name: str, *, slots: int, context: int, dtype: torch.dtype) -> Self:
        """Load a model.

        Args:
            name: A directory, a hub id, or "smollm2".
            slots: Sequences at once.
            context: Maximum tokens per slot; fewer where the model takes fewer.
            dtype: Type of the weights.

        Raises:
            TrainerError: The model cannot be loaded, or not be run with this cache.
        """
        model, tokenizer = load(name, dtype, ATTENTION)
        context = min(context, getattr(model.config, "max_position_embeddings", context))
        if reason := unsupported(model.config, context):
            raise TrainerError(f"{name}: {reason}; serve it with vLLM and pass --base-url")
        return cls(model, tokenizer, slots=slots, context=context)

    def logits(
        self, first: int, ids: Sequence[Sequence[int]], positions: torch.Tensor, visible: int
    ) -> torch.Tensor:
        """Read tokens; see `NextToken`."""
        device = self._model.device
        positions = positions.to(device)
        mask = self._cache.plan_forward(first, positions, visible)
        out = self._model(
            input_ids=torch.tensor(ids, device=device),
            attention_mask=mask,
            position_ids=positions.clamp(min=0),
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return torch.as_tensor(out.logits[:, -1]).float()

    def copy(self, source: int, to: int, length: int) -> None:
        """Copy a slot; see `NextToken`."""
        self._cache.copy(source, to, length)


def own_ends(model: PreTrainedModel) -> frozenset[int]:
    """Return the token ids that end a reply by the model's generation config."""
    config = model.generation_config
    ends = config.eos_token_id if config is not None else None
    return frozenset(
        int(id) for id in (ends if isinstance(ends, list) else [ends]) if id is not None
    )


def _fingerprint(model: PreTrainedModel, chat_template: object) -> str:
    """Return 12 hex digits of what decides the replies: weights, their type, the chat template."""
    digest = sha256(json.dumps([str(model.dtype), str(chat_template)]).encode())
    for name, weight in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(weight.contiguous().view(torch.uint8).numpy())
    return digest.hexdigest()[:12]
