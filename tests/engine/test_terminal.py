"""How commands end, and what terminals of other encodings show."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.terminal import guarded
from tests.support.stored import answer, look, store, tree
from treegraft.errors import UsageError

ROOT = Path(__file__).parents[2]


def fails(error: Exception) -> Callable[[], None]:
    def run() -> None:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (UsageError("one\ntwo"), "error: one two"),
        (FileExistsError(17, "File exists", "out"), "error: out: File exists; a file is where"),
        (PermissionError(13, "Permission denied", "out/below"), "out/below: Permission denied"),
        (NotADirectoryError(20, "Not a directory", b"ids.txt"), "ids.txt: Not a directory"),
        (FileNotFoundError(2, "No such file", "rooms.py"), "rooms.py: No such file"),
        (FileNotFoundError(2, "No such file", "runs/journal.db"), "runs/journal.db: No such"),
        (OSError(28, "No space left on device"), "No space left on device; free some"),
        (OSError(28, "No space left on device", "/tmp/scratch"), "/tmp/scratch: No space left"),
        (ValueError("embedded null byte"), "error: embedded null byte: name another file"),
        (RuntimeError("Symlink loop from 'x'"), "error: Symlink loop from 'x'"),
    ],
)
def test_what_a_user_can_mend_is_one_line(
    error: Exception, told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    line = ["explore", "--out=out", "--tasks", "@ids.txt", "--env", "rooms.py:Room"]
    assert guarded(fails(error), line) == 2
    (said,) = capfd.readouterr().err.splitlines()
    assert said.startswith("error: ") and told in said


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(2, "No such file or directory", "bwrap"),
        PermissionError(13, "Permission denied", "/usr/lib/module.py"),
        ConnectionResetError(104, "Connection reset by peer"),
        ValueError("a defect"),
        RuntimeError("a defect"),
    ],
)
def test_a_defect_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error)):
        guarded(fails(error), ["explore", "--out=out"])


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_character_that_the_terminal_lacks_is_replaced(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bytes_shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(bytes_shown, encoding))
    assert guarded(lambda: print("a\u2026\u4e2d\ud800b")) == 0
    assert bytes_shown.getvalue() == b"a???b\n"


def test_commands_work_in_the_c_locale(tmp_path: Path) -> None:
    run = store(tmp_path / "run", [tree("\u00e9", look("x" * 300), answer("\u4e2d"))])
    plain = {
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PATH": os.environ["PATH"],
    }
    for flags in (["show", str(run)], ["explore", "--help"]):
        done = subprocess.run(
            [sys.executable, "-m", "engine", *flags], env=plain, cwd=ROOT, capture_output=True
        )
        assert done.returncode == 0 and not done.stderr and done.stdout, done.stderr
        done.stdout.decode("ascii")
