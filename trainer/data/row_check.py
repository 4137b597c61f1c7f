"""Which rows may be trained on: none of a test split, none that holds a held-out task."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from engine.templates.base import Message
from trainer.data.contamination import HeldOut, TrainingRow, to_leave_out
from trainer.data.row_source import RowSource, name_of, refuse_test_split

HELD_OUT = "holds a held-out task"
"""Why a row is dropped."""


class ReadRow(Protocol):
    """A row as it was read, of any kind."""

    @property
    def line(self) -> int:
        """Its number."""

    @property
    def id(self) -> str:
        """Its id, "" if it has none."""

    @property
    def split(self) -> str:
        """Split of its task, "" if unknown."""

    @property
    def messages(self) -> Sequence[Message]:
        """All that it shows."""


R = TypeVar("R", bound=ReadRow)


@dataclass(frozen=True, slots=True)
class RowCheck:
    """What rows must not be.

    Attributes:
        allow_test_split: Whether rows of a test split are allowed.
        held_out: Tasks that no row may hold.
        drop: Leave out rows that hold one, instead of refusing them all.
    """

    allow_test_split: bool = False
    held_out: HeldOut = field(default_factory=lambda: HeldOut([]))
    drop: bool = False

    def __call__(self, rows: Sequence[R], source: RowSource) -> tuple[Sequence[R], Counter[str]]:
        """Return the rows to train on, and how many are left out, by reason.

        Raises:
            TrainerError: Some are not allowed.
        """
        if not self.allow_test_split:
            refuse_test_split([row.split for row in rows], source)
        shown = [TrainingRow(row.line, row.id, row.messages) for row in rows]
        found = to_leave_out(self.held_out, shown, name_of(source), drop=self.drop)
        if not found:
            return rows, Counter()
        kept = [row for place, row in enumerate(rows) if place not in found]
        return kept, Counter({HELD_OUT: len(found)})
