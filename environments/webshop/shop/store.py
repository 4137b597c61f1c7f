"""A shop's products and instructions in one SQLite file, built once from the original's files.

So a shop of any size opens at once and takes little memory: products are read on demand, and
processes that open the file share its pages in the system's cache.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any

from environments.errors import DataError
from environments.records import Faults
from environments.webshop.shop.files import Files
from environments.webshop.shop.listings import Instruction, Listing, listings
from environments.webshop.shop.products import FIELDS, Product, make_product
from environments.webshop.shop.sqlite_reader import Reader

_TABLES = """
    CREATE TABLE product (position INTEGER PRIMARY KEY, asin TEXT NOT NULL UNIQUE,
        low REAL NOT NULL, high REAL);
    CREATE TABLE record (position INTEGER PRIMARY KEY, record TEXT NOT NULL,
        attributes TEXT NOT NULL);
    CREATE TABLE instruction (id INTEGER PRIMARY KEY, position INTEGER NOT NULL,
        human INTEGER NOT NULL, text TEXT NOT NULL, attributes TEXT NOT NULL,
        options TEXT NOT NULL, goals INTEGER NOT NULL);
    CREATE TABLE fault (place TEXT NOT NULL, why TEXT NOT NULL, outcome TEXT NOT NULL);
"""
# Records are big: apart, all prices are read without touching their pages.
_RECORD = "SELECT record, attributes FROM record"
_INSTRUCTION = "SELECT id, position, human, text, attributes, options, goals FROM instruction"
_AT_HAND = 4096
"""Number of products kept in memory, about 5 KB each."""


def build(files: Files, path: Path, count: int | None = None) -> None:
    """Write the store of the first `count` records of `files` to the new file `path`.

    A malformed record is left out, and kept as a fault (see `Store.faults`).

    Raises:
        DataError: a file cannot be read, or all records are malformed; names both.
        sqlite3.OperationalError: the disk is full.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + _TABLES)
        connection.execute("BEGIN")
        faults, position = Faults(), -1
        for position, listing in enumerate(listings(files, count, faults)):
            _write(connection, position, listing)
        if position < 0 and (first := faults.first()):
            raise DataError(first)
        folder = f"{files.products.parent}/"  # another folder may hold the same files
        rows = ((place.removeprefix(folder), *rest) for place, *rest in faults.all())
        connection.executemany("INSERT INTO fault VALUES (?, ?, ?)", rows)
        connection.execute("COMMIT")


def _write(connection: sqlite3.Connection, position: int, listing: Listing) -> None:
    product = listing.product
    record = {name: listing.record[name] for name in FIELDS if name in listing.record}
    low, high = (*product.prices, None)[:2]
    connection.execute(
        "INSERT INTO product VALUES (?, ?, ?, ?)", (position, product.asin, low, high)
    )
    connection.execute(
        "INSERT INTO record VALUES (?, ?, ?)", (position, _json(record), _json(product.attributes))
    )
    connection.executemany(
        "INSERT INTO instruction VALUES (NULL, ?, ?, ?, ?, ?, ?)",
        (
            (
                position,
                made.human,
                made.text,
                _json(made.attributes),
                _json(made.options),
                made.goals,
            )
            for made in listing.instructions
        ),
    )


class Store:
    """The file that `build` made, read only; the threads of a process share it."""

    def __init__(self, path: Path) -> None:
        self._reader = Reader(path)
        self.product = lru_cache(maxsize=_AT_HAND)(self._product)
        """Returns the product at a position."""

    def faults(self) -> list[tuple[str, str, str]]:
        """Return place (a file's name and a record), fault and outcome of what was malformed."""
        return list(self._reader.all("SELECT place, why, outcome FROM fault ORDER BY rowid"))

    def size(self) -> int:
        """Return how many products there are."""
        return int(self._reader.one("SELECT count(*) FROM product")[0])

    def asins(self) -> Iterator[str]:
        """Return the ids of all products, in the order of the file."""
        return (asin for (asin,) in self._reader.all("SELECT asin FROM product ORDER BY position"))

    def position(self, asin: str) -> int:
        """Return the product's position; raise `KeyError` if it is not sold."""
        row = self._reader.one("SELECT position FROM product WHERE asin = ?", asin)
        if row is None:
            raise KeyError(asin)
        return int(row[0])

    def _product(self, position: int) -> Product:
        return _product(self._reader.one(f"{_RECORD} WHERE position = ?", position))

    def products(self) -> Iterator[Product]:
        """Return all products, in order, without keeping them in memory."""
        return map(_product, self._reader.all(f"{_RECORD} ORDER BY position"))

    def prices(self) -> Iterator[tuple[float, float | None]]:
        """Return low and high price of every product, in order; high is None for a single price."""
        return self._reader.all("SELECT low, high FROM product ORDER BY position")

    def instructions(self, human: bool) -> Iterator[tuple[int, int, Instruction]]:
        """Yield id, product position and instruction, for all of a kind, by product."""
        return map(
            _instruction, self._reader.all(f"{_INSTRUCTION} WHERE human = ? ORDER BY id", human)
        )

    def instructed(self, human: bool) -> Iterator[str]:
        """Return the asin of the product of each of `instructions`, in its order."""
        return (
            asin
            for (asin,) in self._reader.all(
                "SELECT asin FROM instruction JOIN product USING (position) WHERE human = ?"
                " ORDER BY id",
                human,
            )
        )

    def instruction(self, identifier: int) -> tuple[int, int, Instruction]:
        """Return the instruction with this id."""
        return _instruction(self._reader.one(f"{_INSTRUCTION} WHERE id = ?", identifier))


def _product(row: Sequence[str]) -> Product:
    record, attributes = map(json.loads, row)
    return make_product(record, tuple(attributes))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _instruction(row: Sequence[Any]) -> tuple[int, int, Instruction]:
    identifier, position, human, text, attributes, options, goals = row
    texts = tuple(json.loads(attributes)), tuple(json.loads(options))
    return identifier, position, Instruction(bool(human), text, *texts, goals)
