"""A model's forward over rows that begin alike, each shared token computed once.

It replaces the call that every TRL trainer makes for its loss: `model(input_ids, attention_mask,
labels, fused_lm_head=True)`, which returns a log-probability for each position of each row. Below
that call the rows become one trie; above it nothing changes. So TRL's losses, collators, token
counts, reference model and metrics, and ours, work unchanged. The head, too, scores each labelled
token once, however many rows share it.

Any other call (one row, generation, a cache, embeddings, router logits) runs the model's own
forward.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from peft import PeftModel
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast
from trl.trainer.utils import FusedCausalLMOutput

from trainer.data.mask import IGNORE
from trainer.tokens.trie import Trie, pack
from trainer.tree_packing.attention import ATTENTION, Tree, placeholder_mask

_KNOWN = {"input_ids", "attention_mask", "labels", "use_cache", "return_dict"}
_SCORES = ("log_probs", "entropy", "log_sum_sq_probs", "mean_logits", "is_top1")


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """The predictions to score in a batch of rows, each once.

    Attributes:
        where: (rows, positions - 1), True where the next token is labelled.
        sources: (m,) packed tokens that predict.
        targets: (m,) token ids that they predict.
        each: For each True in `where`, in its order, which of the m it is.
    """

    where: torch.Tensor
    sources: torch.Tensor
    targets: torch.Tensor
    each: torch.Tensor


def install(model: PreTrainedModel | PeftModel) -> None:
    """Make `model` pack its batches from now on; check `supported.refusal` before.

    Args:
        model: A trainer's model, or its reference. TRL must have patched it already
            (`trl.trainer.utils.add_fused_lm_head`, which its trainers call), and so must all else
            that replaces its forward, such as `lm_head.score_labelled_only`.
    """
    base: Any = model.get_base_model() if isinstance(model, PeftModel) else model
    base.set_attn_implementation(ATTENTION)
    ordinary = base.forward

    @functools.wraps(ordinary)  # `generate` reads the signature
    def forward(*args: Any, fused_lm_head: bool = False, **kwargs: Any) -> Any:
        if args or not fused_lm_head or not _packable(kwargs):
            return ordinary(*args, fused_lm_head=fused_lm_head, **kwargs)
        return _packed(base, ordinary, kwargs)

    base.forward = forward


def packed_inputs(trie: Trie, device: torch.device) -> dict[str, Any]:
    """Return the backbone's inputs for a trie: one sequence, whose positions are depths."""
    return {
        "input_ids": torch.from_numpy(trie.ids)[None].to(device),
        "position_ids": torch.from_numpy(trie.depths)[None].to(device),
        "attention_mask": placeholder_mask(device),
        "tree": Tree(trie, device),
    }


def _packable(inputs: dict[str, Any]) -> bool:
    names = {name for name, value in inputs.items() if value is not None}
    return (
        {"input_ids", "labels"} <= names <= _KNOWN
        and len(inputs["input_ids"]) > 1
        and bool((inputs["labels"][:, 1:] != IGNORE).any())
    )


def _packed(
    model: PreTrainedModel, ordinary: Callable[..., Any], inputs: dict[str, Any]
) -> FusedCausalLMOutput:
    ids, labels = inputs["input_ids"], inputs["labels"]
    mask = inputs.get("attention_mask")
    shown = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask.bool()
    trie = pack([row[kept].tolist() for row, kept in zip(ids.cpu(), shown.cpu(), strict=True)])
    index = torch.zeros_like(ids).masked_scatter(
        shown, torch.cat([torch.from_numpy(row) for row in trie.rows]).to(ids.device)
    )
    scored = _scored(index, labels.masked_fill(~shown, IGNORE))
    with _narrowed(model.base_model, scored.sources):
        out = ordinary(
            **packed_inputs(trie, ids.device),
            shift_labels=scored.targets[None],
            use_cache=False,
            fused_lm_head=True,
        )
    return _spread(out, scored)


def _scored(index: torch.Tensor, labels: torch.Tensor) -> Scored:
    """Collect the predictions; `index`, (rows, positions), is the packed token of each position."""
    where = labels[:, 1:] != IGNORE
    # A pair's two halves may label the same token; a token may have two children.
    pairs = torch.stack((index[:, :-1][where], labels[:, 1:][where]))
    once, each = torch.unique(pairs, dim=1, return_inverse=True)
    return Scored(where, once[0], once[1], each)


@contextmanager
def _narrowed(backbone: torch.nn.Module, kept: torch.Tensor) -> Iterator[None]:
    """Make the backbone return the hidden states of `kept` only: (1, kept, hidden)."""

    def narrow(
        module: torch.nn.Module, inputs: Any, out: BaseModelOutputWithPast
    ) -> BaseModelOutputWithPast:
        assert out.last_hidden_state is not None
        out.last_hidden_state = out.last_hidden_state[:, kept]
        return out

    hook = backbone.register_forward_hook(narrow)
    try:
        yield
    finally:
        hook.remove()


def _spread(out: FusedCausalLMOutput, scored: Scored) -> FusedCausalLMOutput:
    """Spread the scores of `out`, (1, m), over the rows: (rows, positions - 1), 0 if unlabelled."""
    for name in _SCORES:
        once = getattr(out, name)
        if once is not None:
            empty = torch.zeros_like(scored.where, dtype=once.dtype)
            out[name] = empty.masked_scatter(scored.where, once[0][scored.each])
    assert out.log_probs is not None
    out["label_mask"] = scored.where
    out["loss"] = -out.log_probs.sum() / scored.where.sum()
    return out
