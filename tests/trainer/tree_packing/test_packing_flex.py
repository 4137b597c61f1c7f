"""FlexAttention within a trie: torch has its forward on a CPU, compiled, and no backward there."""

import os
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._dynamo.utils import counters
from torch.nn.attention.flex_attention import create_block_mask
from torch.utils.checkpoint import checkpoint

from trainer.tokens.trie import Ints, Trie, pack
from trainer.tree_packing import flex
from trainer.tree_packing.attention_runs import Heads, by_runs, runs

# torch's compiler, of what it imports itself.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated")

TABLES = [
    f"{kind}{side}_{name}"
    for kind in ("", "full_")
    for side in ("q", "kv")
    for name in ("num_blocks", "indices")
]
SHAPES = ((4, 16), (2, 16), (2, 16))


@pytest.fixture
def compiler() -> None:
    """torch compiles for a CPU by way of C++. A machine without a compiler fails in CI."""
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        (pytest.fail if "CI" in os.environ else pytest.skip)("no C++: apt-get install g++")


def paths(stems: list[int], twigs: list[int]) -> Trie:
    """Paths that leave a trunk of 1,000 tokens, at `stems` for as many as `twigs`."""
    trunk = list(range(1000))
    pairs = enumerate(zip(stems, twigs, strict=False))
    return pack([[*trunk[:stem], *[2000 + number] * twig] for number, (stem, twig) in pairs])


def spread(trie: Trie) -> Heads:
    torch.manual_seed(0)
    query, key, value = (
        torch.randn(1, number, trie.distinct, size, requires_grad=True) for number, size in SHAPES
    )
    return query, key, value


@settings(deadline=None, max_examples=30)
@given(
    stems=st.lists(st.integers(0, 1000), min_size=1, max_size=5),
    twigs=st.lists(st.sampled_from([1, 100, 128, 300]), min_size=5, max_size=5),
)
def test_the_blocks_are_torchs_own(stems: list[int], twigs: list[int]) -> None:
    """Against `create_block_mask`: which blocks are looked into, and which taken whole."""
    trie = paths(stems, twigs)
    mine = flex.blocks(trie)
    size = flex.length(trie.distinct)
    assert mine.shape[-2:] == (size, size)
    known = create_block_mask(mine.mask_mod, None, None, size, size, device="cpu")
    for table in TABLES:
        torch.testing.assert_close(getattr(mine, table), getattr(known, table))


@pytest.mark.usefixtures("compiler")
def test_one_compiled_kernel_does_for_all_tries_of_a_length() -> None:
    before = counters["stats"]["unique_graphs"]
    tries = [
        paths([400, 700, 300], [128, 50, 1]),
        paths([1, 1, 900], [3, 4, 100]),
        flex.comb(flex.SHORTEST),
    ]
    for trie in tries:
        heads = spread(trie)
        with torch.no_grad():
            mine = flex.by_flex(heads, flex.blocks(trie), 0.3)
            torch.testing.assert_close(mine, by_runs(heads, runs(trie.parents), 0.3))
    assert counters["stats"]["unique_graphs"] == before + 1


@pytest.mark.usefixtures("compiler")
def test_the_kernel_that_is_checked_is_the_one_that_is_used() -> None:
    """The check is outside of autocast, for which torch would compile another one."""
    trie = flex.comb(flex.SHORTEST)
    heads = spread(trie)
    query, key, value = (part.detach().bfloat16() for part in heads)
    with torch.no_grad():
        checked = flex.by_flex((query, key, value), flex.blocks(trie))
        before = counters["stats"]["unique_graphs"]
        with torch.autocast("cpu", torch.bfloat16):
            used = flex.by_flex(heads, flex.blocks(trie))
    torch.testing.assert_close(used, checked.float(), rtol=0, atol=0)
    assert counters["stats"]["unique_graphs"] == before


def test_what_fills_a_trie_up_is_hardly_computed() -> None:
    """A kernel for 1,024 tokens, and a trie of three rows of one: each block looks into itself."""
    mine = flex.blocks(pack([[1], [2], [3]]))
    assert mine.kv_num_blocks.unique().tolist() == [1]
    assert mine.full_kv_num_blocks is not None and not mine.full_kv_num_blocks.any()


def test_tries_are_filled_up_to_powers_of_two() -> None:
    assert [flex.length(n) for n in (1, 1024, 1025, 2048, 5000)] == [1024, 1024, 2048, 2048, 8192]
    for tokens in (1024, 4096, 65536):
        assert flex.length(flex.comb(tokens).distinct) == tokens


def by_known(heads: Heads, parents: Ints) -> tuple[torch.Tensor, ...]:
    """Attention run by run, and its gradients."""
    out = by_runs(heads, runs(parents))
    torch.manual_seed(1)
    above = torch.randn(out.shape).to(out.dtype)
    return (out, *torch.autograd.grad(out, heads, above))


def test_a_check_tells_a_wrong_mask_from_rounding() -> None:
    """The last twig of eight parts a token too early; bfloat16 is no reason to refuse."""
    trie = flex.comb(flex.SHORTEST)
    heads = spread(trie)
    known = by_known(heads, trie.parents)

    query, key, value = (part.detach().bfloat16().requires_grad_() for part in heads)
    rounded = by_known((query, key, value), trie.parents)
    assert max(map(flex.furthest, rounded, known)) < flex.AGREES / 2

    last = int(np.flatnonzero(np.diff(trie.parents) != 1)[-1]) + 1
    parents = trie.parents.copy()
    parents[last] -= 1
    assert max(map(flex.furthest, by_known(heads, parents), known)) > flex.AGREES


def test_a_kernel_that_fails_is_told_once_and_not_used(capsys: pytest.CaptureFixture[str]) -> None:
    """On a CPU torch has no backward."""
    for _ in range(2):
        assert flex.fault(torch.device("cpu"), torch.float32, flex.SHORTEST, SHAPES)
    said = capsys.readouterr()
    assert (said.out + said.err).count("FlexAttention is not used") == 1
    assert not flex.possible(spread(pack([[1, 2]])), 0.0)


def test_without_a_compiler_it_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_COMPILE_DISABLE", "1")
    found = flex.fault(torch.device("cpu"), torch.float32, 2 * flex.SHORTEST, SHAPES)
    assert found == "TORCH_COMPILE_DISABLE is set"


def test_a_check_within_a_checkpoint_leaves_it_whole() -> None:
    """What the check saves for its own backward is not counted as the layer's."""
    checks = []

    def check() -> str:
        trie = pack([[1, 2], [1, 3]])
        by_known(spread(trie), trie.parents)
        return "checked"

    def layer(given: torch.Tensor) -> torch.Tensor:
        if not checks:  # the layer is computed again before its backward
            checks.append(flex.apart(check))
        return given.sin() * given

    given = torch.ones(3, requires_grad=True)
    checkpoint(layer, given, use_reentrant=False).sum().backward()
    assert checks == ["checked"]
    torch.testing.assert_close(given.grad, given.sin() + given.cos())
