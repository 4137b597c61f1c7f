"""Read JSON records of task data; every error names the file and the record."""

import json
from pathlib import Path
from typing import Any

from environments.errors import DataError


def read_records(path: Path) -> list[dict[str, Any]]:
    """Return the list of objects that `path` holds.

    Raises:
        DataError: it cannot be read, is not JSON, or is not a list of objects.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError
        raise DataError(f"{path}: not JSON: {error}") from error
    if not isinstance(found, list):
        raise DataError(f"{path}: must be a list of records, not {type(found).__name__}")
    for index, record in enumerate(found):
        if not isinstance(record, dict):
            raise DataError(f"{path}: record {index}: must be an object")
    return found


def text_field(path: Path, index: int, record: dict[str, Any], name: str) -> str:
    """Return a field that must hold text.

    Raises:
        DataError: it is missing, not text, or empty.
    """
    if name not in record:
        raise DataError(f"{path}: record {index}: no field {name!r}")
    value = record[name]
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{path}: record {index}: field {name!r} must be text, not {value!r}")
    return value


def optional_text(path: Path, index: int, record: dict[str, Any], name: str) -> str:
    """Return a field that may be missing, null or empty.

    Raises:
        DataError: it is not text.
    """
    value = record.get(name) or ""
    if not isinstance(value, str):
        raise DataError(f"{path}: record {index}: field {name!r} must be text, not {value!r}")
    return value


def existing_database(path: Path, index: int, database: Path) -> str:
    """Return the path of a record's database.

    Raises:
        DataError: there is no such file.
    """
    if not database.is_file():
        raise DataError(f"{path}: record {index}: no database {database}")
    return str(database)


def pick_split(folder: Path, wanted: str | None, splits: list[str]) -> str:
    """Return the split to read: `wanted`, or "train", or the only one there is.

    Raises:
        DataError: there is no such split, or no default.
    """
    there = ", ".join(splits) or "none"
    if wanted is not None and wanted not in splits:
        raise DataError(f"{folder}: no split {wanted!r}; the splits there: {there}")
    if wanted is not None:
        return wanted
    if "train" in splits:
        return "train"
    if len(splits) != 1:
        raise DataError(f"{folder}: no split 'train'; choose one with --split: {there}")
    return splits[0]
