"""What takes long to make of a shop's files is made once, and kept by their content."""

import fcntl
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from treegraft.errors import TreegraftError


def default_folder() -> Path:
    """`treegraft/webshop` in the user's cache folder (XDG Base Directory: an absolute path)."""
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(chosen) if os.path.isabs(chosen) else Path.home() / ".cache"
    return base / "treegraft" / "webshop"


class NotKept(TreegraftError):
    """What was made of a shop's files cannot be written to its folder; the message says which."""


def keep(name: str, make: Callable[[Path], object], folder: Path | None = None) -> Path:
    """The file `name` in `folder`, which `make` writes if it is not there.

    It is put into place whole, so whoever finds it needs no lock; processes that ask for it at the
    same time wait for the one that makes it.

    Args:
        name: stands for the content of what it is made of.
        make: writes to the path that it is given.
        folder: None is `default_folder`.

    Raises:
        NotKept: the folder cannot be written.
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
            raise NotKept(
                f"the shop cannot be kept in {path.parent} ({error}): make room there, or "
                "set XDG_CACHE_HOME to a folder that can be written"
            ) from error
    return path


def _make(path: Path, make: Callable[[Path], object]) -> None:
    scratch = path.with_name(f"{path.name}.making")
    scratch.unlink(missing_ok=True)  # of a process that was killed
    try:
        make(scratch)
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)
