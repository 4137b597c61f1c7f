"""An interrupt waits for what has begun, and what has not begun never does."""

import sys
import time
from types import FrameType
from typing import Any

import pytest

from sandbox.interrupts import undisturbed


@pytest.mark.parametrize("seconds", [0.0, 0.01])
def test_an_interrupt_at_any_instruction(seconds: float) -> None:
    """The main thread's, of ours and of what it calls."""
    told: list[str] = []
    left = 0  # instructions to go

    def act() -> None:
        told.append("begun")
        time.sleep(seconds)
        told.append("ended")

    def interrupt(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        frame.f_trace_opcodes = True
        if event == "opcode":
            left -= 1
            if left == -1:
                raise KeyboardInterrupt
        return interrupt

    outcomes = set()
    for number in range(999):
        told, left = [], number
        sys.settrace(interrupt)
        try:
            undisturbed(act)
            if left >= 0:
                break
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(None)
        at_once = told[:]
        time.sleep(seconds + 0.01)
        assert told == at_once and told in ([], ["begun", "ended"]), f"instruction {number}"
        outcomes.add(len(told))
    assert number > 20 and outcomes == {0, 2}


def test_what_it_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        undisturbed(lambda: 1 / 0)
