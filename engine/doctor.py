"""What this machine can do, and how to get what it lacks."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from sandbox.backends import BACKENDS, CONFINING
from sandbox.check import check

GIB = 1 << 30
LOW_DISK = 10 * GIB
"""Free bytes below which the doctor warns: an installation with torch and a small model's
checkpoints need about this much."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked for.

    Attributes:
        detail: Its version or state, or why it cannot be used.
        hint: How to get it; "" if it is there.
    """

    name: str
    found: bool
    detail: str
    hint: str
    needed_for: str


def examine(folder: Path) -> list[Finding]:
    """Look at this machine; runs are to be kept in `folder`."""
    return [*_sandboxes(), *_packages(), _postgres(), _gpu(), _disk(folder)]


def _sandboxes() -> Iterator[Finding]:
    hints = {
        "docker": "install Docker (Debian: apt install docker.io) and start dockerd",
        "bubblewrap": "install bubblewrap (Debian: apt install bubblewrap)",
        "landlock": "needs Linux 5.13 or later with Landlock enabled",
    }
    for name in BACKENDS:
        if name not in CONFINING:
            continue
        report = check(name)
        detail = f"starts in {report.start_ms:.0f} ms" if report.works else report.trouble
        hint = "" if report.works else hints.get(name, "")
        yield Finding(f"sandbox {name}", report.works, detail, hint, "agent code and queries")


def _packages() -> Iterator[Finding]:
    for package, extra, purpose in (
        ("torch", "train", "training and models in this process"),
        ("trl", "train", "training"),
        ("pyarrow", "parquet", "rows as Parquet files"),
        ("psycopg", "postgres", "databases on a Postgres server"),
        ("ray", "ray", "exploring on many machines (experimental)"),
        ("deepspeed", "deepspeed", "training in several processes (experimental)"),
        ("vllm", "", "serving models fast on a GPU (experimental)"),
    ):
        there = find_spec(package) is not None
        hint = f"pip install 'treegraft[{extra}]'" if extra else f"pip install {package}"
        yield Finding(package, there, _version(package), "" if there else hint, purpose)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _postgres() -> Finding:
    server = shutil.which("postgres") or next(
        iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)), None
    )
    detail = _first_line([str(server), "--version"]) if server else "no server on this machine"
    hint = (
        "" if server else "install one (Debian: apt install postgresql), or use another machine's"
    )
    return Finding("Postgres server", bool(server), detail, hint, "databases on a Postgres server")


def _gpu() -> Finding:
    tool = shutil.which("nvidia-smi")
    query = ["--query-gpu=name,memory.total", "--format=csv,noheader"]
    found = _first_line([tool, *query]) if tool else ""
    hint = "" if found else "not needed: small models train and run on the CPU"
    return Finding("GPU", bool(found), found or "no NVIDIA driver", hint, "larger models")


def _disk(folder: Path) -> Finding:
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    enough = free >= LOW_DISK
    hint = "" if enough else f"keep {LOW_DISK // GIB} GiB free"
    return Finding("disk", enough, f"{free / GIB:.0f} GiB free in {folder}", hint, "runs, models")


def _first_line(command: list[str]) -> str:
    """Return the first line a program prints, or "" if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.partition("\n")[0].strip() if done.returncode == 0 else ""


def machine() -> str:
    """Return this machine's Python, cores and memory in one line."""
    pages: Callable[[str], int] = os.sysconf
    memory = pages("SC_PAGE_SIZE") * pages("SC_PHYS_PAGES") / GIB
    cores = len(os.sched_getaffinity(0))
    python = ".".join(map(str, sys.version_info[:3]))
    return f"Treegraft {_version('treegraft')}, Python {python}, {cores} cores, {memory:.0f} GiB"
