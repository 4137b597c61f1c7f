"""The keys and values of many sequences, each in a slot of its own, for batches that change at
every token: rows join and leave without a copy, and a finished row is the next one's prefix.

Limits: full causal attention only (Llama, Qwen 2 and 3, SmolLM, ...); memory is the number of
slots times the longest sequence yet.
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
    """Keys and values, a layer: two tensors of (slots, heads, positions, head size), which grow.

    They are float32 where attention in bfloat16 is slow, whatever the model's type is.

    Call `aim` before each forward of the model. The last position of each slot is for rows that
    have nothing to say and must write somewhere.
    """

    def __init__(self, slots: int) -> None:
        super().__init__(layers=[])
        self.count = slots
        self._kept: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._widened = not hardware.fast_bf16_attention(hardware.device())
        self._first, self._positions, self._visible = 0, torch.zeros(0, 0, dtype=torch.long), 0

    def aim(self, first: int, positions: torch.Tensor, visible: int) -> torch.Tensor:
        """The next forward is of slots first, first + 1, ...

        positions: (rows, tokens), where in its slot each token goes; -1 in idle rows.
        visible: positions from 0 that the longest of these rows holds after the forward.
        Returns the attention mask, (rows, 1, tokens, visible): True where a token may look.
        """
        self._first, self._positions, self._visible = first, positions, visible
        where = torch.arange(visible, device=positions.device)
        # An idle row looks at position 0: a row that sees nothing would be NaN.
        return (where <= positions.clamp(min=0)[:, None, :, None]).contiguous()

    def update(
        self,
        key_states: torch.Tensor,
        value_states: torch.Tensor,
        layer_idx: int,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Keep a layer's new keys and values, (rows, heads, tokens, head size); see `Cache`."""
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
        """`kept` with room for what is visible and the idle rows' position."""
        missing = self._visible + 1 - kept.shape[2]
        if missing <= 0:
            return kept
        # Zeros, not garbage: what is masked is still multiplied, and 0 x NaN is NaN.
        return functional.pad(kept, (0, 0, 0, -(-missing // _GROWTH) * _GROWTH))

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """0: positions are always given."""
        return 0

    def copy(self, source: int, to: int, length: int) -> None:
        """Give slot `to` the first `length` positions of slot `source`."""
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
    """Grouped-query attention without repeating the keys: transformers' own repeats them whenever
    there is a mask, which at one token a row is most of the work on CPU (3.1 ms against 0.84 ms a
    layer, 16 rows of 1,000 tokens)."""
    seen = functional.scaled_dot_product_attention(
        query.to(key.dtype), key, value, attn_mask=attention_mask, scale=scaling, enable_gqa=True
    )
    return seen.transpose(1, 2).contiguous().to(query.dtype), None


def unsupported(config: PreTrainedConfig, context: int) -> str:
    """Why a model cannot be run with slots; "" if it can."""
    window = getattr(config, "sliding_window", None)
    plain = "sliding_attention" if window else "full_attention"
    kinds = set(getattr(config, "layer_types", None) or [plain])
    if window and window >= context:
        kinds.discard("sliding_attention")
    if kinds <= {"full_attention"}:
        return ""
    return f"its layers are {', '.join(sorted(kinds))}, and only full attention is run here"


AttentionInterface.register(ATTENTION, attention)
