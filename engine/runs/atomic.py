"""Atomic writes: a file is complete, or it is not there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(file: Path) -> Iterator[Path]:
    """Yield a path beside `file` to write to, which replaces `file` at the end.

    The new content is synced first, so that a power failure leaves either the old file or the new
    one. After an error the old file stays.

    Raises:
        OSError: the file cannot be written there.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def write_text(file: Path, text: str) -> None:
    """Replace the content of `file` by `text`; see `atomic_write`."""
    with atomic_write(file) as part:
        part.write_text(text, "utf-8")
