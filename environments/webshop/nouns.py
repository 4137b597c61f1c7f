"""The nouns of titles, which the original's reward compares: from a tagger's table, or a lexicon.

The original tags titles with spaCy's `en_core_web_sm` whenever something is bought. Here the model
reads each title of a shop once, where spaCy and it are installed (the extra `webshop`, and then
`python -m spacy download en_core_web_sm`). The table is kept by the shop's content, and serves
later runs without them. Where there is neither table nor model, `lexicon` stands in.

With model 3.8 the golden rewards are equal in every part; how far the lexicon agrees is told there.
A table takes about two seconds for 1,000 titles.
"""

import importlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from environments.webshop.keeping import default_folder, keep
from environments.webshop.lexicon import lexicon_nouns
from environments.webshop.reading import Reader

Nouns = Callable[[str], Sequence[str]]
"""The nouns and proper nouns of a title, in lower case, as often as they stand in it."""

MODEL = "en_core_web_sm"
_NOT_NEEDED = ("parser", "ner", "lemmatizer", "senter")
"""Without these the model finds the same nouns, five times as fast."""
_TABLE = "CREATE TABLE noun (title TEXT PRIMARY KEY, nouns TEXT NOT NULL) WITHOUT ROWID"


class Source(NamedTuple):
    """name: the model and its version ("en_core_web_sm-3.8.0"), or "lexicon"."""

    name: str
    nouns: Nouns


LEXICON = Source("lexicon", lexicon_nouns)


def open_nouns(
    titles: Callable[[], Iterable[str]], fingerprint: str, folder: Path | None = None
) -> Source:
    """The best source of nouns at hand for a shop's titles; see the top of this file.

    Args:
        titles: called only to make a table.
        fingerprint: stands for the titles; others have another one.
        folder: where tables are kept; see `keeping`.
    """
    made = sorted((folder or default_folder()).glob(f"{fingerprint}-{MODEL}-*.nouns"))
    installed = model_version()
    if installed:
        name = f"{fingerprint}-{MODEL}-{installed}.nouns"
        made = [keep(name, lambda path: write_table(path, titles(), tag), folder)]
    if not made:
        return LEXICON
    return Source(made[-1].stem.removeprefix(f"{fingerprint}-"), read_table(made[-1]))


def model_version() -> str | None:
    """The version of the model; None where it or spaCy is not installed."""
    try:
        version("spacy")
        return version(MODEL)
    except PackageNotFoundError:
        return None


def tag(titles: Iterable[str]) -> Iterator[list[str]]:
    """The nouns of each title by the model, which must be installed."""
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
    """The nouns that a table holds; by `lexicon` for a title that it does not."""
    reader = Reader(path)

    def nouns(title: str) -> Sequence[str]:
        row = reader.one("SELECT nouns FROM noun WHERE title = ?", title)
        return tuple(json.loads(row[0])) if row else lexicon_nouns(title)

    return nouns
