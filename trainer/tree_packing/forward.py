"""A model's forward over rows that begin alike, each shared token computed once.

The seam is the call that every trainer of TRL makes for its loss: `model(input_ids,
attention_mask, labels, fused_lm_head=True)`, which returns a log-probability for each position of
each row. Below it the rows become one trie; above it nothing changes. So loss, collator, number of
items, reference model and metrics stay TRL's (SFT's and DPO's alike) or ours, and none knows of it.
The head, too, scores each labelled token once, however many rows share it.

A batch of anything else (one row, generation, a cache, embeddings, router logits) takes the
model's own way.
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
from trainer.tree_packing.attention import ATTENTION, Tree, marker

_KNOWN = {"input_ids", "attention_mask", "labels", "use_cache", "return_dict"}
_SCORES = ("log_probs", "entropy", "log_sum_sq_probs", "mean_logits", "is_top1")


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What is to be foretold in a batch of rows, each thing once.

    where: (rows, positions - 1), True where the token that comes next is labelled.
    sources: (m,) packed tokens that foretell.   targets: (m,) token ids that they foretell.
    each: as many as `where` holds, in its order: which of the m it is.
    """

    where: torch.Tensor
    sources: torch.Tensor
    targets: torch.Tensor
    each: torch.Tensor


def install(model: PreTrainedModel | PeftModel) -> None:
    """Pack what `model` is given from now on; `support.refusal` says whether it can be.

    model: a trainer's, or its reference; already patched by TRL
    (`trl.trainer.utils.add_fused_lm_head`, which its trainers call) and by all else that replaces
    its forward, such as `head.score_labelled_only`.
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
    """What the backbone is given for a trie: one sequence, in which depth is the position."""
    return {
        "input_ids": torch.from_numpy(trie.ids)[None].to(device),
        "position_ids": torch.from_numpy(trie.depths)[None].to(device),
        "attention_mask": marker(device),
        "tree": Tree(trie, device),
    }


def _packable(given: dict[str, Any]) -> bool:
    names = {name for name, value in given.items() if value is not None}
    return (
        {"input_ids", "labels"} <= names <= _KNOWN
        and len(given["input_ids"]) > 1
        and bool((given["labels"][:, 1:] != IGNORE).any())
    )


def _packed(
    model: PreTrainedModel, ordinary: Callable[..., Any], given: dict[str, Any]
) -> FusedCausalLMOutput:
    ids, labels = given["input_ids"], given["labels"]
    shown = given.get("attention_mask")
    shown = torch.ones_like(ids, dtype=torch.bool) if shown is None else shown.bool()
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
    """index: (rows, positions), the packed token of each.   labels: as many."""
    where = labels[:, 1:] != IGNORE
    # A pair's two halves may label the same token; a token may have two children.
    pairs = torch.stack((index[:, :-1][where], labels[:, 1:][where]))
    once, each = torch.unique(pairs, dim=1, return_inverse=True)
    return Scored(where, once[0], once[1], each)


@contextmanager
def _narrowed(backbone: torch.nn.Module, kept: torch.Tensor) -> Iterator[None]:
    """Within it, the backbone returns the hidden states of `kept` only: (1, kept, hidden)."""

    def narrow(
        module: torch.nn.Module, given: Any, out: BaseModelOutputWithPast
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
    """The scores of `out`, (1, m), as the rows have them: (rows, positions - 1), 0 unlabelled."""
    for name in _SCORES:
        once = getattr(out, name)
        if once is not None:
            empty = torch.zeros_like(scored.where, dtype=once.dtype)
            out[name] = empty.masked_scatter(scored.where, once[0][scored.each])
    assert out.log_probs is not None
    out["label_mask"] = scored.where
    out["loss"] = -out.log_probs.sum() / scored.where.sum()
    return out
