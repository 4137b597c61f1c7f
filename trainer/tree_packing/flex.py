"""Attention within a packed trie by FlexAttention: on a GPU, one compiled kernel for all of it.

torch compiles a kernel that asks of each pair of tokens whether the one may look at the other, and
asks only in blocks of 128 x 128 where some may and some may not; blocks where none may are left
out (FlexAttention, arXiv 2412.05496). A kernel is compiled for one length. So a trie is filled up
to a power of two, with tokens that see themselves alone, and a training compiles two or three.

torch calls FlexAttention a prototype, and what it compiled has computed wrong gradients
(pytorch/pytorch issues 146377 and 158212). So each kernel is compared with `runs` before it is
used, gradients too; where it differs or does not compile, `runs` stay, and the user is told.

Limit: it has not been run on a GPU by us. On a CPU torch has its forward only, which is tested.
"""

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import starmap

import torch
from torch.nn import functional
from torch.nn.attention.flex_attention import BlockMask, flex_attention

from trainer.runtime import distributed
from trainer.tokens.trie import Trie, pack
from trainer.tree_packing.attention_runs import Heads, by_runs, computed_in, runs

BLOCK = 128
SHORTEST = 1024
"""Shorter tries are filled up to it."""
AGREES = 0.05
"""How far a kernel may be off, by `furthest`: bfloat16 alone is by .02, a wrong block by .15."""

KERNELS = 64
"""How many may be compiled: a length's forward, and its backward, for training and for held-out
rows. torch's own limit is 8."""

FORBIDS = "TORCH_COMPILE_DISABLE"
"""The variable with which torch compiles nothing, and would hold the scores of all pairs."""

Shapes = tuple[tuple[int, int], ...]
"""Number and size of queries' heads, keys' and values'."""


def length(tokens: int) -> int:
    """What a trie of so many is filled up to."""
    return max(SHORTEST, 1 << (tokens - 1).bit_length())


def blocks(trie: Trie, device: torch.device | str = "cpu") -> BlockMask:
    """Who may look at whom, of a trie filled up to `length`.

    The same as torch's `create_block_mask`, which makes the whole (length, length) mask first:
    a block of keys is seen at all by queries before its last end, and wholly by those before its
    first.
    """
    filled = length(trie.distinct)
    ends = torch.arange(1, filled + 1, device=device)
    ends[: trie.distinct] = torch.from_numpy(trie.ends)

    def looks(
        batch: torch.Tensor, head: torch.Tensor, query: torch.Tensor, key: torch.Tensor
    ) -> torch.Tensor:
        return (key <= query) & (query < ends[key])

    starts = torch.arange(0, filled, BLOCK, device=device)[:, None]
    earlier = starts > starts.T
    first, last = ends.view(-1, BLOCK).aminmax(dim=1)
    wholly = earlier & (first >= starts + BLOCK)
    partly = (earlier & (last > starts) & ~wholly) | (starts == starts.T)
    tables = (*_table(partly), *_table(wholly))
    return BlockMask.from_kv_blocks(
        *tables, BLOCK_SIZE=BLOCK, mask_mod=looks, seq_lengths=(filled, filled)
    )


def _table(seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each block of queries: how many blocks of keys, and which, those first."""
    seen = seen[None, None].to(torch.int32)
    which = seen.argsort(dim=-1, descending=True, stable=True)
    return seen.sum(-1, dtype=torch.int32), which.to(torch.int32)


def possible(heads: Heads, dropout: float) -> bool:
    """Whether `by_flex` can be used: on a GPU, without dropout, if the kernel passes its check."""
    query = heads[0]
    if query.device.type != "cuda" or dropout:
        return False
    shapes = tuple((part.shape[1], part.shape[3]) for part in heads)
    return not fault(query.device, computed_in(query), length(query.shape[2]), shapes)


@functools.cache
def fault(device: torch.device, kind: torch.dtype, tokens: int, shapes: Shapes) -> str:
    """Why the kernel for such heads is not used; "" if it computes what `runs` do. It says so once.

    kind: what is computed in.   tokens: how many the kernel is for.
    shapes: number and size of the queries' heads, the keys' and the values'.
    """
    found = apart(lambda: _fault(device, kind, tokens, shapes))
    if found:
        distributed.say_once(
            f"FlexAttention is not used, packed tries are slower without it: {found}"
        )
    return found


def apart(check: Callable[[], str]) -> str:
    """What `check` finds in a thread of its own, to which autograd's state belongs: the layer that
    asks may be within a checkpoint, which counts what is saved for its backward."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(check).result()


def _fault(device: torch.device, kind: torch.dtype, tokens: int, shapes: Shapes) -> str:
    if os.environ.get(FORBIDS) == "1":
        return f"{FORBIDS} is set"
    trie = comb(tokens)
    random = torch.Generator(device).manual_seed(0)
    query, key, value, above = (
        torch.randn(1, number, trie.distinct, size, dtype=kind, device=device, generator=random)
        for number, size in (*shapes, (shapes[0][0], shapes[2][1]))
    )
    heads = (query.requires_grad_(), key.requires_grad_(), value.requires_grad_())
    try:
        mine = by_flex(heads, blocks(trie, device))
        mine_parts = (mine, *torch.autograd.grad(mine, heads, above))
        known = by_runs(heads, runs(trie.parents, device))
        known_parts = (known, *torch.autograd.grad(known, heads, above))
    except (RuntimeError, ValueError, TypeError, OSError, ImportError) as error:  # compilers'
        return " ".join(str(error).split())[:300] or type(error).__name__
    off = max(starmap(furthest, zip(mine_parts, known_parts, strict=True)))
    return "" if off <= AGREES else f"its kernel computes something else here (by {off:.0%})"


def furthest(one: torch.Tensor, other: torch.Tensor) -> float:
    """How far apart the token is that differs most, relative to itself and to the average.

    one, other: (1, heads, n, size).
    """
    one, other = one.detach().float(), other.detach().float()
    size = other.norm(dim=-1)
    return float(((one - other).norm(dim=-1) / (size + size.mean())).max())


def comb(tokens: int) -> Trie:
    """A trie that a kernel for `tokens` is checked on: paths that leave a trunk one after another,
    and end amid blocks."""
    trunk, twig = range(tokens * 5 // 16), tokens // 13
    stems = (trunk[: at * len(trunk) // 9] for at in range(1, 9))
    rows = [[*trunk], *([*stem, *[tokens + len(stem)] * twig] for stem in stems)]
    return pack(rows)


def by_flex(heads: Heads, seen: BlockMask, scale: float | None = None) -> torch.Tensor:
    """Returns (1, heads, n, size), of the values' type.

    seen: `blocks` of the heads' trie.
    """
    tokens, kind = heads[0].shape[2], computed_in(heads[0])
    spare = seen.shape[-1] - tokens
    filled = (functional.pad(part.to(kind), (0, 0, 0, spare)).contiguous() for part in heads)
    shared = heads[0].shape[1] > heads[1].shape[1]
    # A kernel is compiled for a state of autocast, too: the one that is checked is the one used.
    with torch.autocast(heads[0].device.type, enabled=False):
        out: torch.Tensor = _compiled()(*filled, block_mask=seen, scale=scale, enable_gqa=shared)
    return out[:, :, :tokens].to(heads[2].dtype)


@functools.cache
def _compiled() -> Callable[..., torch.Tensor]:
    """Whole or not at all: beyond its limit of kernels torch would go on with the scores of all
    pairs in memory, and only warn."""
    limits = torch.compiler.config
    limits.recompile_limit = max(limits.recompile_limit, KERNELS)
    return torch.compile(flex_attention, dynamic=False, fullgraph=True)
