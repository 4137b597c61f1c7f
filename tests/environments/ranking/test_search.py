"""Lucene's ranking, and the index that is kept on disk."""

import math
import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from environments.built_files import NotWritable, default_folder
from environments.ranking.analysis import terms
from environments.ranking.bm25 import rounded
from environments.ranking.cache import open_index
from environments.ranking.index import Index
from environments.ranking.postings import Memory, build
from environments.ranking.storage import Damaged, read_arrays

FORK = multiprocessing.get_context("fork")
SHOP = (("B2", "red shoes"), ("B1", "red shoes"), ("B3", "blue shoes, a red lace"), ("B4", "lamp"))

words = st.lists(st.sampled_from(["red", "blue", "shoes", "lamp", "wool", "the"]), max_size=60)
shops = st.dictionaries(st.text(max_size=3), words.map(" ".join), max_size=12)


def make_index(
    folder: Path, shop: Iterable[tuple[str, str]], memory: Memory | None = None
) -> Index:
    return Index(build(shop, folder, memory or Memory()))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for indexes that hypothesis draws, each over the last."""
    return tmp_path_factory.mktemp("indexes")


def test_equal_scores_are_in_the_order_of_ids(tmp_path: Path) -> None:
    index = make_index(tmp_path, SHOP)
    found = index.search("Red shoe!")
    assert [asin for asin, _ in found] == ["B1", "B2", "B3"]
    assert found[0][1] == found[1][1] > found[2][1]
    assert [asin for asin, _ in index.search("red shoe", 1)] == ["B1"]


def test_a_word_that_stands_twice_counts_twice(tmp_path: Path) -> None:
    index = make_index(tmp_path, SHOP)
    ((_, once),) = index.search("lamp")
    ((_, twice),) = index.search("the lamp, Lamps")
    assert twice == 2 * once


@pytest.mark.parametrize("query", ["", "the", "?!", "sofa", "\ud800"])
def test_nothing_is_found(tmp_path: Path, query: str) -> None:
    assert make_index(tmp_path, SHOP).search(query) == []


@pytest.mark.parametrize("shop", [[], [("B1", "the"), ("B2", "")]])
def test_a_shop_without_words(tmp_path: Path, shop: list[tuple[str, str]]) -> None:
    assert make_index(tmp_path, shop).search("red") == []


@given(shops, words)
def test_scores_are_the_formula(scratch: Path, shop: dict[str, str], query: list[str]) -> None:
    found = make_index(scratch, shop.items()).search(" ".join(query))
    expected = slow_scores(shop, " ".join(query))
    assert {asin: score for asin, score in found} == pytest.approx(expected, rel=1e-5)
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)


@given(shops, words, st.integers(0, 12))
def test_the_best_are_the_first_of_all(
    scratch: Path, shop: dict[str, str], query: list[str], count: int
) -> None:
    index = make_index(scratch, shop.items())
    text = " ".join(query)
    everything = index.search(text, len(shop))
    assert index.search(text, count) == everything[:count]
    assert everything == sorted(everything, key=lambda hit: (-hit[1], hit[0].encode()))


@settings(max_examples=40)
@given(shops, words, st.builds(Memory, st.integers(1, 5), st.integers(1, 5)), st.randoms())
def test_neither_memory_nor_order_changes_an_index(
    scratch: Path, shop: dict[str, str], query: list[str], memory: Memory, random: Random
) -> None:
    text = " ".join(query)
    expected = make_index(scratch, shop.items()).search(text)
    shuffled = random.sample(list(shop.items()), len(shop))
    assert make_index(scratch, shuffled, memory).search(text) == expected


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_can_be_sold_and_asked_for(scratch: Path, text: str) -> None:
    index = make_index(scratch, [*SHOP, ("B5", text)])
    found = index.search(text)
    assert bool(found) == any(terms(text))


@given(st.integers(1, 2**31 - 1))
def test_lengths_go_through_one_byte(length: int) -> None:
    assert rounded(np.array([length])).tolist() == [through_one_byte(length)]


def through_one_byte(length: int) -> int:
    """Lucene's SmallFloat, as it writes it: byte4ToInt(intToByte4(length))."""
    rest = length - 24
    if rest < 8:
        return length
    shift = rest.bit_length() - 4
    code = (rest >> shift & 7) | (shift + 1) << 3
    return 24 + ((code & 7 | 8) << (code >> 3) - 1)


def slow_scores(shop: dict[str, str], query: str) -> dict[str, float]:
    """BM25 as a formula, term by term, in ordinary floating point."""
    counts = {asin: Counter(terms(text)) for asin, text in shop.items()}
    counts = {asin: count for asin, count in counts.items() if count}
    scores: Counter[str] = Counter()
    for term in terms(query):
        holding = [asin for asin, count in counts.items() if term in count]
        idf = math.log(1 + (len(counts) - len(holding) + 0.5) / (len(holding) + 0.5))
        for asin in holding:
            mean = sum(count.total() for count in counts.values()) / len(counts)
            length = through_one_byte(counts[asin].total())
            norm = 0.9 * (1 - 0.4 + 0.4 * length / mean)
            scores[asin] += idf * counts[asin][term] / (counts[asin][term] + norm)
    return dict(scores)


class Shelf:
    """Documents that count how often they are read."""

    def __init__(self, *shop: tuple[str, str]) -> None:
        self.reads = 0
        self._shop = shop

    def __call__(self) -> Iterable[tuple[str, str]]:
        self.reads += 1
        return iter(self._shop)


def test_an_index_is_built_once_for_a_content(tmp_path: Path) -> None:
    shelf, other = Shelf(*SHOP), Shelf(("B9", "red"))
    first = open_index(shelf, "shop", tmp_path).search("red")
    again = open_index(shelf, "shop", tmp_path)
    assert (again.search("red"), len(again), shelf.reads) == (first, len(SHOP), 1)
    assert [asin for asin, _ in open_index(other, "other", tmp_path).search("red")] == ["B9"]


def test_an_empty_index_is_built_once(tmp_path: Path) -> None:
    shelf = Shelf()
    assert not len(open_index(shelf, "none", tmp_path))
    assert open_index(shelf, "none", tmp_path).search("red") == []
    assert shelf.reads == 1


def test_an_index_is_mapped_and_cannot_be_written(tmp_path: Path) -> None:
    open_index(Shelf(*SHOP), "shop", tmp_path)
    (path,) = tmp_path.glob("*.index")
    for array in read_arrays(path).values():
        assert isinstance(array, np.memmap)
        assert not array.flags.writeable


@settings(deadline=None, max_examples=30)
@given(where=st.floats(0, 1, exclude_max=True), cut=st.booleans())
def test_a_damaged_file_is_built_again(where: float, cut: bool) -> None:
    with TemporaryDirectory() as folder:
        shelf = Shelf(*SHOP)
        expected = open_index(shelf, "shop", Path(folder)).search("red")
        (path,) = Path(folder).glob("*.index")
        whole = path.read_bytes()
        at = int(where * len(whole))
        path.write_bytes(whole[:at] + (b"" if cut else bytes([whole[at] ^ 1]) + whole[at + 1 :]))
        with pytest.raises(Damaged):
            read_arrays(path)
        assert open_index(shelf, "shop", Path(folder)).search("red") == expected
        assert shelf.reads == 2
        assert path.read_bytes() == whole


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def unreadable() -> Iterator[tuple[str, str]]:
        yield SHOP[0]
        raise OSError("no such disk")

    with pytest.raises(NotWritable, match="no such disk"):
        open_index(unreadable, "shop", tmp_path)
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]
    assert len(open_index(Shelf(*SHOP), "shop", tmp_path)) == len(SHOP)


def test_a_killed_build_is_cleared_away(tmp_path: Path) -> None:
    process = FORK.Process(target=open_index, args=(die, "shop", tmp_path))
    process.start()
    process.join()
    assert [path.suffix for path in sorted(tmp_path.iterdir())] == [".building", ".lock", ".making"]
    assert len(open_index(Shelf(*SHOP), "shop", tmp_path)) == len(SHOP)
    assert [path.suffix for path in sorted(tmp_path.iterdir())] == [".index", ".lock"]


def die() -> Iterable[tuple[str, str]]:
    os.kill(os.getpid(), signal.SIGKILL)
    return SHOP


def test_processes_at_once_build_it_once(tmp_path: Path) -> None:
    processes = [FORK.Process(target=open_and_note, args=(tmp_path,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert (tmp_path / "reads").read_text() == "read\n"
    assert (tmp_path / "finds").read_text() == f"{len(SHOP)}\n" * 4


def open_and_note(folder: Path) -> None:
    def shelf() -> Iterator[tuple[str, str]]:
        note(folder / "reads", "read")
        yield from SHOP

    note(folder / "finds", str(len(open_index(shelf, "shop", folder / "kept"))))


def note(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(f"{text}\n")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotWritable, match="XDG_CACHE_HOME to a folder that can be written"):
        open_index(Shelf(*SHOP), "shop", tmp_path / "file" / "kept")


def test_where_indexes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/caches")
    assert default_folder() == Path("/var/caches/treegraft/webshop")
    assert default_folder("search-qa") == Path("/var/caches/treegraft/search-qa")
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert default_folder() == Path("/home/someone/.cache/treegraft/webshop")
