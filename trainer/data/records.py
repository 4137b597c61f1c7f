"""Records of files: JSON lists, JSON lines, Parquet, Arrow, CSV, and data sets of the hub.

JSON and CSV are read exactly, record by record. The loaders of `datasets` would merge the columns
of all records: keys that other records have appear as null, in tool arguments too, and "NA" in a
CSV becomes a missing value. `datasets` reads what only it can: its own folders, and the hub.
"""

import csv
import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BufferedReader, TextIOWrapper
from math import isfinite
from pathlib import Path
from typing import Any, cast

from engine.terminal import say
from trainer.errors import TrainerError
from treegraft.text_files import open_file

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(:[\w.+-]+)?")
_FILES = (".json", ".jsonl", ".ndjson", ".parquet", ".arrow", ".csv", ".tsv", ".gz", ".txt")
_BLANK = re.compile(r"[\s,]*")


@dataclass(frozen=True, slots=True)
class Record:
    """One record, as it was found.

    Attributes:
        number: Its line in a file of JSON lines, else its number; from 1.
        place: The same in words, such as "line 3".
        value: What is there; an object, unless the file is wrong.
    """

    number: int
    place: str
    value: Any


def read_file(file: Path, *, plain_text: bool = False) -> Iterator[Record]:
    """Yield the records of a file, of a folder that `datasets` saved, or of the hub.

    Args:
        file: Its path, or the name of a data set of the hub.
        plain_text: Whether a file of text that is not JSON holds one record, a text, per line.

    Raises:
        TrainerError: There is no such thing, or it cannot be read; names the record.
    """
    try:
        if not file.exists():
            yield from _numbered(_of_hub(file))
        elif file.is_dir():
            yield from _numbered(_of_folder(file))
        else:
            with BufferedReader(cast(Any, open_file(file))) as stream:
                yield from _of_stream(file, stream, plain_text)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TrainerError(f"{file}: cannot be read: {reason}") from error
    except ModuleNotFoundError as error:  # `treegraft-masks` has neither pyarrow nor datasets
        raise TrainerError(
            f"{file}: reading it needs {error.name}, which is not installed: "
            f"pip install {error.name}"
        ) from error


def is_hub_id(path: Path) -> bool:
    """Return whether a path that does not exist may name a data set of the hub."""
    named = _HUB_ID.fullmatch(path.as_posix()) and path.suffix.lower() not in _FILES
    return bool(named) and not path.parent.is_dir()


def parse(text: str) -> Any:
    """Return the JSON value that `text` is, exactly.

    Raises:
        ValueError: It is not JSON. NaN and infinities are not.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def without_nulls(value: Any) -> Any:
    """Return `value` without the null keys of nested objects.

    Arrow gives every object the keys of all others, so null there means absent.
    """
    if isinstance(value, Mapping):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return list(map(without_nulls, value)) if isinstance(value, list) else value


def from_arrow(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of an Arrow table as a record."""
    return {column: without_nulls(value) for column, value in row.items()}


def _numbered(values: Iterable[Any]) -> Iterator[Record]:
    return (Record(number, f"record {number}", value) for number, value in enumerate(values, 1))


def _of_stream(file: Path, stream: BufferedReader, plain_text: bool) -> Iterator[Record]:
    name, magic = file.name.lower(), stream.peek(8)[:8]
    if magic[:2] == b"\x1f\x8b":
        stream = BufferedReader(cast(Any, gzip.GzipFile(fileobj=stream)))
        name, magic = name.removesuffix(".gz"), stream.peek(8)[:8]
    if magic[:4] == b"PAR1" or name.endswith(".parquet"):
        yield from _numbered(_of_parquet(file, stream))
    elif magic[:6] == b"ARROW1" or name.endswith((".arrow", ".feather")):
        yield from _numbered(_of_arrow(file, stream))
    elif name.endswith((".csv", ".tsv")):
        yield from _of_csv(file, stream, "\t" if name.endswith(".tsv") else ",")
    elif plain_text and (name.endswith(".txt") or _first_character(stream) not in ("[", "{")):
        lines = _lines(file, stream, json.detect_encoding(stream.peek(4)[:4]))
        yield from (Record(n, f"line {n}", line.strip()) for n, line in lines if line.strip())
    else:
        yield from _of_json(file, stream)


# JSON


def _first_character(stream: BufferedReader) -> str:
    """Return the first character that is not blank, without taking it; "" if there is none."""
    head = stream.peek(4096)
    return head.decode(json.detect_encoding(head), "ignore").lstrip()[:1]


def _of_json(file: Path, stream: BufferedReader) -> Iterator[Record]:
    encoding = json.detect_encoding(stream.peek(4)[:4])
    if _first_character(stream) == "[":
        yield from _of_list(file, stream.read(), encoding)
        return
    lines = _lines(file, stream, encoding)
    for number, line in lines:
        if not line.strip():
            continue
        try:
            value = parse(line)
        except ValueError as error:
            try:  # An object over several lines, if it is the first; or several of them.
                values = list(_values(line + "".join(text for _, text in lines)))
            except ValueError:
                values = []
            if not values:
                raise _not_json(file, f"line {number}", error) from error
            yield from _numbered(values)
            return
        yield Record(number, f"line {number}", value)


def _lines(file: Path, stream: BufferedReader, encoding: str) -> Iterator[tuple[int, str]]:
    r"""Yield the lines; only \n ends one, not the other separators that JSON strings may hold."""
    if encoding.startswith("utf-8"):
        for number, line in enumerate(stream, 1):
            try:
                yield number, line.decode(encoding if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise _not_text(file, f"line {number}", error) from error
        return
    number = 0
    try:
        with TextIOWrapper(stream, encoding, newline="\n") as text:
            for number, content in enumerate(text, 1):
                yield number, content
    except UnicodeDecodeError as error:
        raise _not_text(file, f"line {number + 1}", error) from error


def _of_list(file: Path, data: bytes, encoding: str) -> Iterator[Record]:
    try:
        text, fault = data.decode(encoding), None
    except UnicodeDecodeError as error:
        text, fault = data[: error.start].decode(encoding, "ignore"), error
    number = 0
    try:
        for number, value in enumerate(_values(text, listed=True), 1):
            yield Record(number, f"record {number}", value)
    except ValueError as error:
        place = f"record {number + 1}"
        if fault:
            raise _not_text(file, place, fault) from error
        raise _not_json(file, place, error) from error


def _values(text: str, listed: bool = False) -> Iterator[Any]:
    """Yield the JSON values in a text, those of a list if it is one."""
    at = text.index("[") + 1 if listed else 0
    while True:
        at = cast(re.Match[str], _BLANK.match(text, at)).end()
        if at == len(text) and not listed:
            return
        if listed and text[at : at + 1] == "]":
            if text[at + 1 :].strip():
                raise ValueError("there is more after the list")
            return
        if at == len(text):
            raise ValueError("the file ends in the middle of the list")
        try:
            value, at = _DECODER.raw_decode(text, at)
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error
        yield value


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    return value if isfinite(value) else _refused(digits)


_DECODER = json.JSONDecoder(parse_constant=_refused, parse_float=_finite)


def _not_json(file: Path, place: str, error: ValueError) -> TrainerError:
    return TrainerError(f"{file}: {place}: not valid JSON ({error})")


def _not_text(file: Path, place: str, error: UnicodeDecodeError) -> TrainerError:
    name = error.encoding.upper().removesuffix("-SIG")
    return TrainerError(f"{file}: {place}: not {name} text ({error.reason})")


# Tables


def _of_csv(file: Path, stream: BufferedReader, delimiter: str) -> Iterator[Record]:
    csv.field_size_limit(2**31 - 1)
    encoding, number = json.detect_encoding(stream.peek(4)[:4]), 0
    try:
        with TextIOWrapper(stream, encoding, newline="") as text:
            rows = csv.DictReader(text, delimiter=delimiter, strict=True)
            for number, row in enumerate(rows, 1):
                if None in row:
                    raise TrainerError(f"{file}: record {number}: has more values than columns")
                yield Record(number, f"record {number}", {k: v or None for k, v in row.items()})
    except UnicodeDecodeError as error:
        raise _not_text(file, f"record {number + 1}", error) from error
    except csv.Error as error:
        raise TrainerError(f"{file}: record {number + 1}: not valid CSV ({error})") from error


def _of_parquet(file: Path, stream: BufferedReader) -> Iterator[dict[str, Any]]:
    import pyarrow
    import pyarrow.parquet

    try:
        for batch in pyarrow.parquet.ParquetFile(stream).iter_batches():
            yield from map(from_arrow, batch.to_pylist())
    except pyarrow.ArrowException as error:
        raise _unreadable(file, "not a whole Parquet file", error) from error


def _of_arrow(file: Path, stream: BufferedReader) -> Iterator[dict[str, Any]]:
    import pyarrow

    try:
        if stream.peek(6)[:6] == b"ARROW1":
            reader = pyarrow.ipc.open_file(stream)
            batches = (reader.get_batch(n) for n in range(reader.num_record_batches))
        else:
            batches = pyarrow.ipc.open_stream(stream)
        for batch in batches:
            yield from map(from_arrow, batch.to_pylist())
    except pyarrow.ArrowException as error:
        raise _unreadable(file, "not a whole Arrow file", error) from error


def _of_folder(folder: Path) -> Iterator[dict[str, Any]]:
    if not (folder / "state.json").is_file():
        raise TrainerError(
            f"{folder}: is a folder; name a file of rows. The rows of a run are written by: "
            "engine export RUN --to sft|dpo"
        )
    import datasets

    try:
        yield from map(from_arrow, datasets.load_from_disk(str(folder)))
    except (OSError, ValueError, KeyError) as error:
        raise _unreadable(folder, "cannot be read", error) from error


def _of_hub(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of OWNER/NAME, or of OWNER/NAME:SPLIT; without a split, those of train."""
    if not is_hub_id(path):
        raise TrainerError(f"{path}: no such file; write one with: engine export RUN --to sft|dpo")
    import datasets
    from huggingface_hub.utils import logging

    say(f"{path}: no such file; asking the hub for it")
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    name, _, split = path.as_posix().partition(":")
    try:
        rows = datasets.load_dataset(name, split=split or "train")
    except (OSError, ValueError) as error:
        raise _unreadable(path, "no such file, and not to be had from the hub", error) from error
    yield from map(from_arrow, rows)


def _unreadable(path: Path, what: str, error: Exception) -> TrainerError:
    return TrainerError(f"{path}: {what} ({' '.join(str(error).split())})")
