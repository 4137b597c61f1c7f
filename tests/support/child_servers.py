"""Commands that serve, started by tests: what they announce, and whether they are gone."""

import json
import subprocess
from pathlib import Path


def command_of(pid: int) -> bytes:
    """The command line of a process; b"" of one that is gone, or only waits to be reaped."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def announced(process: subprocess.Popen[str]) -> dict[str, str]:
    """The line of JSON that says where a server can be asked."""
    assert process.stdout is not None
    said: dict[str, str] = json.loads(process.stdout.readline())
    return said
