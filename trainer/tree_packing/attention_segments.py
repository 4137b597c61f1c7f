"""Attention within a packed trie, segment by segment: on a CPU, each shared key read once.

A segment is a stretch of the trie without a branch: a node of its radix tree. Its tokens look at
themselves, causally; and all tokens beneath it, which follow it in depth-first order, look at the
whole of it, in one call of torch's fused kernel, however many rows they belong to. What a token so
finds in each of its segments is joined by the logarithms of the sums of exponentials, as
FlashAttention (arXiv 2205.14135, section 3.1) joins blocks of keys; and as there, the kernel's
backward, given the joined output and logarithm, returns each part of the gradients by itself.

torch's kernel for CPUs returns these logarithms, and has a backward, only by its operators' own
names, which torch may change; `scaled_dot_product_attention` hides them.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from trainer.runtime.hardware import fast_bf16_attention
from trainer.tokens.trie import Trie
from trainer.tree_packing.attention_runs import Heads, computed_in

_NAME = "_scaled_dot_product_flash_attention_for_cpu"
_KERNEL: Any = getattr(torch.ops.aten, _NAME, None)
_BACKWARD: Any = getattr(torch.ops.aten, f"{_NAME}_backward", None)


@dataclass(frozen=True, slots=True)
class Segment:
    """own: its packed tokens.   beneath: the tokens that follow them in some row; None where
    none do."""

    own: slice
    beneath: slice | None


def segments(trie: Trie) -> tuple[Segment, ...]:
    """Of a trie, in its order."""
    made: list[Segment] = []
    start, count = 0, trie.distinct
    for end in range(1, count + 1):
        # An only child follows its parent, and their subtrees end together.
        follows = end < count and trie.parents[end] == end - 1
        if not (follows and trie.ends[end] == trie.ends[end - 1]):
            reach = int(trie.ends[start])
            made.append(Segment(slice(start, end), slice(end, reach) if reach > end else None))
            start = end
    return tuple(made)


def branching(tree: tuple[Segment, ...]) -> list[tuple[slice, slice]]:
    """Of the segments beneath which there is something: own and beneath."""
    return [(one.own, one.beneath) for one in tree if one.beneath]


def possible(heads: Heads, dropout: float) -> bool:
    """Whether `by_segments` can be used: on a CPU, for heads of one size, without dropout, by a
    torch that has the kernel."""
    if _KERNEL is None or _BACKWARD is None:
        return False
    sizes = {part.shape[-1] for part in heads}
    return heads[0].device.type == "cpu" and len(sizes) == 1 and not dropout


def by_segments(
    heads: Heads, tree: tuple[Segment, ...], scale: float | None = None
) -> torch.Tensor:
    """Returns (1, heads, n, size), of the values' type."""
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

        def found(looking: slice, at: slice, causal: bool) -> tuple[torch.Tensor, torch.Tensor]:
            parts = queries[:, :, looking], keys[:, :, at], values[:, :, at]
            part, logsumexp = _KERNEL(*parts, 0.0, causal, scale=scale)
            return part, logsumexp

        _, heads, count, size = query.shape
        out = query.new_empty((1, count, heads, size), dtype=_wide(query)).transpose(1, 2)
        logsumexp = out.new_empty((1, count, heads)).transpose(1, 2)
        for one in tree:  # each token is in one segment
            out[:, :, one.own], logsumexp[:, :, one.own] = found(one.own, one.own, True)
        for own, beneath in branching(tree):
            known = out[:, :, beneath], logsumexp[:, :, beneath]
            _join(*known, *found(beneath, own, False))
        out = out.to(value.dtype)  # autocast leaves turned queries and keys longer
        ctx.save_for_backward(query, key, value, out, logsumexp)
        ctx.tree, ctx.scale, ctx.kind = tree, scale, kind
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *above: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        *saved, logsumexp = ctx.saved_tensors
        queries, keys, values, outs, aboves = (part.to(ctx.kind) for part in (*saved, *above))

        def found(looking: slice, at: slice, causal: bool) -> Heads:
            around = aboves[:, :, looking], queries[:, :, looking], keys[:, :, at]
            after = values[:, :, at], outs[:, :, looking], logsumexp[:, :, looking]
            parts: Heads = _BACKWARD(*around, *after, 0.0, causal, scale=ctx.scale)
            return parts

        sums = [torch.empty_like(part, dtype=_wide(part)) for part in saved[:3]]
        for one in ctx.tree:
            for total, part in zip(sums, found(one.own, one.own, True), strict=True):
                total[:, :, one.own] = part
        for own, beneath in branching(ctx.tree):
            where, parts = (beneath, own, own), found(beneath, own, False)
            for total, at, part in zip(sums, where, parts, strict=True):
                total[:, :, at] += part
        grads = (total.to(part.dtype) for total, part in zip(sums, saved, strict=False))
        return *grads, None, None


def _join(
    known: torch.Tensor, sums: torch.Tensor, more: torch.Tensor, more_sums: torch.Tensor
) -> None:
    """Add to what tokens have found what they find in another segment: `known` and `sums` change.

    known, more: (1, heads, tokens, size).   sums, more_sums: (1, heads, tokens), logarithms.
    """
    joined = torch.logaddexp(sums, more_sums)
    known *= (sums - joined).exp_()[..., None]
    known += more * (more_sums - joined).exp_()[..., None]
    sums.copy_(joined)


def _wide(part: torch.Tensor) -> torch.dtype:
    """What is summed up in: float32, or float64 for such."""
    return torch.promote_types(part.dtype, torch.float32)


def _kind(query: torch.Tensor) -> torch.dtype:
    """What to compute in: what fused attention would, where this machine is fast in it."""
    if not fast_bf16_attention(query.device.type):
        return _wide(query)
    return computed_in(query)
