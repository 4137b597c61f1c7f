"""Attention within a packed trie: a token attends to its ancestors and to itself, nowhere else.

On a CPU the trie is computed segment by segment (`attention_segments`). Everywhere else (a GPU,
dropout, values of another size than keys) transformers' own `sdpa` gets the trie as an n x n mask.

Limits: full causal attention only; `supported` keeps other models out. The mask has never been run
on a GPU by us, and grows with the square of a trie's tokens (4,096 tokens: 16 MiB).
"""

import functools
from dataclasses import dataclass
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from trainer.errors import TrainerError
from trainer.tokens.trie import Trie
from trainer.tree_packing.attention_segments import Segment, by_segments, possible, segments

ATTENTION = "treegraft_tree"
"""The name under which transformers knows `attention`."""

OFF = ": use --tree-packing off"
"""End of the errors that only a forward without packing avoids."""


@dataclass(frozen=True, eq=False)
class Tree:
    """A packed trie as attention needs it, computed once for all layers.

    Attributes:
        trie: The trie.
        device: Where the model runs.
    """

    trie: Trie
    device: torch.device

    @functools.cached_property
    def segments(self) -> tuple[Segment, ...]:
        """The trie's segments."""
        return segments(self.trie)

    @functools.cached_property
    def mask(self) -> torch.Tensor:
        """(1, 1, n, n): True where a token may attend."""
        tokens = torch.arange(self.trie.distinct, device=self.device)
        ends = torch.from_numpy(self.trie.ends).to(self.device)
        return ((tokens <= tokens[:, None]) & (tokens[:, None] < ends))[None, None]

    @functools.cached_property
    def longest(self) -> int:
        """Tokens of the longest row: how far back a token attends at most."""
        return int(self.trie.depths.max()) + 1


def placeholder_mask(device: torch.device) -> torch.Tensor:
    """Return a mask for models that expect one, beside `tree`.

    It has four dimensions, since transformers passes such a mask on unchanged.
    """
    return torch.zeros(1, 1, 1, 1, device=device)


def attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    tree: Tree | None = None,
    **arguments: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Attend within `tree`; without one, as transformers' own `sdpa`.

    Args:
        module: The model's attention layer.
        query: (1, heads, n, size).
        key: As `query`, or with fewer heads if these are shared.
        value: As `key`.
        attention_mask: The model's mask; ignored if there is a tree.
        tree: The packed trie.
        arguments: What else transformers passes to an attention.

    Returns:
        (1, n, heads, size), and no weights.

    Raises:
        TrainerError: The model needs another kind of attention, or its layers lost the tree.
    """
    if tree is None:
        _check_not_lost(query, attention_mask)
        return sdpa_attention_forward(module, query, key, value, attention_mask, **arguments)
    _check_full_attention(arguments, tree.longest)
    heads = query, key, value
    if possible(heads, arguments.get("dropout", 0.0)):
        out = by_segments(heads, tree.segments, arguments.get("scaling"))
        return out.transpose(1, 2).contiguous(), None
    return sdpa_attention_forward(module, query, key, value, tree.mask, **arguments)


def _check_not_lost(query: torch.Tensor, attention_mask: torch.Tensor | None) -> None:
    """Refuse a `placeholder_mask` without its tree: the layers do not pass on unknown arguments."""
    placeholder = attention_mask is not None and attention_mask.shape == (1, 1, 1, 1)
    if placeholder and query.shape[2] > 1:
        raise TrainerError(f"the model's layers lose the packed trie{OFF}")


def _check_full_attention(arguments: dict[str, Any], longest: int) -> None:
    """Refuse arguments that change what is computed and are not supported here."""
    window = arguments.get("sliding_window")
    if window is not None and window < longest:
        raise TrainerError(f"the model's attention has a window of {window} tokens{OFF}")
    for name in ("softcap", "position_bias", "s_aux", "cache"):
        if arguments.get(name) is not None:
            raise TrainerError(f"the model's attention has a {name}{OFF}")


AttentionInterface.register(ATTENTION, attention)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
