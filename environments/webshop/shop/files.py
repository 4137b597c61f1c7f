"""Find the files of a shop, and identify a shop by their content."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from environments.errors import DataError

_PRODUCTS, _ATTRIBUTES, _HUMAN = "items_shuffle", "items_ins_v2", "items_human_ins.json"
_FORM = b"3"
"""Changed whenever `store` stores the same files in another way."""


@dataclass(frozen=True)
class Files:
    """The files of the original, under its own names.

    Attributes:
        products: `items_shuffle_*.json`, a list of records.
        attributes: `items_ins_v2_*.json`, attributes and the synthetic instruction by asin.
        human: `items_human_ins.json`, instructions written by people, by asin; None if missing.
    """

    products: Path
    attributes: Path
    human: Path | None = None

    @cached_property
    def fingerprint(self) -> str:
        """A digest of the files' content; takes about a second per 1.5 GB."""
        digest = hashlib.sha256(_FORM)
        for path in (self.products, self.attributes, self.human):
            digest.update(_digest(path) if path else b"none")
        return digest.hexdigest()[:32]


def find_files(data: Path) -> Files:
    """Return the files of the shop at `data`: a folder with one shop, or the product file of one.

    Raises:
        DataError: a file is missing, or the folder holds several shops.
    """
    products = data if data.is_file() else _only(data)
    attributes = products.with_name(products.name.replace(_PRODUCTS, _ATTRIBUTES, 1))
    if attributes == products or not attributes.is_file():
        raise DataError(f"{products}: no {_ATTRIBUTES}*.json beside it (same ending)")
    human = products.with_name(_HUMAN)
    return Files(products, attributes, human if human.is_file() else None)


def _only(folder: Path) -> Path:
    found = sorted(folder.glob(f"{_PRODUCTS}*.json"))
    if not found:
        raise DataError(f"{folder}: no {_PRODUCTS}*.json in it")
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise DataError(f"{folder}: holds several shops; name one of its files: {names}")
    return found[0]


def _digest(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
