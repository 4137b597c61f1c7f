"""A cache of files that take long to build from a world's data, keyed by their content."""

import fcntl
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from treegraft.errors import TreegraftError


def default_folder(world: str = "webshop") -> Path:
    """Return the world's folder in the user's cache folder (XDG Base Directory Specification)."""
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(chosen) if os.path.isabs(chosen) else Path.home() / ".cache"
    return base / "treegraft" / world


class NotWritable(TreegraftError):
    """A file of the cache cannot be written; the message names the folder."""


def build_once(name: str, make: Callable[[Path], object], folder: Path | None = None) -> Path:
    """Return the path of the file `name` in `folder`; `make` writes it if it is missing.

    The file appears only when it is complete, so readers need no lock. Processes that need it at
    the same time wait for the one that makes it.

    Args:
        name: identifies the content that the file is made from.

    Raises:
        NotWritable: the folder cannot be written.
    """
    path = (folder or default_folder()) / name
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.with_name(f"{name}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not path.exists():
                    _make(path, make)
        except (OSError, sqlite3.OperationalError) as error:
            raise NotWritable(
                f"cannot write to {path.parent} ({error}): make room there, or "
                "set XDG_CACHE_HOME to a folder that can be written"
            ) from error
    return path


def _make(path: Path, make: Callable[[Path], object]) -> None:
    scratch = path.with_name(f"{path.name}.making")
    scratch.unlink(missing_ok=True)  # left by a process that was killed
    try:
        make(scratch)
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)
