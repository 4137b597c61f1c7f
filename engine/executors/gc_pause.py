"""Hold back Python's garbage collector while tasks are searched.

With the interpreter's default thresholds it took a seventh of the processor time of a run of 64
tasks at once over the web shop (benchmarks/results). Most of that was spent on objects that are
never freed, such as modules and the shop's catalogue.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 10_000
"""Allocations minus deallocations before a collection. Python's default of 700 is fewer than the
objects that requests under way hold."""


@contextmanager
def gc_paused() -> Iterator[None]:
    """Exempt today's objects from collection, and collect others rarely, until the end."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(YOUNG, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
