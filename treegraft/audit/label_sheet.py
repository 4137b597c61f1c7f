"""A sample of rows that people judge, and what their judgements say about all rows."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from engine.errors import UsageError
from treegraft.audit.rows import AuditRow, is_learned, text_of
from treegraft.file_errors import FileError
from treegraft.intervals import wilson
from treegraft.text_files import read_text
from treegraft.write_files import write_text

COLUMNS = ("source", "row", "task", "what the row teaches", "right", "note")
YES, NO = ("yes", "y", "1", "true"), ("no", "n", "0", "false")
_FORMULA = ("=", "+", "-", "@")  # a spreadsheet would compute a cell that begins so


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How many of the judged rows are right.

    Attributes:
        right: Rows judged right.
        judged: Rows judged.
        open: Rows of the sheet without a judgement.
        interval: Bounds of the share of all rows, with 95 % confidence (Wilson).
    """

    right: int
    judged: int
    open: int
    interval: tuple[float, float]

    @property
    def in_words(self) -> str:
        """The same as a sentence."""
        low, high = self.interval
        return (
            f"{self.right} of {self.judged} judged rows are right: of all rows {low:.1%} to "
            f"{high:.1%} (95 % interval)"
        )


def write_sheet(rows: Sequence[AuditRow], file: Path, number: int, seed: int) -> int:
    """Write `number` rows, drawn at random, as CSV for a spreadsheet; return how many there are.

    The column "right" is to be filled in with yes or no.
    """
    chosen = sorted(Random(seed).sample(range(len(rows)), min(number, len(rows))))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for place in chosen:
        row = rows[place]
        learned = [text_of(one) for one in row.messages[len(row.prompt) :] if is_learned(one)]
        cells = (row.source, row.place, row.asked, "\n---\n".join(learned), "", "")
        writer.writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells])
    write_text(file, text.getvalue())
    return len(chosen)


def read_sheet(file: Path) -> Accuracy:
    """Return what a filled-in sheet says.

    Raises:
        UsageError: It is no such sheet, or a judgement is neither yes nor no; names the line.
    """
    try:
        reader = csv.DictReader(io.StringIO(read_text(file)))
        lines = list(reader)
    except (FileError, csv.Error) as error:
        raise UsageError(f"--labels {file}: {error}") from error
    if "right" not in (reader.fieldnames or ()):
        raise UsageError(f'--labels {file}: has no column "right"; --sheet writes such a file')
    judged = []
    for number, line in enumerate(lines, 1):
        word = (line["right"] or "").strip().lower()
        if word and word not in YES + NO:
            raise UsageError(f'--labels {file}: row {number}: "{word}" is neither yes nor no')
        judged += [word in YES] if word else []
    if not judged:
        raise UsageError(f'--labels {file}: the column "right" is empty')
    right = sum(judged)
    return Accuracy(right, len(judged), len(lines) - len(judged), wilson(right, len(judged)))
