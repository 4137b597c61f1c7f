"""A shop: what it sells at which price, what shoppers are asked for, search, and the reward.

One catalogue serves all environments of a process (`load`), and none changes it. What is big stays
in files, whose pages processes share: products (`store`), search index (`lucene`), nouns (`nouns`).
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from threading import Lock

from environments.webshop.documents import documents
from environments.webshop.files import Files, find_files
from environments.webshop.goals import Goal, Goals
from environments.webshop.keeping import keep
from environments.webshop.lucene.cache import open_index
from environments.webshop.lucene.index import Index
from environments.webshop.nouns import Source, open_nouns
from environments.webshop.prices import draw_prices
from environments.webshop.products import Product
from environments.webshop.reward import Reward, judge
from environments.webshop.store import Store, build

BUNDLED = Path(__file__).parent / "data"
FOUND = 50
"""A search finds this many products at most."""


class Products(Mapping[str, Product]):
    """Products by asin, in the order of the file; read when asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getitem__(self, asin: str) -> Product:
        return self._store.product(_position(self._store, asin))

    def __iter__(self) -> Iterator[str]:
        return self._store.asins()

    def __len__(self) -> int:
        return self._store.size()


class Prices(Mapping[str, float]):
    """What each product costs, in dollars, by asin."""

    def __init__(self, store: Store, by_position: Sequence[float]) -> None:
        self._store, self._by_position = store, by_position

    def __getitem__(self, asin: str) -> float:
        return self._by_position[_position(self._store, asin)]

    def __iter__(self) -> Iterator[str]:
        return self._store.asins()

    def __len__(self) -> int:
        return len(self._by_position)


class Catalogue:
    """A shop as the original builds it from its files and a seed. `load` makes one.

    products, prices: by asin, in the order of the file.
    fingerprint: of the content, for what is made of it and kept; the seed is not in it.
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

    def goals(self, kind: str) -> Goals:
        """All "synthetic" or "human" goals, in the original's order; see `goals`."""
        if kind not in self._goals:
            state = random.Random()
            state.setstate(self._state)
            self._goals[kind] = Goals(self._store, kind == "human", self._drawn, state)
        return self._goals[kind]

    def search(self, query: str) -> tuple[str, ...]:
        """The asins of at most 50 products, best first."""
        return tuple(asin for asin, _ in self._index.search(query, FOUND))

    def judge(self, asin: str, goal: Goal, options: Mapping[str, str]) -> Reward:
        """What buying the product with these options, chosen by name, earns towards `goal`."""
        return judge(self.products[asin], goal, self.prices[asin], options, self.nouns.nouns)

    @cached_property
    def nouns(self) -> Source:
        """Of titles, and who found them; the first use may make a table."""
        return open_nouns(self._titles, self.fingerprint, self._folder)

    def _titles(self) -> Iterator[str]:
        return (product.title for product in self._store.products())

    @cached_property
    def _index(self) -> Index:
        """The first use opens it, or builds it if no process has."""
        return open_index(self._texts, self.fingerprint, self._folder)

    def _texts(self) -> Iterator[tuple[str, str]]:
        return documents(self._store.products())


def load(
    data: str | Path | None = None,
    *,
    seed: int = 0,
    count: int | None = None,
    folder: Path | None = None,
) -> Catalogue:
    """The shop of `data`; the same one again while its files are unchanged.

    Args:
        data: a folder with the original's files, or the product file of one; None for our own shop.
        seed: of the prices and price caps.
        count: take the first so many records only, as the original's `num_products`.
        folder: where what is made of the files is kept; None is `keeping.default_folder`.

    Raises:
        DataError: a file is missing or a record malformed; names both.
        NotKept: the folder cannot be written.
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
    path = keep(f"{fingerprint}.shop", lambda made: build(files, made, count), folder)
    return Catalogue(Store(path), fingerprint, seed=seed, folder=folder)


def _stamps(files: Files) -> tuple[int, ...]:
    """Changes when a file does: to hash a big shop for each environment would take too long."""
    paths = (files.products, files.attributes, files.human)
    found = [path.stat() for path in paths if path]
    return tuple(number for stat in found for number in (stat.st_size, stat.st_mtime_ns))


def _position(store: Store, asin: str) -> int:
    position = store.position(asin)
    if position is None:
        raise KeyError(asin)
    return position
