"""Read records of task data from a file; every fault names the file and the record.

One bad record does not refuse a file: it is left out, and told.
"""

import gzip
import json
import logging
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from environments.errors import DataError
from environments.types import Task
from treegraft.file_errors import FileError
from treegraft.text_files import decode, not_text, read_bytes

SHOWN = 50
"""Faults, and numbers of records with the same one, that are told one by one."""

_log = logging.getLogger("treegraft.data")


@dataclass(slots=True)
class Faults:
    """What is wrong with records of task data; `report` tells each once, on standard error.

    Attributes:
        strict: whether the first is raised instead.
    """

    strict: bool = False
    _places: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def add(self, place: str, why: str, then: str = "left out") -> None:
        """Note a fault of the record at `place`; `then` is what becomes of the record.

        Raises:
            DataError: faults are refused.
        """
        if self.strict:
            raise DataError(f"{place}: {why} (--strict refuses it)")
        self._places.setdefault((why, then), []).append(place)

    def all(self) -> list[tuple[str, str, str]]:
        """Return place, fault and outcome of each bad record."""
        return [
            (place, why, then) for (why, then), places in self._places.items() for place in places
        ]

    def first(self) -> str:
        """Return the first fault with its place; "" if there is none."""
        return next((f"{places[0]}: {why}" for (why, _), places in self._places.items()), "")

    def report(self) -> None:
        """Tell all faults."""
        found = list(self._places.items())
        for (why, then), places in found[:SHOWN]:
            _log.warning("%s: %s; %s", _listed(places), why, then)
        if len(found) > SHOWN:
            rest = sum(len(places) for _, places in found[SHOWN:])
            _log.warning("... and %d more records with other faults", rest)
        self._places.clear()


def _listed(places: list[str]) -> str:
    """Return places of one file as one text: the first whole, of the others their numbers."""
    first, others = places[0], places[1:SHOWN]
    numbers = [
        place.rpartition(" ")[2]
        if place.rpartition(": ")[0] == first.rpartition(": ")[0]
        else place
        for place in others
    ]
    more = f" and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
    return ", ".join([first, *numbers]) + more


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
            raise BadRecord(self.place, f"field {name!r} must be text, not {value!r:.80}")
        return value

    def texts(self, name: str, *, needed: bool = False) -> list[str]:
        """Return a field that holds texts, [] if missing; raise DataError if it holds others."""
        value = self._given(name) if needed else self.fields.get(name) or []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise BadRecord(self.place, f"field {name!r} must be a list of texts")
        if needed and not value:
            raise BadRecord(self.place, f"field {name!r} is empty")
        return value

    def maybe(self, name: str) -> str:
        """Return a text field, "" if missing or null; raise DataError if it is not text."""
        value = self.fields.get(name) or ""
        if not isinstance(value, str):
            raise BadRecord(self.place, f"field {name!r} must be text, not {value!r:.80}")
        return value

    def id(self, name: str, faults: Faults, default: str = "") -> str:
        """Return a field that identifies the record, as text, whatever JSON scalar it is.

        default: the text if there is none, by default the record's number.
        """
        value = self.fields.get(name)
        default = default or str(self.index)
        if isinstance(value, (list, dict)):
            why = f"field {name!r} must be a name or a number, not {type(value).__name__}"
            faults.add(self.place, why, f"called {default!r}")
            value = None
        if value is None or value == "":
            return default
        return value if isinstance(value, str) else json.dumps(value)

    def _given(self, name: str) -> Any:
        if name not in self.fields:
            raise BadRecord(self.place, f"no field {name!r}")
        return self.fields[name]


def read_records(path: Path, faults: Faults) -> list[Record]:
    """Return the objects of a JSON list, or of JSON lines; a name that ends in ".gz" is unpacked.

    Raises:
        DataError: it cannot be read, or holds no object.
    """
    text = _text(path)
    is_list = text.lstrip().startswith("[")
    found = _from_list(path, text, faults) if is_list else _from_lines(path, text, faults)
    if not found:
        raise DataError(faults.first() or f"{path}: holds no record")
    return found


def read_list(path: Path, faults: Faults) -> list[Record]:
    """Return the objects of a JSON list; raise DataError if `path` holds something else."""
    return _from_list(path, _text(path), faults)


def _from_list(path: Path, text: str, faults: Faults) -> list[Record]:
    try:
        items = json.loads(text)
    except ValueError as error:
        raise DataError(f"{path}: not JSON: {error}") from error
    if not isinstance(items, list):
        raise DataError(f"{path}: must be a list of records, not {type(items).__name__}")
    found = [_record(path, f"record {n}", n, item, faults) for n, item in enumerate(items)]
    return [record for record in found if record is not None]


def make_tasks(
    records: Iterable[Record], make: Callable[[Record], Task], faults: Faults
) -> list[Task]:
    """Return the tasks of the records that make one, with ids of their own.

    A second task with an id gets the ending "-2", the next "-3".

    Raises:
        DataError: no record makes a task; or one does not, and faults are refused.
    """
    made: list[tuple[Record, Task]] = []
    for record in records:
        try:
            made.append((record, make(record)))
        except BadRecord as bad:
            faults.add(bad.place, bad.why)
    if not made and (first := faults.first()):
        raise DataError(first)
    taken = {task.id for _, task in made}
    seen: set[str] = set()
    tasks = []
    for record, task in made:
        if task.id in seen:
            new = _free(task.id, taken)
            faults.add(record.place, f"a second task {task.id!r}", f"called {new!r}")
            task = replace(task, id=new)
            taken.add(new)
        seen.add(task.id)
        tasks.append(task)
    return tasks


def bundled_split(folder: Path, split: str | None) -> Path:
    """Return the file of a split, by default "train", in `folder`; raise `DataError` if none."""
    path = folder / f"{split or 'train'}.jsonl"
    if not path.is_file():
        known = " or ".join(sorted(file.stem for file in folder.glob("*.jsonl")))
        raise DataError(f"no split {split!r} of the bundled tasks; use {known}")
    return path


def stamp(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Return sizes and times of a file, or of the files in a folder: equal while they are the same.

    What was read of them may be kept under it: each task under way has an environment of its own.
    """
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    stats = [(file.name, file.stat()) for file in files if file.is_file()]
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


def of_split(tasks: Sequence[Task], split: str | None, path: Path) -> list[Task]:
    """Return the tasks of a split, or all for None; raise `DataError` if the file has none."""
    chosen = [task for task in tasks if split in (None, task.split)]
    if not chosen:
        there = ", ".join(sorted({task.split or "(none)" for task in tasks}))
        raise DataError(f"{path}: no task of split {split!r}; the splits there: {there}")
    return chosen


def _free(id: str, taken: set[str]) -> str:
    number = 2
    while f"{id}-{number}" in taken:
        number += 1
    return f"{id}-{number}"


class BadRecord(DataError):
    """A record makes no task."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(place, why)
        self.place, self.why = place, why

    def __str__(self) -> str:
        return f"{self.place}: {self.why}"


def _text(path: Path) -> str:
    try:
        data = read_bytes(path)
        return decode(gzip.decompress(data) if path.suffix == ".gz" else data)
    except FileError as error:
        why = str(error).removeprefix(f"cannot read {path}: ")
        raise DataError(f"{path}: cannot be read: {why}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: {not_text(error)}") from error


def _from_lines(path: Path, text: str, faults: Faults) -> list[Record]:
    records: list[Record] = []
    count = 0
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place, index = f"line {number}", count
        count += 1
        try:
            item = json.loads(line)
        except ValueError as error:
            faults.add(f"{path}: {place}", f"not JSON: {error}")
            continue
        if (record := _record(path, place, index, item, faults)) is not None:
            records.append(record)
    return records


def _record(path: Path, place: str, index: int, item: Any, faults: Faults) -> Record | None:
    if isinstance(item, dict):
        return Record(f"{path}: {place}", index, item)
    faults.add(f"{path}: {place}", f"must be an object, not {type(item).__name__}")
    return None
