"""From documents to the arrays of an index, in one pass over them and in bounded memory.

In memory stay the ids, the vocabulary and one block of postings (`blocks`). The blocks wait in a
file until it is known how many postings each term has (`invert`).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from environments.ranking.analysis import token_term
from environments.ranking.blocks import Blocks
from environments.ranking.bm25 import inverse_norms
from environments.ranking.invert import invert
from environments.ranking.storage import Arrays
from environments.ranking.strings import encode, pack
from environments.ranking.tokens import tokenize

_STOP = -1


@dataclass(frozen=True)
class Memory:
    """What is held at most while an index is built.

    postings: in a block; 12 bytes each, and about six times as much while it is inverted.
    tokens: known by their term; about 150 bytes each.
    """

    postings: int = 1 << 21
    tokens: int = 1 << 19


def build(documents: Iterable[tuple[str, str]], scratch: Path, memory: Memory = Memory()) -> Arrays:
    """Build the arrays that `index.Index` reads.

    Documents are numbered in the order of their ids, which is the order among equal scores. One
    without a term (no text, stop words only) counts for nothing, as in Lucene.

    Args:
        scratch: a folder; the largest arrays are mapped to files in it.
    """
    with (scratch / "blocks").open("w+b") as file:
        blocks = Blocks(file, memory.postings)
        ids, lengths, terms = _read(documents, blocks, _Vocabulary(memory.tokens))
        blocks.flush()
        id_order, term_order = _order(ids), _order(terms)
        postings = invert(blocks, _ranks(id_order), _ranks(term_order), scratch)
    id_bytes, id_ends = pack([ids[place] for place in id_order])
    term_bytes, term_ends = pack([terms[place] for place in term_order])
    return {
        "ids": id_bytes,
        "id_ends": id_ends,
        "terms": term_bytes,
        "term_ends": term_ends,
        "starts": postings.starts,
        "documents": postings.documents,
        "frequencies": postings.frequencies,
        "inverse_norms": inverse_norms(np.array(lengths, np.int64)[id_order]),
    }


class _Vocabulary(dict[str, int]):
    """The number of the term of each token. Tokens are forgotten now and then, terms are not."""

    def __init__(self, remembered: int) -> None:
        self.terms: dict[str, int] = {}
        self._remembered = remembered

    def __missing__(self, token: str) -> int:
        if len(self) >= self._remembered:
            self.clear()
        term = token_term(token)
        number = _STOP if term is None else self.terms.setdefault(term, len(self.terms))
        self[token] = number
        return number


def _read(
    documents: Iterable[tuple[str, str]], blocks: Blocks, vocabulary: _Vocabulary
) -> tuple[list[bytes], list[int], list[bytes]]:
    """Ids and lengths of the documents, and the terms in order of appearance."""
    ids: list[bytes] = []
    lengths: list[int] = []
    for document, text in documents:
        frequencies = Counter(map(vocabulary.__getitem__, tokenize(text)))
        frequencies.pop(_STOP, None)
        if frequencies:
            ids.append(encode(document))
            lengths.append(frequencies.total())
            blocks.add(frequencies)
    return ids, lengths, list(map(encode, vocabulary.terms))


def _order(texts: Sequence[bytes]) -> NDArray[np.int64]:
    return np.array(sorted(range(len(texts)), key=texts.__getitem__), np.int64)


def _ranks(order: NDArray[np.int64]) -> NDArray[np.int64]:
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order))
    return ranks
