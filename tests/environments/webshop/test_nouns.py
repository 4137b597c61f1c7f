"""Nouns of titles: the words, the lexicon, and the table that a tagger fills."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from environments.webshop.reward.noun_rules import NOT_NOUNS, lexicon_nouns
from environments.webshop.reward.title_nouns import LEXICON, open_nouns, read_table, write_table
from environments.webshop.reward.title_words import words

TITLES = ("Wool Socks for Men", "Cotton Socks")


@pytest.mark.parametrize(
    ("title", "parted"),
    [
        ("Women's T-Shirt, Blue/Green", "Women 's T - Shirt , Blue / Green"),
        ('16oz (Pack of 2) 18" x 3.5cm', '16 oz ( Pack of 2 ) 18 " x 3.5 cm'),
        ("100% Cotton... $5 +1 A+", "100 % Cotton ... $ 5 +1 A+"),
        ("Nut-Free,Gluten-Free", "Nut - Free , Gluten - Free"),
        ("24-Pack 2-4 iPad/iPhone", "24 - Pack 2 - 4 iPad / iPhone"),
        ("Dr. Bob's Tea Co. Don't U.S.", "Dr. Bob 's Tea Co. Do n't U.S."),
        ("Watch™ 75°", "Watch ™ 75 °"),
    ],
)
def test_words(title: str, parted: str) -> None:
    """As spaCy 3.8 parts them."""
    assert list(words(title)) == parted.split()


@given(st.text())
def test_words_lose_nothing_but_blanks(title: str) -> None:
    assert "".join(words(title)) == "".join(title.split())


def test_the_lexicon_takes_names_and_leaves_small_words_and_marks() -> None:
    title = "The Socks & Socks, for 2 Men - with 3D Prints"
    assert lexicon_nouns(title) == ("socks", "socks", "men", "3d", "prints")


@given(st.text())
def test_nouns_are_words_in_lower_case(title: str) -> None:
    nouns = lexicon_nouns(title)
    assert not NOT_NOUNS & set(nouns)
    assert set(nouns) <= {word.lower() for word in words(title)}


def test_a_table_holds_what_the_tagger_said(tmp_path: Path) -> None:
    def last_words(titles: Iterable[str]) -> Iterator[list[str]]:
        return ([title.split()[-1], title.split()[-1]] for title in titles)

    write_table(tmp_path / "table", (*TITLES, TITLES[0]), last_words)
    nouns = read_table(tmp_path / "table")
    assert nouns(TITLES[0]) == ("Men", "Men")
    assert nouns(TITLES[1]) == ("Socks", "Socks")
    assert nouns("Red Hat") == lexicon_nouns("Red Hat")


def test_without_spacy_the_lexicon_stands_in(tmp_path: Path) -> None:
    assert open_nouns(lambda: TITLES, "shop", tmp_path) is LEXICON


SPACY = '''
"""Speaks as much of spaCy as is used: tokens of one kind each, by the case of their letters."""
from types import SimpleNamespace as Named

def load(name, exclude):
    assert name == "en_core_web_sm" and "parser" in exclude and "tagger" not in exclude
    return Named(pipe=lambda titles: map(read, titles))

def read(title):
    kinds = {True: "PROPN", False: "ADP"}
    return [Named(text=word, pos_=kinds[word.istitle()]) for word in title.split()]
'''


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of packages in which spaCy and its model are installed."""
    packages = tmp_path / "packages"
    for name, version in (("spacy", "3.8.0"), ("en_core_web_sm", "3.8.1")):
        (packages / f"{name}-{version}.dist-info").mkdir(parents=True)
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (packages / f"{name}-{version}.dist-info" / "METADATA").write_text(metadata)
    (packages / "spacy.py").write_text(SPACY)
    monkeypatch.syspath_prepend(packages)
    monkeypatch.delitem(sys.modules, "spacy", raising=False)
    yield packages
    sys.modules.pop("spacy", None)


def test_the_model_reads_each_title_once_and_the_table_serves_without_it(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "kept"
    source = open_nouns(lambda: TITLES, "shop", folder)
    assert source.name == "en_core_web_sm-3.8.1"
    assert source.nouns(TITLES[0]) == ("wool", "socks", "men")
    assert open_nouns(nothing_to_read, "shop", folder).nouns(TITLES[1]) == ("cotton", "socks")
    monkeypatch.undo()
    assert open_nouns(nothing_to_read, "shop", folder).name == "en_core_web_sm-3.8.1"
    assert open_nouns(nothing_to_read, "other", folder) is LEXICON


def nothing_to_read() -> Iterable[str]:
    raise AssertionError("the table is there")
