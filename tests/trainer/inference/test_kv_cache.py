"""Keys and values in slots, of a model in bfloat16: float32 where attention is faster so."""

import torch
from torch.nn import functional

from trainer.inference.kv_cache import SlotCache, attention
from trainer.runtime import hardware


def test_attention_answers_in_the_models_type_whatever_the_slots_keep() -> None:
    torch.manual_seed(0)
    query = torch.randn(2, 4, 3, 8).bfloat16()
    new = torch.randn(2, 2, 3, 8).bfloat16()
    slots = SlotCache(2)
    mask = slots.plan_forward(0, torch.arange(3).expand(2, 3), visible=3)
    keys, values = slots.update(new, new, layer_idx=0)
    fast = hardware.fast_bf16_attention(hardware.device())
    assert keys.dtype == values.dtype == (torch.bfloat16 if fast else torch.float32)
    assert torch.equal(keys.bfloat16(), new)
    seen, _ = attention(torch.nn.Identity(), query, keys, values, mask)
    exact = functional.scaled_dot_product_attention(
        query.float(), new.float(), new.float(), is_causal=True, enable_gqa=True
    )
    assert seen.dtype == torch.bfloat16
    torch.testing.assert_close(seen.float(), exact.transpose(1, 2), rtol=0.02, atol=0.02)
