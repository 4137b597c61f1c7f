"""Ctrl-C at a chosen place of this process's main thread."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def interrupted(number: int, event: str, file: str = "", pause: float = 0.0) -> Iterator[None]:
    """Raise KeyboardInterrupt, once, in functions called within, before what they do next.

    number: of the events before it; if there are not so many, all goes on undisturbed.
    event: "line" or "opcode".   file: how the path of the functions' file ends.
    pause: seconds in which other threads go on before it is raised.
    """
    left = number

    def trace(frame: FrameType, what: str, _: Any) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.endswith(file):
            return None
        frame.f_trace_opcodes = event == "opcode"
        if what == event:
            left -= 1
            if left == -1:
                time.sleep(pause)
                raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(None)
    assert left >= 0, f"the interrupt at {event} {number} is swallowed"
