"""The share of hard negatives among rows: rows of tasks in which no call is right."""

import json
from collections.abc import Iterator
from hashlib import sha256

from engine.export.filters import Counts
from engine.export.rows import Row
from environments.negatives import NEGATIVE


def balanced(rows: Iterator[Row], share: float, seed: int, counts: Counts) -> Iterator[Row]:
    """Yield `rows` with a `share` of negatives at most, to the nearest row; those come last.

    Which ones depends on the seed and on the rows' ids. Where all rows are negatives, all are kept.
    `counts` has counted all of them.
    """
    others, found = 0, list[Row]()
    for row in rows:
        if is_negative(row):
            found.append(row)
        else:
            others += 1
            yield row
    wanted = len(found) if not others or share >= 1 else round(others * share / (1 - share))
    drawn = {row["id"] for row in sorted(found, key=lambda row: _draw(row, seed))[:wanted]}
    for row in found:
        if row["id"] in drawn:
            yield row
        else:
            counts.rows -= 1
            counts.forms[row["form"]] -= 1
            counts.dropped["too many negatives"] += 1


def is_negative(row: Row) -> bool:
    """Return whether a row is of a negative."""
    how = json.loads(row["made"] or "{}").get("task", {}).get("how", "")
    return str(how).startswith(f"{NEGATIVE}:")


def _draw(row: Row, seed: int) -> bytes:
    return sha256(f"{seed}|{row['id']}".encode()).digest()
