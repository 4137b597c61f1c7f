"""Rows of any source and any known format, in our form; the one reader of all commands.

Our form is that of `engine export`: `messages` and `tools` in OpenAI's format, or `prompt`,
`chosen`, `rejected` and `tools`.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.data.formats import rows_of
from trainer.data.records import Record, from_arrow, read_file
from trainer.errors import RowError, TrainerError, WrongValue

RowSource = Path | Iterable[Mapping[str, Any]]
"""A file, a data set of the hub, or rows in memory: dicts or a `datasets.Dataset`."""


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A row in our form, with its origin.

    Attributes:
        number: Its line in a file of JSON lines, else its record; from 1.
        place: The same in words, such as "line 3".
        format: The format that it came in.
        value: The row; without messages if it has a defect.
        defect: Why it cannot be used, or "".
    """

    number: int
    place: str
    format: str
    value: dict[str, Any]
    defect: str = ""

    @property
    def split(self) -> str:
        """Split of its task, "" if unknown."""
        return str(self.value.get("split") or "")

    @property
    def id(self) -> str:
        """Its id, "" if it has none."""
        return str(self.value.get("id") or "")


def source_rows(
    source: RowSource, convert: Callable[[Any], Any] | None = None
) -> Iterator[SourceRow]:
    """Yield the rows of `source`; those with a defect too, so that they are counted.

    Args:
        source: Where they are.
        convert: Makes a record of a known format from one of another; its RowError is a defect.

    Raises:
        TrainerError: The source cannot be read, its format is not known, or a value has the wrong
            type; names the record.
    """
    for record in _records(source):
        try:
            value = _converted(record.value, convert)
            for found in rows_of(value):
                _check_numbers(found.row)
                yield SourceRow(record.number, record.place, found.format, found.row, found.defect)
        except RowError as error:
            yield SourceRow(record.number, record.place, "another trainer's", {}, str(error))
        except WrongValue as error:
            raise TrainerError(f"{name_of(source)}: {record.place}: {error}") from error


def _converted(value: Any, convert: Callable[[Any], Any] | None) -> Any:
    return convert(value) if convert and isinstance(value, Mapping) else value


def in_memory(source: str | RowSource) -> RowSource:
    """Return a source that can be read more than once."""
    if isinstance(source, str | Path):
        return Path(source)
    rows: Iterable[Any] = source
    return tuple(map(from_arrow, rows) if hasattr(rows, "features") else rows)


def _records(source: RowSource) -> Iterator[Record]:
    if isinstance(source, Path):
        return read_file(source)
    return (Record(number, f"row {number}", row) for number, row in enumerate(source, 1))


def _check_numbers(row: Mapping[str, Any]) -> None:
    try:
        json.dumps(row, allow_nan=False, default=str)
    except ValueError as error:
        raise WrongValue("NaN and infinities are no values of a row") from error


def name_of(source: RowSource) -> str:
    """Return the name of `source` for error messages."""
    return str(source) if isinstance(source, Path) else "the rows in memory"


def fingerprint(source: RowSource) -> str:
    """Return what identifies `source` in the record of a run: a path, or a hash of the rows."""
    if isinstance(source, Path):
        return str(source)
    digest = hashlib.sha256()
    for row in source:
        digest.update(json.dumps(row, sort_keys=True, default=str).encode() + b"\n")
    return f"rows in memory, sha256 {digest.hexdigest()}"


def refuse_test_split(splits: Sequence[str], source: RowSource) -> None:
    """Refuse rows of a test split: a student must not be trained on what measures it.

    Raises:
        TrainerError: Some rows are of the test split.
    """
    if found := splits.count("test"):
        raise TrainerError(
            f"{name_of(source)}: {found} of {len(splits)} rows are of the test split, which would "
            "make every later measurement worthless; export another split, or add "
            "--allow-test-split"
        )
