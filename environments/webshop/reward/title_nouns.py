"""The nouns of titles, which the original's reward compares: from a tagger's table, or a lexicon.

The original tags titles with spaCy's `en_core_web_sm` at each purchase. Here the model, if it is
installed (the extra `webshop`, then `python -m spacy download en_core_web_sm`), reads each title of
a shop once. The table is cached by the shop's content, so later runs need no model. Without table
and model, `noun_rules` replaces them.

With model 3.8 the golden rewards are equal in every part; `noun_rules` says how well rules do.
A table takes about two seconds per 1,000 titles.
"""

import importlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from environments.built_files import build_once, default_folder
from environments.webshop.reward.noun_rules import lexicon_nouns
from environments.webshop.shop.sqlite_reader import Reader

Nouns = Callable[[str], Sequence[str]]
"""Returns the nouns and proper nouns of a title, in lower case, repeated as in the title."""

MODEL = "en_core_web_sm"
_NOT_NEEDED = ("parser", "ner", "lemmatizer", "senter")
"""Without these the model finds the same nouns, five times as fast."""
_TABLE = "CREATE TABLE noun (title TEXT PRIMARY KEY, nouns TEXT NOT NULL) WITHOUT ROWID"


class Source(NamedTuple):
    """A source of nouns; `name` is the model and its version, or "lexicon"."""

    name: str
    nouns: Nouns


LEXICON = Source("lexicon", lexicon_nouns)


def open_nouns(
    titles: Callable[[], Iterable[str]], fingerprint: str, folder: Path | None = None
) -> Source:
    """Return the best source of nouns; `titles` is called only to make a table."""
    made = sorted((folder or default_folder()).glob(f"{fingerprint}-{MODEL}-*.nouns"))
    installed = model_version()
    if installed:
        name = f"{fingerprint}-{MODEL}-{installed}.nouns"
        made = [build_once(name, lambda path: write_table(path, titles(), tag), folder)]
    if not made:
        return LEXICON
    return Source(made[-1].stem.removeprefix(f"{fingerprint}-"), read_table(made[-1]))


def model_version() -> str | None:
    """Return the version of the model; None if it or spaCy is not installed."""
    try:
        version("spacy")
        return version(MODEL)
    except PackageNotFoundError:
        return None


def tag(titles: Iterable[str]) -> Iterator[list[str]]:
    """Yield the nouns of each title by the model, which must be installed."""
    model = importlib.import_module("spacy").load(MODEL, exclude=_NOT_NEEDED)
    for read in model.pipe(titles):
        yield [token.text.lower() for token in read if token.pos_ in ("NOUN", "PROPN")]


def write_table(
    path: Path, titles: Iterable[str], tagger: Callable[[Iterable[str]], Iterable[list[str]]]
) -> None:
    """Write what `tagger` finds in each of `titles` to `path`, which is not there yet."""
    different = list(dict.fromkeys(titles))
    rows = zip(different, map(json.dumps, tagger(different)), strict=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(_TABLE)
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO noun VALUES (?, ?)", rows)
        connection.execute("COMMIT")


def read_table(path: Path) -> Nouns:
    """Return a table's nouns; titles that are not in it get those of `noun_rules`."""
    reader = Reader(path)

    def nouns(title: str) -> Sequence[str]:
        row = reader.one("SELECT nouns FROM noun WHERE title = ?", title)
        return tuple(json.loads(row[0])) if row else lexicon_nouns(title)

    return nouns
