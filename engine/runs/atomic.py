"""Names of `treegraft.write_files`, where the engine had them first."""

from treegraft.write_files import (
    atomic_write,
    beside,
    check_folder,
    check_writable,
    is_standard_output,
    is_stream,
    make_folder,
    write_text,
)

__all__ = [
    "atomic_write",
    "beside",
    "check_folder",
    "check_writable",
    "is_standard_output",
    "is_stream",
    "make_folder",
    "write_text",
]
