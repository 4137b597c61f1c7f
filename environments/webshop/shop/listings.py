"""Join a shop's files: each product that is sold, with its attributes and its instructions."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from math import prod
from pathlib import Path
from typing import Any

from environments.records import BadRecord, Faults
from environments.webshop.shop.files import Files
from environments.webshop.shop.json_stream import elements, members
from environments.webshop.shop.products import (
    NO_ATTRIBUTES,
    Product,
    is_sold,
    make_product,
    text,
    texts,
)


@dataclass(frozen=True, slots=True)
class Instruction:
    """What the data asks a shopper to buy, before options and price are chosen.

    Attributes:
        human: whether a person wrote it; else it was made from a template.
        options: the values that a human one names; those of a synthetic one are combined (`goals`).
        goals: how many goals it makes: one, or one per combination of the product's options, which
            is 0 if an option has no values.
    """

    human: bool
    text: str
    attributes: tuple[str, ...]
    options: tuple[str, ...]
    goals: int


@dataclass(frozen=True, slots=True)
class Listing:
    """A product, the record that it was made of, and its instructions."""

    product: Product
    record: Mapping[str, Any]
    instructions: tuple[Instruction, ...]


def listings(
    files: Files, count: int | None = None, faults: Faults | None = None
) -> Iterator[Listing]:
    """Yield what the first `count` records sell, in the order of the file.

    As in the original, a record whose asin is "nan" or longer than 10 characters is left out, and
    so is all but the first with one asin; both count as records. A malformed product or
    instruction is noted in `faults` and left out; without `faults` it is refused.

    Raises:
        DataError: a file cannot be read or a record is malformed; names both.
    """
    faults = faults or Faults(strict=True)
    human = dict(members(files.human)) if files.human else {}
    seen: set[str] = set()
    # On disk: in memory the attributes of the full shop take over a gigabyte.
    with closing(sqlite3.connect("", isolation_level=None)) as mined:
        _keep(mined, files.attributes)
        for index, record in enumerate(islice(elements(files.products), count)):
            place = f"{files.products}: record {index}"
            try:
                with _named(place):
                    asin = text(record, "asin")
                if not is_sold(asin) or asin in seen:
                    continue
                written = human.get(asin, ())
                listing = _listing(files, place, record, _mined(mined, asin), written, faults)
            except BadRecord as bad:
                faults.add(bad.place, bad.why)
                continue
            seen.add(asin)
            yield listing


def _listing(
    files: Files, place: str, record: Any, about: Any, written: Any, faults: Faults
) -> Listing:
    asin = record["asin"]
    mined = f"{files.attributes}: record {asin}"
    with _named(mined):
        attributes = _attributes(about)
    with _named(f"{place} ({asin})"):
        product = make_product(record, attributes)
    made = _kept(faults, mined, lambda: _synthetic(about, product))
    made += _kept(faults, f"{files.human}: record {asin}", lambda: _human(written))
    return Listing(product, record, tuple(made))


def _kept(faults: Faults, place: str, make: Callable[[], list[Instruction]]) -> list[Instruction]:
    """Return the instructions that `make` reads; none if they are malformed."""
    try:
        with _named(place):
            return make()
    except BadRecord as bad:
        faults.add(bad.place, bad.why, "its instructions are left out")
        return []


def _attributes(about: Mapping[str, Any]) -> tuple[str, ...]:
    return texts(about, "attributes") if "attributes" in about else NO_ATTRIBUTES


def _synthetic(about: Mapping[str, Any], product: Product) -> list[Instruction]:
    if about.get("instruction") is None:
        return []
    attributes = texts(about, "instruction_attributes")
    if not attributes:
        raise ValueError("its instruction asks for no attribute")
    goals = prod(map(len, product.options.values()))
    return [Instruction(False, text(about, "instruction"), attributes, (), goals)]


def _human(records: Iterable[Mapping[str, Any]]) -> list[Instruction]:
    """Read human instructions; as in the original, without those that ask for no attribute."""
    read = [
        Instruction(
            human=True,
            text=text(record, "instruction"),
            attributes=texts(record, "instruction_attributes"),
            options=texts(record, "instruction_options"),
            goals=1,
        )
        for record in records
    ]
    return [instruction for instruction in read if instruction.attributes]


@contextmanager
def _named(place: str) -> Iterator[None]:
    """Turn a fault of a record into one that names its place."""
    try:
        yield
    except KeyError as error:
        raise BadRecord(place, f"no field {error}") from error
    except (AttributeError, TypeError, ValueError) as error:
        raise BadRecord(place, str(error)) from error


def _keep(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("CREATE TABLE mined (asin TEXT PRIMARY KEY, record TEXT) WITHOUT ROWID")
    connection.execute("BEGIN")
    rows = ((asin, json.dumps(record)) for asin, record in members(path))
    connection.executemany("INSERT OR REPLACE INTO mined VALUES (?, ?)", rows)
    connection.execute("COMMIT")


def _mined(connection: sqlite3.Connection, asin: str) -> Any:
    row = connection.execute("SELECT record FROM mined WHERE asin = ?", (asin,)).fetchone()
    return json.loads(row[0]) if row else {}
