"""Scores by people: a spreadsheet of trajectories to fill in, and what it came back as.

A sheet is blind: a row tells no run, and the rows of all runs are shuffled together.
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from random import Random

from trainer.errors import TrainerError
from trainer.evaluation.measures.scores import SCORES
from trainer.evaluation.measures.trajectories import Shown

COLUMNS = ("id", "task", "trajectory", "score", "remark")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a cell for a formula, to be run where it is opened."""


def write_sheet(file: Path, shown: Iterable[Shown]) -> int:
    """Write a row for each of `shown` that differs from the others, with empty cells for a score
    of 0 to 5 and a remark; how many. The same trajectories make the same sheet.

    Raises:
        TrainerError: there is another file of that name (it may be filled in), or none can be.
    """
    rows = sorted({one.id: one for one in shown}.values(), key=lambda one: one.id)
    Random(" ".join(one.id for one in rows)).shuffle(rows)
    text = io.StringIO(newline="")
    sheet = csv.writer(text)
    sheet.writerow(COLUMNS)
    sheet.writerows([one.id, _cell(one.prompt), _cell(one.text), "", ""] for one in rows)
    data = text.getvalue().encode("utf-8", "replace")
    try:
        if file.exists() and file.read_bytes() != data:
            raise TrainerError(f"--sheet {file}: there is another; it may hold scores: name a new")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    except OSError as error:
        raise TrainerError(f"--sheet {file}: {error.strerror}") from error
    return len(rows)


def read_sheet(file: Path) -> dict[str, int]:
    """The scores in a sheet, by trajectory; rows without one are left out.

    Raises:
        TrainerError: the file cannot be read, or a score is none; with its row.
    """
    csv.field_size_limit(1 << 27)
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrainerError(f"--scores {file}: cannot be read: {error}") from error
    if rows and not {"id", "score"} <= rows[0].keys():
        raise TrainerError(f"--scores {file}: no columns id and score; --sheet writes such a file")
    scores = {}
    for number, row in enumerate(rows, 1):
        if given := (row["score"] or "").strip():
            scores[(row["id"] or "").strip()] = _score(file, number, given)
    return scores


def _score(file: Path, number: int, given: str) -> int:
    try:
        score = int(given.removesuffix(".0"))  # some spreadsheets write 4 as 4.0
    except ValueError:
        score = -1
    if score not in SCORES:
        raise TrainerError(f"--scores {file}: row {number}: {given!r} is no score from 0 to 5")
    return score


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
