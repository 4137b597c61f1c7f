"""Attention within a packed trie, segment by segment: on a CPU, each shared key is read once.

A segment is a stretch of the trie without a branch: a node of its radix tree. Its tokens attend to
themselves, causally. All tokens beneath it follow it in depth-first order, and attend to the whole
segment in one call of torch's fused kernel, however many rows they belong to. The results of a
token's segments are joined by their log-sum-exp, as FlashAttention joins blocks of keys
(arXiv 2205.14135, section 3.1); as there, the kernel's backward, given the joined output and
log-sum-exp, returns the gradients of each part separately.

torch's CPU kernel returns its log-sum-exp, and has a backward, only under the operators' internal
names, which torch may change; `scaled_dot_product_attention` hides them.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from trainer.runtime.hardware import fast_bf16_attention
from trainer.tokens.trie import Trie

_NAME = "_scaled_dot_product_flash_attention_for_cpu"
_KERNEL: Any = getattr(torch.ops.aten, _NAME, None)
_BACKWARD: Any = getattr(torch.ops.aten, f"{_NAME}_backward", None)

Heads = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Queries, keys and values, each (1, heads, n, size); keys and values may have fewer heads, which
are then shared."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a trie without a branch.

    Attributes:
        own: Its tokens in the packed trie.
        beneath: All tokens below it, in any row; None if there are none.
    """

    own: slice
    beneath: slice | None


def segments(trie: Trie) -> tuple[Segment, ...]:
    """Return the segments of a trie, in depth-first order."""
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


def _inner(tree: tuple[Segment, ...]) -> list[tuple[slice, slice]]:
    """Return `own` and `beneath` of the segments that have tokens below them."""
    return [(one.own, one.beneath) for one in tree if one.beneath]


def possible(heads: Heads, dropout: float) -> bool:
    """Return whether `by_segments` can be used.

    It runs on a CPU, for heads of one size, without dropout, if this torch has the kernel.
    """
    if _KERNEL is None or _BACKWARD is None:
        return False
    sizes = {part.shape[-1] for part in heads}
    return heads[0].device.type == "cpu" and len(sizes) == 1 and not dropout


def by_segments(
    heads: Heads, tree: tuple[Segment, ...], scale: float | None = None
) -> torch.Tensor:
    """Attend within the trie whose segments are `tree`.

    Returns:
        (1, heads, n, size), of the values' type.
    """
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
        dtype = _compute_dtype(query)
        queries, keys, values = (part.to(dtype) for part in (query, key, value))

        def attend(rows: slice, to: slice, causal: bool) -> tuple[torch.Tensor, torch.Tensor]:
            parts = queries[:, :, rows], keys[:, :, to], values[:, :, to]
            part, logsumexp = _KERNEL(*parts, 0.0, causal, scale=scale)
            return part, logsumexp

        _, heads, count, size = query.shape
        out = query.new_empty((1, count, heads, size), dtype=_sum_dtype(query)).transpose(1, 2)
        logsumexp = out.new_empty((1, count, heads)).transpose(1, 2)
        for one in tree:  # each token is in one segment
            out[:, :, one.own], logsumexp[:, :, one.own] = attend(one.own, one.own, True)
        for own, beneath in _inner(tree):
            joined = out[:, :, beneath], logsumexp[:, :, beneath]
            _join(*joined, *attend(beneath, own, False))
        # Under autocast rotary embeddings make queries and keys float32; values stay shorter.
        out = out.to(value.dtype)
        ctx.save_for_backward(query, key, value, out, logsumexp)
        ctx.tree, ctx.scale, ctx.dtype = tree, scale, dtype
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *out_grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        *saved, logsumexp = ctx.saved_tensors
        queries, keys, values, outs, out_grads = (
            part.to(ctx.dtype) for part in (*saved, *out_grad)
        )

        def gradients(rows: slice, to: slice, causal: bool) -> Heads:
            inputs = out_grads[:, :, rows], queries[:, :, rows], keys[:, :, to]
            outputs = values[:, :, to], outs[:, :, rows], logsumexp[:, :, rows]
            parts: Heads = _BACKWARD(*inputs, *outputs, 0.0, causal, scale=ctx.scale)
            return parts

        sums = [torch.empty_like(part, dtype=_sum_dtype(part)) for part in saved[:3]]
        for one in ctx.tree:
            for total, part in zip(sums, gradients(one.own, one.own, True), strict=True):
                total[:, :, one.own] = part
        for own, beneath in _inner(ctx.tree):
            places, parts = (beneath, own, own), gradients(beneath, own, False)
            for total, at, part in zip(sums, places, parts, strict=True):
                total[:, :, at] += part
        grads = (total.to(part.dtype) for total, part in zip(sums, saved, strict=False))
        return *grads, None, None


def _join(
    out: torch.Tensor, logsumexp: torch.Tensor, more: torch.Tensor, more_logsumexp: torch.Tensor
) -> None:
    """Add attention to another segment to `out` and `logsumexp`, in place.

    out, more: (1, heads, tokens, size). The others: (1, heads, tokens).
    """
    joined = torch.logaddexp(logsumexp, more_logsumexp)
    out *= (logsumexp - joined).exp_()[..., None]
    out += more * (more_logsumexp - joined).exp_()[..., None]
    logsumexp.copy_(joined)


def _sum_dtype(part: torch.Tensor) -> torch.dtype:
    """Return the type to sum in: float32, or float64 for float64."""
    return torch.promote_types(part.dtype, torch.float32)


def _compute_dtype(query: torch.Tensor) -> torch.dtype:
    """Return the type that torch's attention would compute in, if this machine is fast in it."""
    device = query.device.type
    if not fast_bf16_attention(device):
        return _sum_dtype(query)
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else query.dtype
