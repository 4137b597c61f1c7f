"""Attention within a trie, which rows are packed together, and what a trainer gets of it."""

from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

from trainer.packing.attention import attention, runs
from trainer.packing.batches import Packing, attach, plan
from trainer.packing.splitting import distinct, split
from trainer.trie import pack

ROWS = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=7), min_size=1, max_size=7)


@settings(deadline=None)
@given(ROWS, st.sampled_from([1, 2]))
def test_attention_by_runs_is_attention_to_ancestors(rows: list[list[int]], shared: int) -> None:
    """Against the (n, n) mask of the trie, with keys of their own and shared by two heads."""
    torch.manual_seed(0)
    trie = pack(rows)
    count = trie.distinct
    query = torch.randn(1, 2, count, 4)
    key, value = torch.randn(2, 1, 2 // shared, count, 4)
    mine, _ = attention(
        torch.nn.Module(), query, key, value, None, tree=runs(trie.parents), scaling=0.3
    )
    where, ends = torch.arange(count), torch.from_numpy(trie.ends)
    seen = (where <= where[:, None]) & (where[:, None] < ends)
    repeated = (part.repeat_interleave(shared, dim=1) for part in (key, value))
    expected = functional.scaled_dot_product_attention(
        query, *repeated, attn_mask=seen, scale=0.3
    ).transpose(1, 2)
    torch.testing.assert_close(mine, expected)


def test_there_is_one_run_for_each_row_that_adds_something() -> None:
    trie = pack([[1, 2, 3, 4], [1, 2, 3, 5, 6], [1, 2, 3], [1, 2, 7], [8]])
    found = [(run.start, run.end, run.ancestors) for run in runs(trie.parents)]
    assert found == [
        (0, 4, ()),
        (4, 6, ((0, 3),)),
        (6, 7, ((0, 2),)),
        (7, 8, ()),
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
    assert plan("off", model(), PATHS, budget=99, step=8).reason == "--tree_packing off"


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
