"""Text in any encoding that editors write, in every reader that a user's file reaches."""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from engine.chat.prices import read_prices
from engine.runs.annotations import Annotation, read_annotations
from engine.runs.quarantine import Quarantine
from engine.runs.tasks import read_ids
from engine.templates import get as get_template
from environments.records import Faults, read_records
from environments.sql.schema import descriptions
from trainer.cli.options import _defaults
from trainer.data.rows import read_rows
from trainer.evaluation.measures.score_sheets import read_sheet
from trainer.training.deepspeed import configuration
from treegraft import text_files
from treegraft.file_errors import FileError
from treegraft.rounds.held_out import _rows
from treegraft.rounds.settings import read as read_settings
from treegraft.text_files import read_bytes, read_lines, read_text

ROOT = Path(__file__).parents[2]
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")
WORD = "caf\u00e9\u2028\u0085 bar"
"""Characters that `str.splitlines` takes for the end of a line stand in it."""
ROW = json.dumps({"messages": [{"role": "user", "content": WORD}]}, ensure_ascii=False)
MARK = Annotation("t", 0, "s", "node", "good", why=WORD)


def flags_of(file: Path) -> object:
    command = typer.main.get_command(_app())
    context = typer.Context(command)
    _defaults(context, file)
    return context.default_map


def _app() -> typer.Typer:
    app = typer.Typer()
    app.command()(_nothing)
    return app


def _nothing(seed: int = 0) -> None:
    """A command with one flag."""


def _fields(file: Path) -> list[object]:
    return [record.fields for record in read_records(file, Faults())]


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "ids.txt": (f"a-1\n\nb\u2028c\n{WORD}\n", lambda file: read_ids(f"@{file}")),
    "quarantine.json": (
        json.dumps({"data": "", "tasks": {"a": WORD}}, ensure_ascii=False, indent=1),
        lambda file: Quarantine.read(file).tasks,
    ),
    "prices.json": (
        '{\n"m\u00e9": {"input": 1, "output": 2}\n}',
        lambda file: read_prices(file)["mé"],
    ),
    "marks.jsonl": (json.dumps(MARK.to_dict(), ensure_ascii=False) + "\n", read_annotations),
    "template.toml": (
        (ROOT / "examples/at_sign.toml").read_text(),
        lambda file: get_template(str(file)).name,
    ),
    "rounds.toml": (
        '[tasks]\nenv = "bird"\n[student]\nmodel = "caf\u00e9"\n',
        read_settings,
    ),
    "held_out.jsonl": (f"{ROW}\n\n{ROW}\n", lambda file: list(_rows(file))),
    "flags.yaml": ("seed: 3\n", flags_of),
    "zero.json": ('{\n"zero_optimization": {"stage": 2}\n}', lambda file: configuration(str(file))),
    "sheet.csv": ("id,score,remark\nx,3,caf\u00e9\ny,,\n", read_sheet),
    "tasks.jsonl": (
        f"{ROW}\n{ROW}\n",
        _fields,
    ),
    "tasks.json": (
        f"[{ROW},\n{ROW}]",
        _fields,
    ),
    "rows.jsonl": (f"{ROW}\n\n{ROW}\n", lambda file: list(read_rows(file))),
    "chats.jsonl": (f"{ROW}\n{ROW}\n", lambda file: list(read_rows(file))),
    "chats.json": (f"[{ROW},\n{ROW}]", lambda file: list(read_rows(file))),
    "notes/t.csv": (
        "original_column_name,value_description\na,caf\u00e9\n",
        lambda file: descriptions(file.parent, "t"),
    ),
}


@pytest.mark.parametrize("name", READERS)
def test_every_reader_takes_every_encoding(name: str, tmp_path: Path) -> None:
    text, read = READERS[name]
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(text.encode())
    expected = read(file)
    assert expected
    for encoding in ENCODINGS:
        for end in ("\n", "\r\n"):
            again = tmp_path / f"{encoding}{len(end)}" / name
            again.parent.mkdir(parents=True)
            again.write_bytes(text.replace("\n", end).encode(encoding))
            assert read(again) == expected, (encoding, end)


def test_lines_end_with_line_feeds_alone(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(f"{WORD}\r\n\x0c\n{WORD}".encode())
    assert list(read_lines(file)) == [WORD, "\x0c", WORD]
    assert read_text(file) == f"{WORD}\n\x0c\n{WORD}"


def test_a_pipe_is_read_once_somebody_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text("one\ntwo\n"))
    writer.start()
    assert list(read_lines(pipe)) == ["one", "two"]
    writer.join()
    monkeypatch.setattr(text_files, "PATIENCE_SECONDS", 0.02)
    with pytest.raises(FileError, match="no program writes into this pipe"):
        read_text(pipe)


@pytest.mark.parametrize("read", [read_text, read_bytes, lambda file: list(read_lines(file))])
def test_what_is_no_file_is_told(read: Callable[[Path], object], tmp_path: Path) -> None:
    for file, told in (
        (tmp_path, "Is a directory; name a file"),
        (Path("/dev/zero"), "it is a device"),
        (tmp_path / "gone", "No such file or directory; check the name"),
        (Path("a\0b"), "embedded null"),
    ):
        with pytest.raises(FileError, match=told):
            read(file)
    assert not read(Path(os.devnull))
