"""Which models can be packed: those that compute the same, and no other."""

from typing import Any

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from trl.trainer.utils import add_fused_lm_head

from trainer.errors import TrainerError
from trainer.tree_packing.attention import ATTENTION
from trainer.tree_packing.batches import plan
from trainer.tree_packing.forward import install
from trainer.tree_packing.supported import refusal

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning:transformers"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:transformers"),
]

ROWS = [
    [7, 8, 9, 10, 11, 20, 21, 22, 2, 30, 31, 23, 24, 2],
    [7, 8, 9, 10, 11, 20, 21, 22, 2, 30, 31, 25, 2],
    [7, 8, 9, 10, 11, 27, 2],
    [40, 41, 42, 28, 29, 2],
]
LONGEST = max(map(len, ROWS))
SMALL: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "initializer_range": 0.2,
    "max_position_embeddings": 64,
}
EXPERTS = {"num_experts": 4, "moe_intermediate_size": 16, "num_experts_per_tok": 2}


def build(kind: str, **more: Any) -> PreTrainedModel:
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **SMALL, **more)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config).eval()
    return model


def log_probs(model: PreTrainedModel) -> torch.Tensor:
    ids = pad_sequence([torch.tensor(row) for row in ROWS], batch_first=True)
    shown = pad_sequence([torch.ones(len(row)) for row in ROWS], batch_first=True).long()
    labels = ids.masked_fill(shown == 0, -100)
    with torch.no_grad():
        out = model(input_ids=ids, attention_mask=shown, labels=labels, fused_lm_head=True)
    found: torch.Tensor = out.log_probs
    return found


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("llama", {}),
        ("qwen2", {}),
        ("qwen3", {}),
        ("phi3", {"pad_token_id": 0}),
        ("gemma", {}),
        ("gpt2", {"n_embd": 32, "n_layer": 2, "n_head": 4}),  # learned absolute positions
        ("opt", {"ffn_dim": 64, "word_embed_proj_dim": 32}),  # positions from its mask, else
        ("mistral", {"sliding_window": None}),
        ("mistral", {"sliding_window": LONGEST}),  # a window that hides nothing
        ("gemma3_text", {"sliding_window": LONGEST}),
        ("smollm3", {"pad_token_id": 0}),  # layers without positions
        ("qwen3_moe", EXPERTS),
    ],
    ids=str,
)
def test_models_that_are_taken_compute_the_same(kind: str, more: dict[str, Any]) -> None:
    model = build(kind, **more)
    assert refusal(model, LONGEST) == ""
    assert model.config._attn_implementation == "sdpa"  # left as it was
    add_fused_lm_head(model)
    apart = log_probs(model)
    install(model)
    torch.testing.assert_close(log_probs(model), apart, rtol=1e-5, atol=1e-5)


LINEAR = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "shared_expert_intermediate_size": 16,
}


@pytest.mark.parametrize(
    ("kind", "more", "reason"),
    [
        ("gemma3_text", {"sliding_window": LONGEST - 1}, "sliding_attention"),
        ("mistral", {"sliding_window": 4}, "sliding_attention"),
        ("qwen3_next", EXPERTS | LINEAR, "recurrent state"),
        ("lfm2", {"layer_types": ["conv", "full_attention"]}, "conv"),
        ("bloom", {"n_head": 4, "n_layer": 2}, "cannot be replaced"),  # ALiBi
        ("stablelm", {}, "lose the packed trie"),
        ("qwen3_moe", EXPERTS | {"output_router_logits": True}, "experts"),
    ],
    ids=str,
)
def test_models_that_would_compute_something_else_are_refused(
    kind: str, more: dict[str, Any], reason: str
) -> None:
    model = build(kind, **more)
    before = model.config._attn_implementation
    assert reason in refusal(model, LONGEST)
    assert model.config._attn_implementation == before


def test_the_trial_finds_what_no_config_says() -> None:
    """A layer that looks at the token beside it, which in a trie is another row's."""
    model = build("llama")
    assert refusal(model, LONGEST) == ""
    model.model.layers[0].register_forward_hook(lambda layer, given, out: out + out.roll(1, dims=1))
    assert "something else" in refusal(model, LONGEST)


def test_a_model_that_cannot_be_packed_is_trained_unpacked_or_refused() -> None:
    model = build("mistral", sliding_window=4)
    found = plan("auto", model, ROWS, budget=99, step=8)
    assert not found.packed
    assert found.reason.startswith("the model cannot be packed: its layers are sliding_attention")
    with pytest.raises(TrainerError, match="--tree-packing on: the model cannot be packed"):
        plan("on", model, ROWS, budget=99, step=8)


def test_a_window_is_found_out_even_if_nobody_asked() -> None:
    model = build("mistral", sliding_window=4)
    add_fused_lm_head(model)
    install(model)
    with pytest.raises(TrainerError, match="window of 4 tokens: use --tree-packing off"):
        log_probs(model)


def test_generation_and_one_row_take_the_models_own_way() -> None:
    model = build("llama", bos_token_id=1, eos_token_id=2, pad_token_id=0)
    add_fused_lm_head(model)
    given = torch.tensor([ROWS[0], ROWS[0][::-1]])
    before = model.generate(given, max_new_tokens=5, do_sample=False)
    logits = model(given).logits
    install(model)
    assert model.config._attn_implementation == ATTENTION
    torch.testing.assert_close(model.generate(given, max_new_tokens=5, do_sample=False), before)
    torch.testing.assert_close(model(given).logits, logits)
    one = model(input_ids=given[:1], labels=given[:1], fused_lm_head=True).log_probs
    assert one.shape == (1, len(ROWS[0]) - 1)
