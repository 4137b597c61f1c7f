"""Which models can be packed: those in which a token meets its ancestors by attention alone.

Two checks. The config says whether every layer attends to all that came before; and a trial of a
few tokens, packed and not, says whether the hidden states are the same, whatever the model is made
of (recurrent states, convolutions, biases by distance, layers that lose the trie).

Limit: under ZeRO-3 the weights lie in pieces before training begins, so that there is no trial.
"""

import torch
from transformers import PreTrainedModel

from trainer.errors import TrainerError
from trainer.inference.kv_cache import unsupported
from trainer.tokens.trie import pack
from trainer.tree_packing.attention import ATTENTION, OFF
from trainer.tree_packing.forward import packed_inputs

_ROWS = [[5, 6, 7, 8, 9, 10], [5, 6, 7, 11, 12], [13, 6, 7]]
_EXACT, _ROUNDED = 1e-3, 5e-2  # relative; float32, and shorter; a model that leaks is beyond .1


def refusal(model: PreTrainedModel, longest: int) -> str:
    """Why `model` cannot be packed; "" if it can. longest: tokens of the longest row.

    It leaves the model as it was.
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
        return "the balance of its experts is counted over the tokens of the rows"
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
    except (TypeError, ValueError, RuntimeError) as error:  # in code of the model's, unknown to us
        return f"its forward does not take a packed trie ({error})"
    finally:
        model.set_attn_implementation(before)
        model.train(training)
    allowed = _EXACT if model.dtype == torch.float32 else _ROUNDED
    return "" if off <= allowed else f"packed, it computes something else (by {off:.1%})"


@torch.no_grad()
def _difference(model: PreTrainedModel) -> float:
    """Between the hidden states of the rows by themselves and packed; relative, the largest."""
    backbone, device = model.base_model, model.device
    trie = pack(_ROWS)
    packed = backbone(**packed_inputs(trie, device), use_cache=False).last_hidden_state[0]
    worst = 0.0
    for ids, path in zip(_ROWS, trie.rows, strict=True):
        given = torch.tensor([ids], device=device)
        alone = backbone(input_ids=given, use_cache=False).last_hidden_state[0]
        off = (packed[torch.from_numpy(path).to(device)] - alone).norm() / alone.norm()
        worst = max(worst, float(off))
    return worst
