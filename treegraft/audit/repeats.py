"""Rows that say the same, and rows that say nearly the same.

Near duplicates have words in common: the Jaccard similarity of their sets of five words in a row,
estimated by MinHash (Broder 1997) and found by locality-sensitive hashing (datasketch).
"""

import re
from collections.abc import Iterator, Sequence

import networkx
import numpy
from datasketch import MinHash, MinHashLSH

from treegraft.audit.rows import AuditRow

WORDS = 5
"""Words in a row that are compared."""
PERMUTATIONS = 128
"""Hash functions of MinHash: the estimate's standard error is at most 0.05."""

_WORD = re.compile(r"\w+")


def equal_rows(rows: Sequence[AuditRow]) -> list[list[int]]:
    """Return the groups of rows that ask and teach the same, as places in `rows`.

    Letter case and whitespace do not count; system messages and tools do not either, so one path
    in two templates is no duplicate, but one path with two system prompts is.
    """
    groups: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        key = " ".join(f"{row.asked}\0{row.learned}".lower().split())
        groups.setdefault(key, []).append(place)
    return [group for group in groups.values() if len(group) > 1]


def similar_rows(rows: Sequence[AuditRow], threshold: float) -> list[list[int]]:
    """Return the groups of rows whose words are alike, as places in `rows`.

    Args:
        rows: The rows.
        threshold: The least Jaccard similarity of two rows that are alike, 0 to 1.
    """
    graph: networkx.Graph[int] = networkx.Graph()
    graph.add_edges_from(_similar_pairs(rows, threshold))
    return sorted(sorted(group) for group in networkx.connected_components(graph))


def _similar_pairs(rows: Sequence[AuditRow], threshold: float) -> Iterator[tuple[int, int]]:
    index = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS)
    hashes = []
    for place, row in enumerate(rows):
        hashes.append(_min_hash(f"{row.asked}\n{row.learned}"))
        for other in index.query(hashes[place]):
            if hashes[other].jaccard(hashes[place]) >= threshold:
                yield other, place
        index.insert(place, hashes[place], check_duplication=False)


def _min_hash(text: str) -> MinHash:
    words = _WORD.findall(text.lower())
    grams = {" ".join(words[at : at + WORDS]) for at in range(max(1, len(words) - WORDS + 1))}
    found = MinHash(num_perm=PERMUTATIONS, seed=1)
    found.update_batch([gram.encode("utf-8", "surrogatepass") for gram in sorted(grams)])
    return found


def best(rows: Sequence[AuditRow], group: Sequence[int]) -> int:
    """Return the row of `group` to keep: the greatest reward, then the first."""
    return group[int(numpy.argmax([rows[place].reward for place in group]))]
