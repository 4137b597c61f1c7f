"""Search in an index."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from environments.ranking import bm25
from environments.ranking.analysis import terms
from environments.ranking.strings import Strings, encode


class Index:
    """Read-only; safe to use from several threads. `cache.open_index` makes one."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._ids = Strings(arrays["ids"], arrays["id_ends"])
        self._terms = Strings(arrays["terms"], arrays["term_ends"])
        self._starts = arrays["starts"]
        self._documents = arrays["documents"]
        self._frequencies = arrays["frequencies"]
        self._inverse_norms = arrays["inverse_norms"]

    def __len__(self) -> int:
        """Documents that can be found."""
        return len(self._ids)

    def search(self, query: str, count: int = 50) -> list[tuple[str, float]]:
        """Return ids and scores of the `count` best documents with a term of the query.

        Equal scores are in the order of ids. A term that stands twice in the query counts twice.
        """
        spans, weights = self._weigh(Counter(terms(query)))
        if not spans or count < 1:
            return []
        documents, scores = _best(*self._score(spans, weights), count)
        ids = (self._ids[document].decode("utf-8", "surrogatepass") for document in documents)
        return list(zip(ids, scores.tolist(), strict=True))

    def _weigh(self, wanted: Mapping[str, int]) -> tuple[list[slice], list[np.float32]]:
        """Return where the postings of each known term lie, and its weight."""
        spans, weights = [], []
        for term, times in wanted.items():
            place = self._terms.find(encode(term))
            if place is not None:
                start, stop = self._starts[place : place + 2].tolist()
                spans.append(slice(start, stop))
                weights.append(bm25.weight(len(self), stop - start, times))
        return spans, weights

    def _score(
        self, spans: list[slice], weights: list[np.float32]
    ) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Return the documents that hold any of the terms, ascending, and the score of each."""
        documents = np.concatenate([self._documents[span] for span in spans])
        frequencies = np.concatenate([self._frequencies[span] for span in spans])
        impacts = bm25.impacts(
            np.repeat(np.array(weights), [span.stop - span.start for span in spans]),
            frequencies.astype(np.float32),
            self._inverse_norms[documents],
        )
        totals = np.bincount(documents, impacts)  # in float64, as Lucene sums
        found = np.flatnonzero(totals)
        return found, totals[found].astype(np.float32)


def _best(
    documents: NDArray[np.intp], scores: NDArray[np.float32], count: int
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return the best, exactly: all documents that tie with the last one are sorted, too."""
    if len(documents) > count:
        least = np.partition(scores, len(scores) - count)[len(scores) - count]
        documents, scores = documents[scores >= least], scores[scores >= least]
    order = np.argsort(-scores, kind="stable")[:count]
    return documents[order], scores[order]
