"""An interrupt waits for what has begun, and what has not begun never does."""

import time

import pytest

from sandbox.docker.interrupts import uninterrupted
from tests.support.interrupting import interrupted


@pytest.mark.parametrize("pause", [0.0, 0.005])
@pytest.mark.parametrize("seconds", [0.0, 0.02])
def test_an_interrupt_at_any_instruction(seconds: float, pause: float) -> None:
    """Of ours and of what it calls in this thread; what it started has begun by then, or not."""
    events: list[str] = []

    def act() -> None:
        events.append("begun")
        time.sleep(seconds)
        events.append("ended")

    outcomes = set()
    for number in range(999):
        events = []
        try:
            with interrupted(number, "opcode", pause=pause):
                uninterrupted(act)
            break
        except KeyboardInterrupt:
            at_once = events[:]
        time.sleep(seconds + 0.01)
        assert events == at_once and events in ([], ["begun", "ended"]), f"instruction {number}"
        outcomes.add(len(events))
    assert number > 20 and outcomes == {0, 2}


def test_what_it_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        uninterrupted(lambda: 1 / 0)
