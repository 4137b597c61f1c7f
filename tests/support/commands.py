"""The commands in this process: a test of their output pays for no interpreter's start."""

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

from treegraft import commands

ROOT = Path(__file__).parents[2]


def engine(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run `engine ARGUMENTS` in the folder `cwd`; return its exit code and output."""
    words = ["engine", *map(str, arguments)]
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    code: object = 0
    here = os.getcwd()
    os.chdir(cwd)
    try:
        with (
            mock.patch.object(sys, "argv", words),
            mock.patch.object(sys, "path", [*sys.path]),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            commands.engine()
    except SystemExit as ended:
        code = ended.code
    finally:
        os.chdir(here)
    texts = [each.buffer.getvalue().decode() for each in (out, err)]  # type: ignore[attr-defined]
    return subprocess.CompletedProcess(words, code if isinstance(code, int) else 0, *texts)
