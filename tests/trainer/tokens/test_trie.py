"""The packed trie against one of nested dictionaries."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.tokens.trie import Trie, pack

# Few different tokens, so that rows share much; one that needs more than 31 bits, one below 0.
TOKENS = st.sampled_from([0, 1, 2, 2**31 + 7, -1])
ROWS = st.lists(st.lists(TOKENS, max_size=9), max_size=9)


@dataclass
class Naive:
    weight: float = 0.0
    children: dict[int, "Naive"] = field(default_factory=dict)

    def walk(self, depth: int = -1) -> Iterator[tuple[int, "Naive"]]:
        yield depth, self
        for child in self.children.values():
            yield from child.walk(depth + 1)


def naive(rows: list[list[int]], weights: list[list[float]]) -> Naive:
    root = Naive()
    for row, given_ in zip(rows, weights, strict=True):
        node = root
        for token, weight in zip(row, given_, strict=True):
            node = node.children.setdefault(token, Naive())
            node.weight += weight
    return root


@st.composite
def weighted(draw: st.DrawFn) -> tuple[list[list[int]], list[list[float]]]:
    rows = draw(ROWS)
    weight = st.sampled_from([0.0, 0.5, 1.0, 3.0])
    return rows, [
        [0.0, *draw(st.lists(weight, min_size=len(r), max_size=len(r)))][: len(r)] for r in rows
    ]


@given(weighted())
def test_it_holds_the_rows_and_nothing_else(
    case: tuple[list[list[int]], list[list[float]]],
) -> None:
    rows, weights = case
    trie, expected = pack(rows, weights), naive(rows, weights)
    nodes = [found for found in expected.walk() if found[0] >= 0]
    assert trie.tokens == sum(map(len, rows))
    assert trie.distinct == len(nodes)
    assert sorted(trie.depths.tolist()) == sorted(depth for depth, _ in nodes)
    assert [trie.ids[path].tolist() for path in trie.rows] == rows
    for row, path in zip(rows, trie.rows, strict=True):
        node = expected
        for depth, index in enumerate(path.tolist()):
            node = node.children[row[depth]]
            assert trie.depths[index] == depth
            assert trie.parents[index] == (path[depth - 1] if depth else -1)
            assert trie.weights[index] == node.weight
            assert trie.ends[index] - index == sum(1 for _ in node.walk())


@given(ROWS)
def test_what_a_token_attends_to_is_its_row_so_far(rows: list[list[int]]) -> None:
    trie = pack(rows)
    for path in trie.rows:
        for depth, index in enumerate(path.tolist()):
            seen = [j for j in range(index + 1) if index < trie.ends[j]]
            assert seen == path[: depth + 1].tolist()
    assert not trie.weights.any()


@given(ROWS, st.randoms())
def test_the_order_of_rows_does_not_matter(rows: list[list[int]], random: Random) -> None:
    order = list(range(len(rows)))
    random.shuffle(order)
    one, other = pack(rows), pack([rows[n] for n in order])
    for name in ("ids", "depths", "parents", "ends"):
        assert getattr(one, name).tolist() == getattr(other, name).tolist()
    assert [one.rows[n].tolist() for n in order] == [path.tolist() for path in other.rows]


def shape(trie: Trie) -> tuple[list[int], ...]:
    return trie.ids.tolist(), trie.depths.tolist(), trie.parents.tolist(), trie.ends.tolist()


def test_two_rows_that_part() -> None:
    trie = pack([[7, 8, 9], [7, 8, 1, 2]], [[0, 1, 1], [0, 1, 0, 2]])
    assert shape(trie) == ([7, 8, 1, 2, 9], [0, 1, 2, 3, 2], [-1, 0, 1, 2, 1], [5, 5, 4, 4, 5])
    assert trie.weights.tolist() == [0, 2, 0, 2, 1]
    assert (trie.tokens, trie.distinct, trie.ratio) == (7, 5, 7 / 5)


def test_nothing() -> None:
    assert (pack([]).distinct, pack([[]]).ratio) == (0, 1.0)


def test_weights_must_fit() -> None:
    with pytest.raises(ValueError, match="2 weights for a row of 1 tokens"):
        pack([[1]], [[0, 1]])
    with pytest.raises(ValueError, match="nothing before it"):
        pack([[1, 2]], [[1, 1]])
    with pytest.raises(ValueError, match="shorter"):
        pack([[1], [2]], [[0]])


def test_children_stand_in_the_order_of_their_ids() -> None:
    assert pack([[256, 3], [1], [256, 2]]).ids.tolist() == [1, 256, 2, 3]
