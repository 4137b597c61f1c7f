"""Rows of every format that is known, in ours.

A format is a predicate on the columns of a record, and a function from a record to a row.
"""

from trainer.data.formats.known import FORMATS, Format, rows_of

__all__ = ["FORMATS", "Format", "rows_of"]
