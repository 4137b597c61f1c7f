"""Scores by people: a spreadsheet of trajectories to fill in, and the scores read back.

A sheet is blind: its rows do not name their run, and the rows of all runs are shuffled together.
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from random import Random

from trainer.errors import TrainerError
from trainer.evaluation.measures.scores import SCORES
from trainer.evaluation.measures.trajectories import TrajectoryText
from treegraft.file_errors import FileError
from treegraft.text_files import read_bytes, read_text
from treegraft.write_files import atomic_write, is_stream

COLUMNS = ("id", "task", "trajectory", "score", "remark")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a cell that begins so for a formula, and runs it when it is opened."""


def write_sheet(file: Path, trajectories: Iterable[TrajectoryText]) -> int:
    """Write one row per different trajectory, and return their number.

    Each row has empty cells for a score of 0 to 5 and a remark. The same trajectories make the same
    sheet.

    Raises:
        TrainerError: A different file of that name exists (it may be filled in).
        FileError: The file cannot be written.
    """
    rows = sorted({one.id: one for one in trajectories}.values(), key=lambda one: one.id)
    Random(" ".join(one.id for one in rows)).shuffle(rows)
    text = io.StringIO(newline="")
    sheet = csv.writer(text)
    sheet.writerow(COLUMNS)
    sheet.writerows([one.id, _cell(one.prompt), _cell(one.text), "", ""] for one in rows)
    data = text.getvalue().encode("utf-8", "replace")
    if not is_stream(file) and file.exists() and read_bytes(file) != data:
        raise TrainerError(f"--sheet {file}: this file may hold scores: use a new name")
    with atomic_write(file) as part:
        part.write_bytes(data)
    return len(rows)


def read_sheet(file: Path) -> dict[str, int]:
    """Return the scores in a sheet, by trajectory; rows without a score are left out.

    Raises:
        TrainerError: The file cannot be read, or a score is not a number from 0 to 5.
    """
    csv.field_size_limit(1 << 27)
    try:
        rows = list(csv.DictReader(io.StringIO(read_text(file), newline="")))
    except (FileError, csv.Error) as error:
        why = str(error).removeprefix(f"cannot read {file}: ")
        raise TrainerError(f"--scores {file}: cannot be read: {why}") from error
    if rows and not {"id", "score"} <= rows[0].keys():
        raise TrainerError(f"--scores {file}: it has no columns id and score")
    scores = {}
    for number, row in enumerate(rows, 1):
        if text := (row["score"] or "").strip():
            scores[(row["id"] or "").strip()] = _score(file, number, text)
    return scores


def _score(file: Path, number: int, text: str) -> int:
    try:
        score = int(text.removesuffix(".0"))  # some spreadsheets write 4 as 4.0
    except ValueError:
        score = -1
    if score not in SCORES:
        raise TrainerError(f"--scores {file}: row {number}: {text!r} is not a score (0 to 5)")
    return score


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
