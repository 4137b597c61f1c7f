"""Work that an interrupt (Ctrl-C) must not cut in two."""

import time
from _thread import start_new_thread
from collections.abc import Callable
from queue import SimpleQueue

AGAIN_SECONDS = 0.005


def uninterrupted(act: Callable[[], object]) -> None:
    """Call `act` in its own thread, and raise what it raises.

    If KeyboardInterrupt arrives before `act` has started, `act` never runs. Otherwise the interrupt
    is raised once `act` has finished. An executor does not promise that: interrupted while it
    starts a thread, it neither knows whether there will be one nor waits for it.
    """
    todo = [act]
    outcome: list[BaseException | None] = []
    ended: SimpleQueue[None] = SimpleQueue()

    def work() -> None:
        try:
            begun = todo.pop()
        except IndexError:  # withdrawn
            return
        try:
            begun()
            outcome.append(None)
        except BaseException as error:  # noqa: BLE001  (raised again in the caller)
            outcome.append(error)
        ended.put(None)

    try:
        start_new_thread(work, ())
        ended.get()
    except BaseException:
        try:
            todo.pop()
        except IndexError:  # it has started
            while not outcome:
                time.sleep(AGAIN_SECONDS)
        raise
    if outcome[0] is not None:
        raise outcome[0]
