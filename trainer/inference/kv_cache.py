"""A KV cache with a slot per sequence, for batches that change at every token.

Rows join and leave without a copy, and a finished row can be the next one's prefix.

Limits: full causal attention only (Llama, Qwen 2 and 3, SmolLM, ...); memory is the number of
slots times the longest sequence so far.
"""

from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface, Cache, PreTrainedConfig

from trainer.runtime import hardware

ATTENTION = "treegraft_slots"
"""The name under which transformers knows `attention`."""

_GROWTH = 512  # positions


class SlotCache(Cache):
    """Keys and values: per layer two growing tensors of (slots, heads, positions, head size).

    They are float32 if attention in bfloat16 is slow here, whatever the model's type is.

    Call `plan_forward` before each forward of the model. Idle rows write to the last position of
    their slot, which is never read.
    """

    def __init__(self, slots: int) -> None:
        super().__init__(layers=[])
        self.count = slots
        self._kept: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._widened = not hardware.fast_bf16_attention(hardware.device())
        self._first, self._positions, self._visible = 0, torch.zeros(0, 0, dtype=torch.long), 0

    def plan_forward(self, first: int, positions: torch.Tensor, visible: int) -> torch.Tensor:
        """Prepare a forward over slots first, first + 1, ...

        Args:
            first: The first slot.
            positions: (rows, tokens), the position of each token in its slot; -1 in idle rows.
            visible: Positions that the longest of these rows holds after the forward.

        Returns:
            The attention mask, (rows, 1, tokens, visible): True where a token may attend.
        """
        self._first, self._positions, self._visible = first, positions, visible
        where = torch.arange(visible, device=positions.device)
        # An idle row attends to position 0: attention to nothing would be NaN.
        return (where <= positions.clamp(min=0)[:, None, :, None]).contiguous()

    def update(
        self,
        key_states: torch.Tensor,
        value_states: torch.Tensor,
        layer_idx: int,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Store a layer's new keys and values, (rows, heads, tokens, head size); see `Cache`."""
        if self._widened:
            key_states, value_states = key_states.float(), value_states.float()
        if layer_idx == len(self._kept):
            shape = (self.count, key_states.shape[1], 0, key_states.shape[3])
            self._kept.append((key_states.new_zeros(shape), value_states.new_zeros(shape)))
        keys, values = (self._grown(kept) for kept in self._kept[layer_idx])
        self._kept[layer_idx] = keys, values
        rows = slice(self._first, self._first + key_states.shape[0])
        index = torch.arange(rows.start, rows.stop, device=key_states.device)[:, None]
        keys[index, :, self._positions] = key_states.transpose(1, 2)
        values[index, :, self._positions] = value_states.transpose(1, 2)
        return keys[rows, :, : self._visible], values[rows, :, : self._visible]

    def _grown(self, kept: torch.Tensor) -> torch.Tensor:
        """Return `kept` with room for the visible positions and the one of idle rows."""
        missing = self._visible + 1 - kept.shape[2]
        if missing <= 0:
            return kept
        # Zeros, not garbage: masked positions are still multiplied, and 0 x NaN is NaN.
        return functional.pad(kept, (0, 0, 0, -(-missing // _GROWTH) * _GROWTH))

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Return 0: positions are always passed to the model."""
        return 0

    def copy(self, source: int, to: int, length: int) -> None:
        """Copy the first `length` positions of slot `source` to slot `to`."""
        for kept in self._kept:
            for tensor in kept:
                tensor[to, :, :length] = tensor[source, :, :length]


def attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Compute grouped-query attention without repeating the keys.

    transformers' own repeats them if there is a mask, which is most of the work on a CPU for one
    token per row (3.1 against 0.84 ms per layer, 16 rows of 1,000 tokens).
    """
    seen = functional.scaled_dot_product_attention(
        query.to(key.dtype), key, value, attn_mask=attention_mask, scale=scaling, enable_gqa=True
    )
    return seen.transpose(1, 2).contiguous().to(query.dtype), None


def unsupported(config: PreTrainedConfig, context: int) -> str:
    """Return why a model cannot be run with this cache; "" if it can."""
    window = getattr(config, "sliding_window", None)
    plain = "sliding_attention" if window else "full_attention"
    kinds = set(getattr(config, "layer_types", None) or [plain])
    if window and window >= context:
        kinds.discard("sliding_attention")
    if kinds <= {"full_attention"}:
        return ""
    return f"its layers are {', '.join(sorted(kinds))}, and only full attention is run here"


AttentionInterface.register(ATTENTION, attention)
