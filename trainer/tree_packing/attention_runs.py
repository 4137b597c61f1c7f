"""Attention within a packed trie, run by run: on any device, by torch's own fused attention.

A trie in depth-first order is a few runs of tokens, each the parent of the next: one run for each
row, of what the row does not share with the rows before it. A run looks at itself, causally, and
at ranges of earlier runs, so it is one call of scaled_dot_product_attention over exactly the keys
that count: no work is done for what a mask would hide, and no (n, n) mask is made.
"""

from dataclasses import dataclass

import torch
from torch.nn import functional
from transformers.integrations.sdpa_attention import repeat_kv

from trainer.tokens.trie import Ints

Range = tuple[int, int]
Heads = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Queries, keys and values, each (1, heads, n, size); fewer heads of keys and values where they are
shared."""


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


def by_runs(
    heads: Heads,
    tree: tuple[Run, ...],
    scale: float | None = None,
    dropout: float = 0.0,
) -> torch.Tensor:
    """Returns as the queries: (1, heads, n, size)."""
    return torch.cat([_within(run, *heads, scale, dropout) for run in tree], dim=2)


def _within(
    run: Run,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scale: float | None,
    dropout: float,
) -> torch.Tensor:
    query, key, value = query[:, :, run.start : run.end], run.of(key), run.of(value)
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


def computed_in(query: torch.Tensor) -> torch.dtype:
    """What torch's own attention computes in: autocast's type where there is one."""
    kind = query.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else query.dtype
