"""A shop: products, prices, goals, search, and the reward.

One catalogue serves all environments of a process (`load`), and none changes it. Large parts stay
in files, whose pages processes share: products (`store`), the search index (`ranking`), and the
nouns of titles (`reward.title_nouns`).
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from threading import Lock

from environments.built_files import build_once
from environments.ranking.cache import open_index
from environments.ranking.index import Index
from environments.webshop.goals import Goal, Goals
from environments.webshop.reward.reward import Reward, grade
from environments.webshop.reward.title_nouns import Source, open_nouns
from environments.webshop.shop.files import Files, find_files
from environments.webshop.shop.prices import draw_prices
from environments.webshop.shop.products import Product, indexed_text
from environments.webshop.shop.store import Store, build

BUNDLED = Path(__file__).parents[1] / "data"
FOUND = 50
"""Maximum number of products that a search finds."""


class Products(Mapping[str, Product]):
    """Products by asin, in the order of the file; read on demand."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getitem__(self, asin: str) -> Product:
        return self._store.product(self._store.position(asin))

    def __iter__(self) -> Iterator[str]:
        return self._store.asins()

    def __len__(self) -> int:
        return self._store.size()


class Prices(Mapping[str, float]):
    """The price of each product in dollars, by asin."""

    def __init__(self, store: Store, by_position: Sequence[float]) -> None:
        self._store, self._by_position = store, by_position

    def __getitem__(self, asin: str) -> float:
        return self._by_position[self._store.position(asin)]

    def __iter__(self) -> Iterator[str]:
        return self._store.asins()

    def __len__(self) -> int:
        return len(self._by_position)


class Catalogue:
    """A shop as the original builds it from its files and a seed. `load` makes one.

    Attributes:
        products: by asin, in the order of the file.
        prices: by asin, in the order of the file.
        fingerprint: identifies the content, without the seed, for cached files made from it.
        faults: place, fault and outcome of each malformed record.
    """

    def __init__(
        self, store: Store, fingerprint: str, *, seed: int = 0, folder: Path | None = None
    ) -> None:
        self.fingerprint = fingerprint
        self._store, self._folder = store, folder
        state = random.Random(seed)
        self._drawn = draw_prices(store.prices(), state)
        self._state = state.getstate()
        self.products: Mapping[str, Product] = Products(store)
        self.prices: Mapping[str, float] = Prices(store, self._drawn)
        self._goals: dict[str, Goals] = {}
        self.faults = store.faults()

    def goals(self, kind: str) -> Goals:
        """Return all "synthetic" or "human" goals, in the original's order; see `goals`."""
        if kind not in self._goals:
            state = random.Random()
            state.setstate(self._state)
            self._goals[kind] = Goals(self._store, kind == "human", self._drawn, state)
        return self._goals[kind]

    def search(self, query: str) -> tuple[str, ...]:
        """Return the asins of at most 50 products, best first."""
        return tuple(asin for asin, _ in self._index.search(query, FOUND))

    def grade(self, asin: str, goal: Goal, options: Mapping[str, str]) -> Reward:
        """Return the reward of buying a product with these options (values by name) for `goal`."""
        return grade(self.products[asin], goal, self.prices[asin], options, self.nouns.nouns)

    @cached_property
    def nouns(self) -> Source:
        """The source of the nouns of titles; the first use may make a table."""
        return open_nouns(self._titles, self.fingerprint, self._folder)

    def _titles(self) -> Iterator[str]:
        return (product.title for product in self._store.products())

    @cached_property
    def _index(self) -> Index:
        """The search index; the first use opens it, and builds it if necessary."""
        return open_index(self._texts, self.fingerprint, self._folder)

    def _texts(self) -> Iterator[tuple[str, str]]:
        return ((each.asin, indexed_text(each)) for each in self._store.products())


def load(
    data: str | Path | None = None,
    *,
    seed: int = 0,
    count: int | None = None,
    folder: Path | None = None,
) -> Catalogue:
    """Load the shop of `data`; return the same object while its files are unchanged.

    Args:
        data: a folder with the original's files, or the product file of one; None for our own shop.
        count: how many records to take, from the first; the original's `num_products`.
        folder: where files that are built from the data are cached; by default
            `built_files.default_folder()`.

    Raises:
        DataError: a file is missing or a record malformed; names both.
        NotWritable: the folder cannot be written.
    """
    files = find_files(Path(data) if data else BUNDLED)
    with _LOADING:
        return _load(files, _stamps(files), seed, count, folder)


_LOADING = Lock()


@lru_cache(maxsize=8)
def _load(
    files: Files, stamps: tuple[int, ...], seed: int, count: int | None, folder: Path | None
) -> Catalogue:
    fingerprint = files.fingerprint if count is None else f"{files.fingerprint}-{count}"
    path = build_once(f"{fingerprint}.shop", lambda made: build(files, made, count), folder)
    return Catalogue(Store(path), fingerprint, seed=seed, folder=folder)


def _stamps(files: Files) -> tuple[int, ...]:
    """Return sizes and times of the files: to hash a big shop per environment is too slow."""
    paths = (files.products, files.attributes, files.human)
    found = [path.stat() for path in paths if path]
    return tuple(number for stat in found for number in (stat.st_size, stat.st_mtime_ns))
