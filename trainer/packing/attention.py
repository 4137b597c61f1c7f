"""Attention within a packed trie: a token looks at its ancestors and at itself, nowhere else.

A trie in depth-first order is a few runs of tokens, each the parent of the next: one run for each
row, of what the row does not share with the rows before it. A run looks at itself, causally, and
at ranges of earlier runs, so it is one call of torch's own fused attention over exactly the keys
that count: no work is done for what a mask would hide, no (n, n) mask is made, and every device
that has scaled_dot_product_attention has it, with its backward. (FlexAttention would be one kernel
on a GPU, and has no backward on a CPU.)

Limit: full causal attention only; `support` keeps other models out.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from trainer.errors import TrainerError
from trainer.trie import Ints

ATTENTION = "treegraft_tree"
"""The name under which transformers knows `attention`."""

OFF = ": use --tree_packing off"
"""How the errors end that only another forward mends."""

Range = tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Tokens start to end of a packed trie, each the parent of the next.

    ancestors: ranges of what comes before in their rows, from the root on.
    mask: (tokens, ancestors and tokens), True where a token may look; None of a first run.
    """

    start: int
    end: int
    ancestors: tuple[Range, ...]
    mask: torch.Tensor | None

    @property
    def length(self) -> int:
        """Tokens from the root to the run's end: how far its last token looks."""
        return self.end - self.start + sum(end - start for start, end in self.ancestors)

    def of(self, packed: torch.Tensor) -> torch.Tensor:
        """Keys or values that the run sees: (1, heads, ancestors and tokens, size)."""
        if not self.ancestors:
            return packed[:, :, self.start : self.end]
        ranges = (*self.ancestors, (self.start, self.end))
        return torch.cat([packed[:, :, start:end] for start, end in ranges], dim=2)


def runs(parents: Ints, device: torch.device | str = "cpu") -> tuple[Run, ...]:
    """The runs of a trie in depth-first order. parents: (n,), as `trie.Trie` has them."""
    starts = [index for index, parent in enumerate(parents.tolist()) if parent != index - 1]
    # The first token's parent is -1, as if it followed on from nothing.
    starts = sorted({0, *starts}) if len(parents) else []
    made: list[Run] = []
    of_token: list[int] = []  # the run that a token is in
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(parents)], strict=True)):
        parent = int(parents[start])
        ancestors: tuple[Range, ...] = ()
        if parent >= 0:
            fork = made[of_token[parent]]
            ancestors = (*fork.ancestors, (fork.start, parent + 1))
        of_token += [number] * (end - start)
        made.append(Run(start, end, ancestors, _mask(end - start, ancestors, device)))
    return tuple(made)


def _mask(
    tokens: int, ancestors: tuple[Range, ...], device: torch.device | str
) -> torch.Tensor | None:
    before = sum(end - start for start, end in ancestors)
    if not before:
        return None
    return torch.ones(tokens, before + tokens, dtype=torch.bool, device=device).tril(before)


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
    tree: tuple[Run, ...] | None = None,
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
    _check_plain(given, max(run.length for run in tree))
    scale, dropout = given.get("scaling"), given.get("dropout", 0.0)
    seen = [_within(run, (query, key, value), scale, dropout) for run in tree]
    return torch.cat(seen, dim=2).transpose(1, 2).contiguous(), None


def _within(
    run: Run, heads: tuple[torch.Tensor, ...], scale: float | None, dropout: float
) -> torch.Tensor:
    query, key, value = heads[0][:, :, run.start : run.end], run.of(heads[1]), run.of(heads[2])
    shared = query.shape[1] // key.shape[1]
    # With a mask, only a CPU's fused kernel knows keys that several heads share.
    if shared > 1 and run.mask is not None and query.device.type != "cpu":
        key, value, shared = repeat_kv(key, shared), repeat_kv(value, shared), 1
    return functional.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=run.mask,
        is_causal=run.mask is None,
        dropout_p=dropout,
        scale=scale,
        enable_gqa=shared > 1,
    )


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
