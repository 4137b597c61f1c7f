"""Server commands that tests start: their announcement, and whether they still run."""

import json
import subprocess
from pathlib import Path


def command_of(pid: int) -> bytes:
    """The command line of a process; b"" if it has ended, reaped or not."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def announced(process: subprocess.Popen[str]) -> dict[str, str]:
    """The JSON line with the address of a server."""
    assert process.stdout is not None
    announcement: dict[str, str] = json.loads(process.stdout.readline())
    return announcement
