"""The commands in this process: a test of what they do pays for no interpreter's start."""

import contextlib
import io
import subprocess
import sys
from pathlib import Path
from unittest import mock

from treegraft import commands

ROOT = Path(__file__).parents[2]
PROGRAMS = {"engine": commands.engine, "trainer": commands.trainer}


def run(command: str, *arguments: object) -> int:
    """Run a command, such as "engine show", as the console script does; return its exit code."""
    words = [*command.split(), *map(str, arguments)]
    with mock.patch.object(sys, "argv", words), mock.patch.object(sys, "path", [*sys.path]):
        try:
            PROGRAMS[words[0]]()
        except SystemExit as ended:
            return int(ended.code or 0)
    return 0


def captured(command: str, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in the folder `cwd`; return its exit code and output."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = run(command, *arguments)
    texts = [each.buffer.getvalue().decode() for each in (out, err)]  # type: ignore[attr-defined]
    return subprocess.CompletedProcess([command, *map(str, arguments)], code, *texts)


def engine(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return captured("engine", *arguments, cwd=cwd)


def trainer(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return captured("trainer", *arguments, cwd=cwd)
