"""What a command writes: whole, through links, pipes and standard output, and under a true name."""

import errno
import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support import commands
from tests.support.stored import answer, store, tree
from treegraft import text_files
from treegraft.file_errors import FileError
from treegraft.write_files import atomic_write, check_folder, check_writable, write_text

ROOT = Path(__file__).parents[2]
EXPORT = ("engine export", "--output={file}")
WRITERS = {
    "export": EXPORT,
    "graphml": ("engine show", "--task=a", "--graphml={file}"),
    "html": ("engine view", "--html={file}"),
    "quarantine": ("engine validate", "--env=bird", "--limit=1", "--quarantine={file}"),
    "report": ("trainer eval", "--compare={run}", "--report={file}"),
    "sheet": ("trainer eval", "--compare={run}", "--sheet={file}"),
}
STARTS = {
    "export": b'{"id"',
    "graphml": b"<?xml",
    "html": b"<!doctype html>",
    "quarantine": b"{",
    "report": b"# ",
    "sheet": b"id,task",
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return store(tmp_path / "run", [tree("a", answer("x"))])


def write(name: str, run: Path, file: Path | str) -> int:
    command, *flags = WRITERS[name]
    first = [] if name in ("quarantine", "report", "sheet") else [str(run)]
    return commands.run(command, *first, *(flag.format(file=file, run=run) for flag in flags))


def begins(name: str, content: bytes) -> bool:
    return content[:200].lower().lstrip().startswith(STARTS[name].lower())


@pytest.mark.parametrize("name", WRITERS)
def test_links_are_written_through_and_missing_folders_made(
    name: str, run: Path, tmp_path: Path
) -> None:
    ending = ".jsonl" if name == "export" else ".md"
    target, link = tmp_path / "real" / f"target{ending}", tmp_path / f"link{ending}"
    target.parent.mkdir()
    link.symlink_to(Path("real") / target.name)  # leads nowhere yet
    assert write(name, run, link) == 0
    assert link.is_symlink() and begins(name, target.read_bytes())
    if name != "sheet":  # which never replaces a file
        target.write_text('{"data": "", "tasks": {}}')
        target.chmod(0o640)
        assert write(name, run, link) == 0
        assert link.is_symlink() and begins(name, target.read_bytes())
        assert stat.S_IMODE(target.stat().st_mode) == 0o640
    below = tmp_path / "new" / "folder" / f"file{ending}"
    assert write(name, run, below) == 0 and begins(name, below.read_bytes())
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("output", ["-", "/dev/stdout"])
@pytest.mark.parametrize("name", WRITERS)
def test_standard_output_holds_the_file_alone(
    name: str, output: str, run: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert write(name, run, output) == 0
    out, err = capfdbinary.readouterr()
    assert begins(name, out) and (name != "html" or out.rstrip().endswith(b"</html>"))
    assert err or name == "graphml"  # what else there is to say


def test_the_summary_of_an_export_to_standard_output_is_on_standard_error(
    run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert commands.run("engine export", str(run), "--output=-", "--json") == 0
    out, err = capfd.readouterr()
    assert [json.loads(line)["id"] for line in out.splitlines()] == ["run/a/1"]
    assert json.loads(err)["rows"] == 1


@pytest.mark.parametrize("name", WRITERS)
def test_a_pipe_is_written_through(name: str, run: Path, tmp_path: Path) -> None:
    pipe = tmp_path / ("pipe" if name == "export" else "pipe.md")
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert write(name, run, pipe) == 0
    reader.join(10)
    assert begins(name, read[0]) and stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("flags", [["show", "--json"], ["export", "--output=-"]])
def test_a_full_standard_output_is_one_line(flags: list[str], run: Path) -> None:
    name, *more = flags
    command = [sys.executable, "-m", "engine", name, str(run), *more]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == 2 and len(said) == 1 and "Traceback" not in done.stderr
    assert "No space left on device; free some" in said[0]


@pytest.mark.parametrize(
    ("name", "flags", "told"),
    [
        ("rows.csv", [], "--format jsonl writes *.jsonl, *.ndjson, *.json, *.txt, *.parquet, or"),
        ("rows.tsv", [], "rows.tsv"),
        ("rows.XLSX", [], "rows.XLSX"),
        ("rows.arrow", [], "--format writes sharegpt and toolbench"),
        ("rows.jsonl.gz", [], "rows.jsonl.gz"),
        ("rows.parquet", ["--format=sharegpt"], "--format sharegpt writes *.json, *.jsonl"),
        ("rows.csv", ["--format=toolbench"], "--format toolbench writes *.json"),
    ],
)
def test_a_name_that_promises_another_format_is_refused(
    name: str, flags: list[str], told: str, run: Path, tmp_path: Path, capfd
) -> None:
    assert commands.run("engine export", str(run), f"--output={tmp_path / name}", *flags) == 2
    assert told in capfd.readouterr().err
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("name", ["rows", "rows.jsonl", "rows.NDJSON", "rows.json"])
def test_rows_are_json_lines_under_these_names(name: str, run: Path, tmp_path: Path) -> None:
    assert commands.run("engine export", str(run), f"--output={tmp_path / name}") == 0
    assert json.loads((tmp_path / name).read_text())["messages"]


def test_nothing_is_left_where_writing_fails(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    told = f"cannot write {file}: No space left"
    with pytest.raises(FileError, match=told), atomic_write(file) as part:
        part.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(FileNotFoundError, match="ours"), atomic_write(file):
        Path("ours").read_bytes()  # a defect is about none of the user's files
    assert file.read_text() == "old" and list(tmp_path.iterdir()) == [file]


def test_long_names_are_written_too(tmp_path: Path) -> None:
    file = tmp_path / ("x" * 250)
    write_text(file, "text")
    assert file.read_text() == "text"


def test_what_can_not_be_written_is_told_before_long_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_files, "PATIENCE_SECONDS", 0.02)
    (tmp_path / "file").touch()
    for check in (check_writable, check_folder):
        check(tmp_path / "new" / "deep")
        with pytest.raises(FileError, match="Not a directory"):
            check(tmp_path / "file" / "below")
    with pytest.raises(FileError, match="Is a directory"):
        check_writable(tmp_path)
    with pytest.raises(FileError, match="Not a directory"):
        check_folder(tmp_path / "file")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
