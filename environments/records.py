"""Read records of task data from a file; every error names the file and the record."""

import gzip
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from environments.errors import DataError
from environments.types import Task
from treegraft.file_errors import FileError
from treegraft.text_files import decode, not_text, read_bytes


@dataclass(frozen=True, slots=True)
class Record:
    """A record; `place` is its file and line, or number in the list, for messages."""

    place: str
    index: int
    fields: dict[str, Any]

    def text(self, name: str) -> str:
        """Return a field that must hold text; raise DataError if it does not."""
        value = self._given(name)
        if not isinstance(value, str) or not value.strip():
            raise DataError(f"{self.place}: field {name!r} must be text, not {value!r:.80}")
        return value

    def texts(self, name: str, *, needed: bool = False) -> list[str]:
        """Return a field that holds texts, [] if missing; raise DataError if it holds others."""
        value = self._given(name) if needed else self.fields.get(name) or []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise DataError(f"{self.place}: field {name!r} must be a list of texts")
        if needed and not value:
            raise DataError(f"{self.place}: field {name!r} is empty")
        return value

    def maybe(self, name: str) -> str:
        """Return a text field, "" if missing or null; raise DataError if it is not text."""
        value = self.fields.get(name) or ""
        if not isinstance(value, str):
            raise DataError(f"{self.place}: field {name!r} must be text, not {value!r:.80}")
        return value

    def _given(self, name: str) -> Any:
        if name not in self.fields:
            raise DataError(f"{self.place}: no field {name!r}")
        return self.fields[name]


def read_records(path: Path) -> list[Record]:
    """Return the objects of a JSON list, or of JSON lines; a name that ends in ".gz" is unpacked.

    Raises:
        DataError: it cannot be read, or holds something else.
    """
    text = _text(path)
    found = _from_list(path, text) if text.lstrip().startswith("[") else _from_lines(path, text)
    if not found:
        raise DataError(f"{path}: holds no record")
    return found


def read_list(path: Path) -> list[Record]:
    """Return the objects of a JSON list; raise DataError if `path` holds something else."""
    return _from_list(path, _text(path))


def _from_list(path: Path, text: str) -> list[Record]:
    try:
        items = json.loads(text)
    except ValueError as error:
        raise DataError(f"{path}: not JSON: {error}") from error
    if not isinstance(items, list):
        raise DataError(f"{path}: must be a list of records, not {type(items).__name__}")
    return [_record(f"{path}: record {index}", index, item) for index, item in enumerate(items)]


def check_unique_ids(path: Path, tasks: list[Task], field: str) -> list[Task]:
    """Return `tasks` of the file `path`; raise DataError if two share an id, read from `field`."""
    seen: set[str] = set()
    for index, task in enumerate(tasks):
        if task.id in seen:
            raise DataError(f"{path}: record {index}: {field} is not unique: {task.id}")
        seen.add(task.id)
    return tasks


def _text(path: Path) -> str:
    try:
        data = read_bytes(path)
        return decode(gzip.decompress(data) if path.suffix == ".gz" else data)
    except FileError as error:
        raise DataError(str(error)) from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: {not_text(error)}") from error


def _from_lines(path: Path, text: str) -> list[Record]:
    records: list[Record] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = f"{path}: line {number}"
        try:
            item = json.loads(line)
        except ValueError as error:
            raise DataError(f"{place}: not JSON: {error}") from error
        records.append(_record(place, len(records), item))
    return records


def _record(place: str, index: int, item: Any) -> Record:
    if not isinstance(item, dict):
        raise DataError(f"{place}: must be an object, not {type(item).__name__}")
    return Record(place, index, item)
