"""Several sequences in one row, each attending to itself only: no padding, full batches.

Best fit, the longest first, as TRL packs; TRL's own drops every column but ids and labels, and
weights must come along.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Any

from trainer.data.loss_weights import WeightedSequence, columns


def pack(sequences: Sequence[WeightedSequence], length: int) -> list[list[WeightedSequence]]:
    """Rows of at most `length` tokens; each sequence, none longer than that, is in one of them."""
    rows: list[list[WeightedSequence]] = []
    room: list[tuple[int, int]] = []  # (tokens free, row), sorted
    for one in sorted(sequences, key=lambda one: len(one.ids), reverse=True):
        at = bisect_left(room, (len(one.ids), -1))
        if at == len(room):
            free, row = length, len(rows)
            rows.append([])
        else:
            free, row = room.pop(at)
        rows[row].append(one)
        insort(room, (free - len(one.ids), row))
    return rows


def packed_columns(rows: Sequence[Sequence[WeightedSequence]]) -> dict[str, list[Any]]:
    """As `weights.columns`, with the lengths of a row's sequences in `seq_lengths`."""
    made = [columns(row) for row in rows]
    joined: dict[str, list[Any]] = {
        name: [[token for one in row[name] for token in one] for row in made]
        for name in ("input_ids", "labels", "weights")
    }
    return {
        **joined,
        "items": [sum(row["items"]) for row in made],
        "seq_lengths": [[len(ids) for ids in row["input_ids"]] for row in made],
    }
