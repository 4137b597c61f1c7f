"""Attention within a packed trie, segment by segment: on a CPU, each shared key read once.

A segment is a stretch of the trie without a branch: a node of its radix tree. Its tokens look at
themselves, causally; and all tokens beneath it, which follow it in depth-first order, look at the
whole of it, in one call of torch's fused kernel, however many rows they belong to. What a token so
finds in each of its segments is joined by the logarithms of the sums of exponentials, as
FlashAttention (arXiv 2205.14135, section 3.1) joins blocks of keys; and as there, the kernel's
backward, given the joined output and logarithm, returns each part of the gradients by itself.

torch's kernel for CPUs returns these logarithms, and has a backward, only by its operators' own
names; `scaled_dot_product_attention` hides them.
"""

from dataclasses import dataclass
from typing import Any

import torch

from trainer.hardware import fast_bf16_attention
from trainer.trie import Trie

_KERNEL = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_BACKWARD = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
Heads = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Segment:
    """Packed tokens start to end; those from end to reach lie beneath it."""

    start: int
    end: int
    reach: int

    @property
    def calls(self) -> tuple[tuple[int, int, bool], ...]:
        """Ranges of tokens that look at it, and whether each looks only as far as itself."""
        own, beneath = (self.start, self.end, True), (self.end, self.reach, False)
        return (own, beneath) if self.reach > self.end else (own,)


def segments(trie: Trie) -> tuple[Segment, ...]:
    """Of a trie, in its order."""
    made: list[Segment] = []
    start, count = 0, trie.distinct
    for end in range(1, count + 1):
        # An only child follows its parent, and their subtrees end together.
        follows = end < count and trie.parents[end] == end - 1
        if not (follows and trie.ends[end] == trie.ends[end - 1]):
            made.append(Segment(start, end, int(trie.ends[start])))
            start = end
    return tuple(made)


def possible(heads: Heads, dropout: float) -> bool:
    """Whether `by_segments` can be used: on a CPU, for heads of one size, without dropout."""
    sizes = {part.shape[-1] for part in heads}
    return heads[0].device.type == "cpu" and len(sizes) == 1 and not dropout


def by_segments(
    heads: Heads, tree: tuple[Segment, ...], scale: float | None = None
) -> torch.Tensor:
    """heads: queries, keys and values, each (1, heads, n, size); fewer heads of keys and values
    where they are shared. Returns (1, heads, n, size), of the values' type."""
    out: torch.Tensor = _BySegments.apply(*heads, tree, scale)  # type: ignore[no-untyped-call]
    return out


class _BySegments(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        tree: tuple[Segment, ...],
        scale: float | None,
    ) -> torch.Tensor:
        kind = _kind(query)
        queries, keys, values = (part.to(kind) for part in (query, key, value))
        found = _Found(queries)
        for segment in tree:
            at = slice(segment.start, segment.end)
            for start, end, causal in segment.calls:
                looking = queries[:, :, start:end]
                part = _KERNEL(looking, keys[:, :, at], values[:, :, at], 0.0, causal, scale=scale)
                found.add(start, end, *part)
        out = found.out.to(value.dtype)  # autocast leaves turned queries and keys longer
        ctx.save_for_backward(query, key, value, out, found.logsumexp)
        ctx.tree, ctx.scale, ctx.kind = tree, scale, kind
        return out

    @staticmethod
    def backward(ctx: Any, *above: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        *saved, logsumexp = ctx.saved_tensors
        queries, keys, values, outs, aboves = (part.to(ctx.kind) for part in (*saved, *above))
        sums = [torch.zeros_like(part, dtype=_wide(part)) for part in saved[:3]]
        for segment in ctx.tree:
            at = slice(segment.start, segment.end)
            for start, end, causal in segment.calls:
                looking = slice(start, end)
                parts = _BACKWARD(
                    aboves[:, :, looking],
                    queries[:, :, looking],
                    keys[:, :, at],
                    values[:, :, at],
                    outs[:, :, looking],
                    logsumexp[:, :, looking],
                    0.0,
                    causal,
                    scale=ctx.scale,
                )
                for total, where, part in zip(sums, (looking, at, at), parts, strict=True):
                    total[:, :, where] += part
        grads = (total.to(part.dtype) for total, part in zip(sums, saved, strict=False))
        return *grads, None, None


class _Found:
    """What tokens have found so far. out: as the queries.   logsumexp: (1, heads, n)."""

    def __init__(self, queries: torch.Tensor) -> None:
        _, heads, count, size = queries.shape
        wide = _wide(queries)
        self.out = torch.zeros(1, count, heads, size, dtype=wide).transpose(1, 2)
        self.logsumexp = torch.full((1, count, heads), -torch.inf, dtype=wide).transpose(1, 2)

    def add(self, start: int, end: int, out: torch.Tensor, logsumexp: torch.Tensor) -> None:
        """Join what tokens start to end find in one more segment."""
        before, known = self.logsumexp[:, :, start:end], self.out[:, :, start:end]
        joined = torch.logaddexp(before, logsumexp)
        known *= (before - joined).exp_()[..., None]
        known += out * (logsumexp - joined).exp_()[..., None]
        before.copy_(joined)


def _wide(part: torch.Tensor) -> torch.dtype:
    """What is summed up in: float32, or float64 for such."""
    return torch.promote_types(part.dtype, torch.float32)


def _kind(query: torch.Tensor) -> torch.dtype:
    """What to compute in: what fused attention would, where this machine is fast in it."""
    if not fast_bf16_attention():
        return _wide(query)
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else query.dtype
