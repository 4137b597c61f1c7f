"""Attention within a packed trie: a token looks at its ancestors and at itself, nowhere else.

How transformers comes to it, and what it may not be asked for; how it is done is told in `segments`
(on a CPU), in `flex` (on a GPU) and in `runs` (anywhere).

Limit: full causal attention only; `support` keeps other models out.
"""

import functools
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.attention.flex_attention import BlockMask
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from trainer.errors import TrainerError
from trainer.tokens.trie import Trie
from trainer.tree_packing import flex
from trainer.tree_packing.attention_runs import Run, by_runs, runs
from trainer.tree_packing.attention_segments import Segment, by_segments, possible, segments

ATTENTION = "treegraft_tree"
"""The name under which transformers knows `attention`."""

OFF = ": use --tree-packing off"
"""How the errors end that only another forward mends."""


@dataclass(frozen=True, eq=False)
class Tree:
    """A packed trie as attention needs it; made when the first layer asks, for all layers."""

    trie: Trie
    device: torch.device

    @functools.cached_property
    def segments(self) -> tuple[Segment, ...]:
        return segments(self.trie)

    @functools.cached_property
    def blocks(self) -> BlockMask:
        return flex.blocks(self.trie, self.device)

    @functools.cached_property
    def runs(self) -> tuple[Run, ...]:
        return runs(self.trie.parents, self.device)

    @functools.cached_property
    def longest(self) -> int:
        """Tokens of the longest row: how far a token looks, at most."""
        return int(self.trie.depths.max()) + 1


def marker(device: torch.device) -> torch.Tensor:
    """Stands where a model expects its mask, beside `tree`. Of four dimensions: transformers hands
    such a mask on as it is."""
    return torch.zeros(1, 1, 1, 1, device=device)


def attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    tree: Tree | None = None,
    **given: Any,
) -> tuple[torch.Tensor, None]:
    """transformers' own `sdpa`; or, where the forward was given a `tree`, attention within it.

    query, key, value: (1, heads, n, size), fewer heads of keys and values where they are shared.
    Returns (1, n, heads, size).

    Raises:
        TrainerError: the model asks for attention of another kind, or has lost the tree.
    """
    if tree is None:
        _check_found(query, attention_mask)
        return sdpa_attention_forward(module, query, key, value, attention_mask, **given)
    _check_plain(given, tree.longest)
    scale, dropout = given.get("scaling"), given.get("dropout", 0.0)
    heads = query, key, value
    if possible(heads, dropout):
        seen = by_segments(heads, tree.segments, scale)
    elif flex.possible(heads, dropout):
        seen = flex.by_flex(heads, tree.blocks, scale)
    else:
        seen = by_runs(heads, tree.runs, scale, dropout)
    return seen.transpose(1, 2).contiguous(), None


def _check_found(query: torch.Tensor, attention_mask: torch.Tensor | None) -> None:
    """A `marker` without its tree: the model's layers do not hand on what they do not know."""
    marked = attention_mask is not None and attention_mask.shape == (1, 1, 1, 1)
    if marked and query.shape[2] > 1:
        raise TrainerError(f"the model's layers lose the packed trie{OFF}")


def _check_plain(given: dict[str, Any], longest: int) -> None:
    """What else an attention may be given changes what is seen, and is not done here."""
    window = given.get("sliding_window")
    if window is not None and window < longest:
        raise TrainerError(f"the model's attention has a window of {window} tokens{OFF}")
    for name in ("softcap", "position_bias", "s_aux", "cache"):
        if given.get(name) is not None:
            raise TrainerError(f"the model's attention has a {name}{OFF}")


AttentionInterface.register(ATTENTION, attention)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
