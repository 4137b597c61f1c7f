"""Indexes are kept on disk, by the content of what they index (`built_files`)."""

import hashlib
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from environments.built_files import build_once
from environments.ranking import analysis
from environments.ranking.index import Index
from environments.ranking.postings import build
from environments.ranking.storage import Damaged, read_arrays, write_arrays

FORMAT = 1
"""Raised with every change of the arrays' names, kinds or meaning."""


def open_index(
    documents: Callable[[], Iterable[tuple[str, str]]],
    fingerprint: str,
    folder: Path | None = None,
) -> Index:
    """Return the index of the documents, memory-mapped; build it if missing or damaged.

    Args:
        documents: called only to build; (id, text) each.
        fingerprint: stands for the documents' content; another content has another one.

    Raises:
        NotWritable: the folder cannot be written, or its disk is full.
    """

    def make(path: Path) -> None:
        _make(documents, path)

    name = f"{_key(fingerprint)}.index"
    path = build_once(name, make, folder)
    try:
        return Index(read_arrays(path))
    except Damaged:
        path.unlink(missing_ok=True)  # or a new one, just made: then it is made once more
        return Index(read_arrays(build_once(name, make, folder)))


def _key(fingerprint: str) -> str:
    parts = (str(FORMAT), str(analysis.VERSION), fingerprint)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _make(documents: Callable[[], Iterable[tuple[str, str]]], path: Path) -> None:
    scratch = path.with_suffix(".building")
    shutil.rmtree(scratch, ignore_errors=True)  # of a process that was killed
    scratch.mkdir()
    try:
        with path.open("wb") as file:
            write_arrays(file, build(documents(), scratch))
    finally:
        shutil.rmtree(scratch)
