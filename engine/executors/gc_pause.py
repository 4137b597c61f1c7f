"""Python's collector of cyclic garbage, held back while tasks are searched.

With the interpreter's own thresholds it took a seventh of the processor time of a run of 64 tasks
at once over the web shop (benchmarks/results): most of it to look again and again at what never
goes, such as modules and the shop's catalogue.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 10_000
"""How many objects that the collector watches may be made, less those freed, before it looks at
them. Python's own 700 are fewer than the requests under way hold."""


@contextmanager
def gc_paused() -> Iterator[None]:
    """Until the end, the collector leaves alone what there is now, and looks at the rest rarely."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(YOUNG, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
