"""The pages that are searched, by title, and their index."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from environments.built_files import default_folder
from environments.ranking.cache import open_index
from environments.ranking.index import Index


@dataclass(frozen=True, slots=True)
class Page:
    """A paragraph of the corpus."""

    title: str
    sentences: tuple[str, ...]


class Corpus:
    """Read-only. Of pages with the same title the first counts."""

    def __init__(self, pages: Iterable[Page]) -> None:
        self._pages: dict[str, Page] = {}
        for page in pages:
            self._pages.setdefault(page.title, page)
        self._titles = {title.casefold(): title for title in reversed(self._pages)}

    def __len__(self) -> int:
        return len(self._pages)

    def __contains__(self, title: str) -> bool:
        return title in self._pages

    def __getitem__(self, title: str) -> Page:
        return self._pages[title]

    def search(self, query: str, count: int) -> list[str]:
        """Return the titles of the best pages: the one that the query names, then by BM25."""
        named = self._titles.get(" ".join(query.split()).casefold())
        found = [title for title, _ in self._index.search(query, count)]
        return list(dict.fromkeys([*filter(None, [named]), *found]))[:count]

    @cached_property
    def _index(self) -> Index:
        digest = sha256()
        for title, text in self._documents():
            digest.update(f"{title}\0{text}\0".encode("utf-8", "surrogatepass"))
        folder = default_folder("search-qa")
        return open_index(self._documents, digest.hexdigest(), folder)

    def _documents(self) -> Iterator[tuple[str, str]]:
        for page in self._pages.values():
            yield page.title, " ".join((page.title, *page.sentences))
