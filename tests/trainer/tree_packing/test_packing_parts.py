"""Attention within a trie, which rows are packed together, and what a trainer gets of it."""

from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

from trainer.tokens.trie import Trie, pack
from trainer.tree_packing.attention import Tree, attention
from trainer.tree_packing.attention_segments import Heads, by_segments, possible, segments
from trainer.tree_packing.batches import Packing, attach, plan
from trainer.tree_packing.grouping import distinct, split

ROWS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=7), min_size=1, max_size=7)


def spread(trie: Trie, shared: int) -> Heads:
    """Queries, keys and values of two heads; keys of their own or shared by both."""
    torch.manual_seed(0)
    query = torch.randn(1, 2, trie.distinct, 4, requires_grad=True)
    key, value = torch.randn(2, 1, 2 // shared, trie.distinct, 4).unbind()
    return query, key.requires_grad_(), value.requires_grad_()


def masked(heads: Heads, trie: Trie, shared: int) -> torch.Tensor:
    """Attention as the (n, n) mask of the trie says."""
    where, ends = torch.arange(trie.distinct), torch.from_numpy(trie.ends)
    seen = (where <= where[:, None]) & (where[:, None] < ends)
    repeated = (part.repeat_interleave(shared, dim=1) for part in heads[1:])
    return functional.scaled_dot_product_attention(heads[0], *repeated, attn_mask=seen, scale=0.3)


@settings(deadline=None)
@given(rows=ROWS, shared=st.sampled_from([1, 2]))
def test_attention_is_to_ancestors(rows: list[list[int]], shared: int) -> None:
    """Against the (n, n) mask, with its gradients."""
    trie = pack(rows)
    heads = spread(trie, shared)
    expected = masked(heads, trie, shared)
    mine = by_segments(heads, segments(trie), 0.3)
    torch.testing.assert_close(mine, expected)
    above = torch.randn_like(mine)
    grads = (torch.autograd.grad(out, heads, above) for out in (mine, expected))
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other)


@settings(deadline=None)
@given(rows=ROWS)
def test_the_mask_of_a_trie_shows_each_token_its_row(rows: list[list[int]]) -> None:
    """Against the rows themselves: every token sees what its row holds up to it, and no more."""
    trie = pack(rows)
    seen = torch.zeros(trie.distinct, trie.distinct, dtype=torch.bool)
    for path in trie.rows:
        for length in range(1, len(path) + 1):
            seen[path[length - 1], path[:length]] = True
    assert torch.equal(Tree(trie, torch.device("cpu")).mask[0, 0], seen)


def test_autocast_is_followed() -> None:
    """Queries and keys that were turned in float32, as a model under autocast gives them."""
    trie = pack([[1, 2, 3], [1, 2, 4, 5], [6]])
    query, key, value = spread(trie, shared=2)
    expected = masked((query, key, value), trie, shared=2)
    with torch.autocast("cpu", torch.bfloat16):
        mine = by_segments((query, key, value.bfloat16()), segments(trie), 0.3)
    assert mine.dtype == torch.bfloat16
    torch.testing.assert_close(mine.float(), expected, atol=0.02, rtol=0.02)
    given = torch.autograd.grad(mine, (query, value), torch.ones_like(mine))
    wanted = torch.autograd.grad(expected, (query, value), torch.ones_like(expected))
    torch.testing.assert_close(given, wanted, atol=0.03, rtol=0.03)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_dropout_takes_the_mask(dropout: float) -> None:
    trie = pack([[1, 2, 3], [1, 2, 4, 5], [6]])
    heads = spread(trie, shared=1)
    assert possible(heads, dropout) == (dropout == 0.0)
    tree = Tree(trie, torch.device("cpu"))
    torch.manual_seed(0)
    mine, _ = attention(torch.nn.Module(), *heads, None, tree, dropout=dropout, scaling=0.3)
    torch.manual_seed(0)
    expected = functional.scaled_dot_product_attention(
        *heads, attn_mask=tree.mask, dropout_p=dropout, scale=0.3
    )
    torch.testing.assert_close(mine, expected.transpose(1, 2))
    assert ("segments" in vars(tree)) == (dropout == 0.0)


def test_values_of_another_size_take_the_mask() -> None:
    """As in DeepSeek's latent attention, whose values are shorter than its keys."""
    trie = pack([[1, 2, 3], [1, 2, 4, 5], [6]])
    query, key, value = spread(trie, shared=1)
    value = value[..., :3]
    assert not possible((query, key, value), 0.0)
    tree = Tree(trie, torch.device("cpu"))
    mine, _ = attention(torch.nn.Module(), query, key, value, None, tree, scaling=0.3)
    torch.testing.assert_close(mine, masked((query, key, value), trie, 1).transpose(1, 2))


def test_a_segment_ends_where_rows_part() -> None:
    trie = pack([[1, 2, 3, 4], [1, 2, 3, 5, 6], [1, 2, 3], [1, 2, 7], [8]])
    found = [(one.own, one.beneath) for one in segments(trie)]
    assert found == [
        (slice(0, 2), slice(2, 7)),
        (slice(2, 3), slice(3, 6)),
        (slice(3, 4), None),
        (slice(4, 6), None),
        (slice(6, 7), None),
        (slice(7, 8), None),
    ]


def every_cut(rows: list[list[int]], budget: int, most: int) -> int:
    """The fewest tokens of any cut of the sorted rows into groups that fit."""
    order = sorted(range(len(rows)), key=lambda number: rows[number])
    found = []
    for count in range(len(rows)):
        for cuts in combinations(range(1, len(rows)), count):
            ends = [0, *cuts, len(rows)]
            groups = [order[one:other] for one, other in zip(ends, ends[1:], strict=False)]
            fits = all(
                len(group) == 1 or (len(group) <= most and distinct(rows, [group]) <= budget)
                for group in groups
            )
            if fits:
                found.append(distinct(rows, groups))
    return min(found)


@settings(deadline=None)
@given(ROWS, st.integers(1, 25), st.integers(1, 7))
def test_rows_are_cut_where_least_is_shared(rows: list[list[int]], budget: int, most: int) -> None:
    groups = split(rows, budget, most)
    assert sorted(number for group in groups for number in group) == list(range(len(rows)))
    for group in groups:
        assert len(group) <= most
        assert len(group) == 1 or distinct(rows, [group]) <= budget
    assert distinct(rows, groups) == every_cut(rows, budget, most)


def test_small_tries_share_a_group() -> None:
    assert split([[1, 2], [3], [4, 5], [6]], budget=6, most=9) == [[0, 1, 2, 3]]


def model() -> LlamaForCausalLM:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=64,
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
        )
    )


PATHS = [[tree, 1, 2, 3, 4, 5, 6, path] for tree in range(4) for path in range(4)]


def test_a_step_keeps_its_number_of_rows() -> None:
    """8 rows a step, at most half of them in one trie: two tries of four paths."""
    found = plan("auto", model(), PATHS, budget=99, step=8)
    assert found.groups == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]]
    assert found.ratio == (4 * 8) / (7 + 4)
    assert found.flags == {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 2}


@pytest.mark.parametrize(
    ("rows", "step", "reason"),
    [
        ([[1, 2], [3, 4]], 8, "the rows share no prefix that is worth it"),
        (PATHS, 1, "the rows share no prefix that is worth it"),  # a step of one row
    ],
)
def test_auto_packs_only_what_is_shared(rows: list[list[int]], step: int, reason: str) -> None:
    found = plan("auto", model(), rows, budget=99, step=step)
    assert (found.packed, found.reason, found.flags) == (False, reason, {})
    assert plan("on", model(), rows, budget=99, step=step).packed
    assert plan("off", model(), PATHS, budget=99, step=8).reason == "--tree-packing off"


def test_groups_have_every_column_and_are_collated_as_rows() -> None:
    rows = [{"input_ids": [n, n + 1], "weights": [0.0, 1.0], "items": n} for n in range(3)]
    packing = Packing([[2, 0], [1]])
    grouped = packing.grouped(rows)
    assert grouped[0] == {
        "input_ids": [[2, 3], [0, 1]],
        "weights": [[0.0, 1.0], [0.0, 1.0]],
        "items": [2, 0],
    }
    assert Packing([], reason="off").grouped(rows) == rows

    class Trainer:
        def __init__(self) -> None:
            self.model = model()
            self.data_collator = lambda examples: {"rows": examples}

    trainer = Trainer()
    attach(packing, trainer)  # type: ignore[arg-type]
    assert trainer.data_collator(grouped)["rows"] == [rows[2], rows[0], rows[1]]
    assert trainer.data_collator(rows[:2])["rows"] == rows[:2]  # held-out rows are not grouped
