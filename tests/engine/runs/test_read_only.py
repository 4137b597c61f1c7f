"""Runs on a disk that cannot be written, and files that are no runs."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.runs.run_file import RunFileError
from engine.runs.store import FILE, Store
from tests.support import commands
from tests.support.stored import answer, store, tree

CLEAN, KILLED, NO_INDEX = "clean", "killed", "no-index"


def killed(run: Path) -> None:
    """Write a run in a process that is killed before SQLite moves its log into the file."""
    child = os.fork()
    if child == 0:
        kept = Store.create(store(run, [tree("a", answer("x"))]))
        kept._db.execute("PRAGMA wal_autocheckpoint = 0")
        kept.add_tree(tree("b", answer("y")))
        os._exit(0)
    os.waitpid(child, 0)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of runs, mounted read-only."""
    folder, mounted = tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("mounted")
    store(folder / CLEAN, [tree("a", answer("x")), tree("b", answer("y"))])
    killed(folder / KILLED)
    shutil.copytree(folder / KILLED, folder / NO_INDEX)
    (folder / NO_INDEX / f"{FILE}-shm").unlink()
    commands = (["mount", "--bind", folder, mounted], ["mount", "-o", "remount,ro,bind", mounted])
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            subprocess.run(["umount", mounted], capture_output=True)
            if os.environ.get("CI"):
                pytest.fail(f"a read-only mount needs root: {done.stderr}")
            pytest.skip("a read-only mount needs root")
    try:
        yield mounted
    finally:
        subprocess.run(["umount", mounted], check=True)


@pytest.mark.parametrize("name", [CLEAN, KILLED, NO_INDEX])
def test_a_run_on_a_read_only_disk_is_read_with_its_log(
    name: str, disk: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for run in (disk / name, disk / name / FILE):
        with Store.open(run) as kept:
            assert kept.task_ids() == ["a", "b"]
            with pytest.raises(RunFileError, match="readonly"):
                kept.add_tree(tree("c", answer("z")))
    run, out = str(disk / name), str(tmp_path / "out.jsonl")
    assert commands.run("engine stats", run, "--json") == 0
    assert commands.run("engine show", run) == 0
    assert commands.run("engine export", run, f"--output={out}") == 0
    assert commands.run("engine view", run, f"--html={tmp_path / 'page.html'}") == 0
    assert commands.run("trainer eval", f"--compare={run}", "--json") == 0
    capfd.readouterr()
    assert len(Path(out).read_text().splitlines()) == 2
    assert commands.run("engine view", run) == 2
    assert "Read-only file system; name another place" in capfd.readouterr().err
    explore = ["--env=bird", "--tasks=bird-train-0", f"--output={run}"]
    assert commands.run("engine explore", *explore) == 2


def test_a_full_disk_is_told_and_the_run_goes_on(tmp_path: Path) -> None:
    run = store(tmp_path / "run", [tree("a", answer("x"))])
    with Store.create(run) as kept:
        (pages,) = kept._db.execute("PRAGMA page_count").fetchone()
        kept._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(RunFileError, match=r"run\.db: database or disk is full; mend that"):
            kept.add_tree(tree("b", *(answer("y" * 9000) for _ in range(9))))
    with Store.create(run) as kept:
        kept.add_tree(tree("b", answer("y")))
        assert kept.task_ids() == ["a", "b"]


@pytest.mark.parametrize("content", [b"", b"text" * 500, None])
def test_a_file_that_is_no_run_is_told(content: bytes | None, tmp_path: Path) -> None:
    run = store(tmp_path / "run", [tree("a", answer("x"))])
    file = run / FILE
    file.write_bytes(file.read_bytes()[:5000] if content is None else content)
    with pytest.raises(UsageError, match=r"run\.db is not a run of Treegraft"):
        Store.open(run)
    if content != b"":
        with pytest.raises(RunFileError, match=r"run\.db: .*; choose another folder"):
            Store.create(run).add_tree(tree("b", answer("y")))
