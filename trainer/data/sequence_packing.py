"""Several sequences in one row, each attending only to itself: no padding, full batches."""

from collections.abc import Sequence

from datasets import Dataset, disable_progress_bars
from trl.data_utils import pack_dataset

from trainer.data.loss_weights import WeightedSequence, columns


def pack(sequences: Sequence[WeightedSequence], length: int) -> Dataset:
    """Return the columns of `loss_weights.columns` in rows of at most `length` tokens.

    TRL packs them (best fit, longest first) and adds `seq_lengths`, the lengths of a row's
    sequences. It packs lists only, so each sequence's denominator travels with its first token.

    Args:
        sequences: What to pack, each of at most `length` tokens: TRL truncates longer ones.
        length: Tokens per row.
    """
    unpacked = columns(sequences)
    unpacked["loss_denominator"] = [
        [one.loss_denominator] + [0.0] * (len(one.ids) - 1) for one in sequences
    ]
    disable_progress_bars()
    # By default TRL packs a thousand sequences at a time, which fills rows less well.
    packed = pack_dataset(Dataset.from_dict(unpacked), length, "bfd", {"batch_size": None})
    sums = [sum(row) for row in packed["loss_denominator"]]
    return packed.remove_columns("loss_denominator").add_column("loss_denominator", sums)
