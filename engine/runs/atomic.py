"""Files that are there whole, or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(file: Path) -> Iterator[Path]:
    """A path beside `file`, to be written; it takes the place of `file` at the end, on the disk,
    so that a power failure leaves the old one or the new. After an error the old one stays.

    Raises:
        OSError: it cannot be written there.
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


def write(file: Path, text: str) -> None:
    """Make `text` what is in `file`; see `whole`."""
    with whole(file) as part:
        part.write_text(text, "utf-8")
