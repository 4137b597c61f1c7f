"""Files as people have them: forms, encodings, and what is broken, named with its record."""

import csv
import gzip
import io
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow
import pyarrow.parquet
import pytest

from tests.support.rows import dialogue
from trainer.data.records import read_file
from trainer.data.row_source import in_memory, source_rows
from trainer.data.rows import read_rows
from trainer.errors import TrainerError

TEXTS = ["caf\u00e9 \u2028 line", "\u6f22\u5b57 \u0085 next"]
RECORDS: list[dict[str, Any]] = [
    {"instruction": f"q{number}", "output": text} for number, text in enumerate(TEXTS)
]
LINES = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in RECORDS)
LIST = json.dumps(RECORDS, ensure_ascii=False, indent=1)


def table(records: list[dict[str, Any]]) -> pyarrow.Table:
    return pyarrow.Table.from_pylist(records)


def as_parquet(file: Path) -> None:
    pyarrow.parquet.write_table(table(RECORDS), file)


def as_arrow(file: Path) -> None:
    with pyarrow.OSFile(str(file), "wb") as out, pyarrow.ipc.new_file(out, table([]).schema):
        pass
    with (
        pyarrow.OSFile(str(file), "wb") as out,
        pyarrow.ipc.new_file(out, table(RECORDS).schema) as writer,
    ):
        writer.write_table(table(RECORDS))


def as_stream(file: Path) -> None:
    with (
        pyarrow.OSFile(str(file), "wb") as out,
        pyarrow.ipc.new_stream(out, table(RECORDS).schema) as writer,
    ):
        writer.write_table(table(RECORDS))


def as_csv(file: Path) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(RECORDS[0]))
    writer.writeheader()
    writer.writerows(RECORDS)
    file.write_text(text.getvalue(), "utf-8-sig", newline="")


def as_folder(file: Path) -> None:
    datasets.Dataset.from_list(RECORDS).save_to_disk(str(file))


def written(data: str | bytes, encoding: str = "utf-8") -> Callable[[Path], object]:
    content = data if isinstance(data, bytes) else data.encode(encoding)
    return lambda file: file.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("rows.jsonl", written(LINES)),
        ("rows.jsonl", written(LINES, "utf-8-sig")),
        ("rows.jsonl", written(LINES, "utf-16")),
        ("rows.jsonl", written(LINES, "utf-16-le")),
        ("rows.jsonl", written(LINES.replace("\n", "\r\n\r\n"))),
        ("rows.jsonl", written(LINES.rstrip("\n"))),
        ("rows.json", written(LIST)),
        ("rows.json", written("\n " + LIST, "utf-8-sig")),
        ("rows.json", written(LIST, "utf-16-be")),
        ("rows.json", written(LIST.replace("\n", "\r\n"))),
        ("rows.json", written("\n".join(json.dumps(one, indent=2) for one in RECORDS))),
        ("rows.jsonl.gz", written(gzip.compress(LINES.encode(), mtime=0))),
        ("rows", written(gzip.compress(LIST.encode(), mtime=0))),
        ("rows.parquet", as_parquet),
        ("rows", as_parquet),
        ("rows.arrow", as_arrow),
        ("rows.arrow", as_stream),
        ("rows.csv", as_csv),
        ("rows", as_folder),
    ],
)
def test_the_same_rows_whatever_the_file(
    tmp_path: Path, name: str, make: Callable[[Path], object]
) -> None:
    make(tmp_path / name)
    rows = list(read_rows(tmp_path / name))
    assert [row.messages for row in rows] == [
        dialogue(f"q{number}", text) for number, text in enumerate(TEXTS)
    ]


GOOD = '{"instruction": "q", "output": "a"}'


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.jsonl", f'{GOOD}\n\n{{"instruction": "q', "line 3: not valid JSON"),
        ("a.jsonl", f'{GOOD}\n{GOOD[:-1]}, "x": NaN}}', "line 2: not valid JSON (NaN"),
        ("a.jsonl", f'{GOOD}\n{GOOD[:-1]}, "x": -Infinity}}', "line 2: not valid JSON"),
        ("a.jsonl", f'{GOOD}\n{GOOD[:-1]}, "x": 1e999}}', "line 2: not valid JSON (1e999"),
        ("a.jsonl", f"{GOOD}\n".encode() + b"\xff\xfe\n", "line 2: not UTF-8 text"),
        ("a.jsonl", f"{GOOD}\n{'[' * 100_000}", "line 2: not valid JSON"),
        ("a.jsonl", f"{GOOD}\n3\n", "line 2: a row must be an object, not a number"),
        ("a.json", f"[{GOOD},\n{GOOD[:-3]}", "record 2: not valid JSON"),
        ("a.json", f"[{GOOD},\n{GOOD}", "record 3: not valid JSON (the file ends"),
        ("a.json", f"[{GOOD}] x", "record 2: not valid JSON (there is more after"),
        ("a.json", f"[{GOOD},".encode() + b'{"a": "\xff"}]', "record 2: not UTF-8 text"),
        ("a.json", f"[{GOOD}, NaN]", "record 2: not valid JSON (NaN"),
        ("a.json", "{", "line 1: not valid JSON"),
        ("a.csv", "instruction,output\nq,a\nq,a,b\n", "record 2: has more values than columns"),
        ("a.csv", 'instruction,output\nq,"a', "record 1: not valid CSV"),
        ("a.csv", b"instruction,output\nq,\xff\n", "record 1: not UTF-8 text"),
        ("a.parquet", "PAR1 and no more", "not a whole Parquet file"),
        ("a.arrow", "ARROW1 and no more", "not a whole Arrow file"),
        ("a.jsonl.gz", gzip.compress(LINES.encode(), mtime=0)[:-9], "cannot be read"),
    ],
)
def test_what_is_broken_is_one_line_with_its_record(
    tmp_path: Path, name: str, data: str | bytes, reason: str
) -> None:
    file = tmp_path / name
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    with pytest.raises(TrainerError, match=re.escape(reason)) as caught:
        list(source_rows(file))
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    for path, reason in [
        (tmp_path, "is a folder; .* engine export"),
        (tmp_path / "none.jsonl", "no such file"),
        (tmp_path / "none", "no such file"),
        (Path("owner/name.json"), "no such file"),
    ]:
        with pytest.raises(TrainerError, match=reason):
            list(read_file(path))
    (tmp_path / "empty.jsonl").touch()
    assert list(read_file(tmp_path / "empty.jsonl")) == []


def test_a_pipe_is_read(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, LINES.encode())
    os.close(writing)
    assert len(list(read_rows(Path(f"/dev/fd/{reading}")))) == 2
    os.close(reading)


CALLS: list[dict[str, Any]] = [
    {
        "messages": [
            *dialogue("q"),
            {"role": "assistant", "tool_calls": [{"function": {"name": name, "arguments": given}}]},
        ]
    }
    for name, given in (("one", {"x": 1, "none": None}), ("two", {"y": "b"}))
]


def arguments(source: Any) -> list[Any]:
    rows = [row.messages[-1]["tool_calls"][0]["function"] for row in read_rows(in_memory(source))]
    return [json.loads(row["arguments"]) for row in rows]


def test_records_do_not_get_one_anothers_keys(tmp_path: Path) -> None:
    """The loader of `datasets` fills every object with the keys of all; there null is absent."""
    (tmp_path / "rows.json").write_text(json.dumps(CALLS))
    assert arguments(tmp_path / "rows.json") == [{"x": 1, "none": None}, {"y": "b"}]
    assert arguments(iter(CALLS)) == [{"x": 1, "none": None}, {"y": "b"}]
    filled = datasets.Dataset.from_list(CALLS)
    filled.to_parquet(tmp_path / "rows.parquet")
    for source in (filled, tmp_path / "rows.parquet"):
        assert arguments(source) == [{"x": 1}, {"y": "b"}]


def test_values_of_a_csv_stay_text(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("instruction,output\n1,NA\nq,\n")
    one, other = read_rows(tmp_path / "rows.csv")
    assert one.messages == dialogue("1", "NA")
    assert other.defect == "output is missing"
