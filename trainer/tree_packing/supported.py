"""Which models can be packed: those in which tokens affect each other by full attention alone.

There are two checks. The config must say that every layer attends to all earlier tokens. Then a
trial runs a few tokens packed and unpacked, and compares the hidden states, whatever the model is
made of (recurrent states, convolutions, biases by distance, layers that lose the trie).

Limit: under ZeRO-3 the weights are partitioned before training, so there is no trial.
"""

import torch
from transformers import PreTrainedModel

from trainer.errors import TrainerError
from trainer.inference.kv_cache import unsupported
from trainer.tokens.trie import pack
from trainer.tree_packing.attention import ATTENTION, OFF
from trainer.tree_packing.forward import packed_inputs

_ROWS = [[5, 6, 7, 8, 9, 10], [5, 6, 7, 11, 12], [13, 6, 7]]
_EXACT, _ROUNDED = (
    1e-3,
    5e-2,
)  # relative: float32, other types; a model that leaks is off by more than 0.1


def refusal(model: PreTrainedModel, longest: int) -> str:
    """Return why `model` cannot be packed; "" if it can. The model is left as it was.

    Args:
        model: The model to train.
        longest: Tokens of the longest row.
    """
    config = model.config.get_text_config()
    if not (model._can_set_attn_implementation() and model._supports_sdpa):
        return "its attention cannot be replaced"
    if model.config._attn_implementation not in ("sdpa", "eager", ATTENTION):
        return f"it was loaded with {model.config._attn_implementation} instead of sdpa"
    if getattr(model, "_is_stateful", False):
        return "it keeps a recurrent state, which a branch cannot share"
    if (chunk := getattr(config, "attention_chunk_size", None)) and chunk < longest:
        return f"it attends in chunks of {chunk} tokens"
    if getattr(config, "output_router_logits", False):
        return "its experts are balanced over the tokens of all rows"
    return unsupported(config, longest) or _failed_trial(model)


def _failed_trial(model: PreTrainedModel) -> str:
    if any(hasattr(parameter, "ds_id") for parameter in model.parameters()):
        return ""
    before, training = model.config._attn_implementation, model.training
    model.train(False)
    try:
        model.set_attn_implementation(ATTENTION)
        off = _difference(model)
    except TrainerError as error:
        return str(error).removesuffix(OFF)
    except (TypeError, ValueError, RuntimeError) as error:  # from the model's own code
        return f"its forward does not take a packed trie ({error})"
    finally:
        model.set_attn_implementation(before)
        model.train(training)
    allowed = _EXACT if model.dtype == torch.float32 else _ROUNDED
    return "" if off <= allowed else f"packed, it computes something else (by {off:.1%})"


@torch.no_grad()
def _difference(model: PreTrainedModel) -> float:
    """Return the largest relative difference of the hidden states, packed and unpacked."""
    backbone, device = model.base_model, model.device
    trie = pack(_ROWS)
    packed = backbone(**packed_inputs(trie, device), use_cache=False).last_hidden_state[0]
    worst = 0.0
    for ids, path in zip(_ROWS, trie.rows, strict=True):
        inputs = torch.tensor([ids], device=device)
        alone = backbone(input_ids=inputs, use_cache=False).last_hidden_state[0]
        off = (packed[torch.from_numpy(path).to(device)] - alone).norm() / alone.norm()
        worst = max(worst, float(off))
    return worst
