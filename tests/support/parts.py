"""The real parts that tests need: programs and packages that a machine may lack.

A test without its part is skipped, and fails in CI (`CI` is set there). The run ends with one line
that names what to install.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import pytest

MARK = "needs "
INSTALL = {
    "docker": "apt-get install docker.io, and start dockerd",
    "bubblewrap": "apt-get install bubblewrap",
    "landlock": "a kernel with Landlock, Linux 5.13 or later",
    "chromium": "apt-get install chromium",
    "postgres": "apt-get install postgresql",
    "deepspeed": "pip install 'treegraft[deepspeed]'",
    "alfworld": "pip install 'treegraft[alfworld]', which takes minutes to compile",
    "bfcl": "pip install --no-deps bfcl-eval",
    "openenv": "pip install 'treegraft[openenv]'",
    "harbor": "pip install --no-deps harbor toml, with Python 3.12 or later",
    "verifiers": "pip install 'treegraft[verifiers]'",
    "textworld": "pip install 'treegraft[textworld]', which needs a C compiler",
    "root": "run the tests as root",
    "mcp": "pip install 'treegraft[mcp]' mcp-server-git",
    "mcp servers": "make .venv/parts, or set TREEGRAFT_MCP_SERVERS to folders with the servers of "
    "docs/worlds/mcp.md",
    "data": "set TREEGRAFT_DATA to a folder with the published data sets",
}

OPTIONAL = ("alfworld", "data", "harbor", "mcp servers")
"""What CI need not have: it is no part of this repository, no package of an index we pin, or takes
too long to build."""


def missing(part: str, trouble: str = "") -> NoReturn:
    """End a test that cannot run without `part`, one of INSTALL; `trouble` says what is wrong."""
    if "CI" in os.environ and part not in OPTIONAL:
        pytest.fail(f"{part}: {trouble or INSTALL[part]}")
    pytest.skip(f"{MARK}{part}" + (f": {trouble}" if trouble else ""))


def summary(reasons: Iterable[str]) -> str:
    """Return one line about the tests that were skipped for want of a part, or ""."""
    counts: dict[str, int] = {}
    for reason in reasons:
        if reason.startswith(MARK):
            part = reason.removeprefix(MARK).partition(":")[0]
            counts[part] = counts.get(part, 0) + 1
    lacks = (f"{part} ({count} tests; {INSTALL[part]})" for part, count in sorted(counts.items()))
    return f"Skipped, because this machine lacks: {'; '.join(lacks)}" if counts else ""


DATA = Path(os.environ.get("TREEGRAFT_DATA", Path(__file__).parents[2] / "../shared/data"))
"""The published data sets, which are no part of this repository."""

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"{MARK}data")
