"""Indexes are kept on disk, by the content of what they index; the first process builds.

A file is put into place whole (rename), so that who reads needs no lock. One that is found damaged
is built again.
"""

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from environments.webshop.lucene import analysis
from environments.webshop.lucene.index import Index
from environments.webshop.lucene.postings import build
from environments.webshop.lucene.storage import Damaged, read_arrays, write_arrays
from sandbox.errors import TreegraftError

FORMAT = 1
"""Raised with every change of the arrays' names, kinds or meaning."""


class IndexNotKept(TreegraftError):
    """The search index cannot be written to its folder; the message says which."""


def open_index(
    documents: Callable[[], Iterable[tuple[str, str]]],
    fingerprint: str,
    folder: Path | None = None,
) -> Index:
    """The index of the documents, memory-mapped; built if it is not there or damaged.

    Processes that ask at the same time wait for the one that builds.

    Args:
        documents: called only to build; (id, text) each.
        fingerprint: stands for the documents' content; another content has another one.
        folder: where indexes are kept; None is `default_folder`.

    Raises:
        IndexNotKept: the folder cannot be written, or its disk is full.
    """
    path = (folder or default_folder()) / f"{_key(fingerprint)}.index"
    index = _load(path)
    if index is not None:
        return index
    with _alone(path):
        index = _load(path)
        return _make(documents, path) if index is None else index


def default_folder() -> Path:
    """`treegraft/webshop` in the user's cache folder (XDG Base Directory: an absolute path)."""
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(chosen) if os.path.isabs(chosen) else Path.home() / ".cache"
    return base / "treegraft" / "webshop"


def _key(fingerprint: str) -> str:
    parts = (str(FORMAT), str(analysis.VERSION), fingerprint)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _load(path: Path) -> Index | None:
    try:
        return Index(read_arrays(path))
    except (OSError, Damaged):  # what cannot be read can perhaps be written; else that is told
        return None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """No other process is inside for the same path. A lock ends with the process that holds it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_suffix(".lock").open("w")
    except OSError as error:
        raise _not_kept(path.parent, error) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(documents: Callable[[], Iterable[tuple[str, str]]], path: Path) -> Index:
    scratch = path.with_suffix(".building")
    shutil.rmtree(scratch, ignore_errors=True)  # of a process that was killed
    scratch.mkdir()
    try:
        with (scratch / "whole").open("wb") as file:
            write_arrays(file, build(documents(), scratch))
        os.replace(scratch / "whole", path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _not_kept(path.parent, error) from error
        raise  # the documents could not be read
    finally:
        shutil.rmtree(scratch)
    return Index(read_arrays(path))


def _not_kept(folder: Path, error: OSError) -> IndexNotKept:
    return IndexNotKept(
        f"the search index cannot be kept in {folder} ({error.strerror}): make room there, or set "
        "XDG_CACHE_HOME to a folder that can be written"
    )
