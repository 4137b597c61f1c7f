"""What an interrupt (Ctrl-C) must wait for."""

import time
from _thread import start_new_thread
from collections.abc import Callable
from queue import SimpleQueue

AGAIN_SECONDS = 0.005


def uninterrupted(act: Callable[[], object]) -> None:
    """Do it in a thread of its own; what it raises is raised here.

    An interrupt is raised at once if it comes before the beginning, which then never comes, and
    else when all is done. An executor does not keep that promise: interrupted while it starts a
    thread, it neither knows whether there will be one nor waits for it.
    """
    todo = [act]
    outcome: list[BaseException | None] = []
    ended: SimpleQueue[None] = SimpleQueue()

    def work() -> None:
        try:
            begun = todo.pop()
        except IndexError:  # taken back
            return
        try:
            begun()
            outcome.append(None)
        except BaseException as error:  # noqa: BLE001  (raised again by who waits)
            outcome.append(error)
        ended.put(None)

    try:
        start_new_thread(work, ())
        ended.get()
    except BaseException:
        try:
            todo.pop()
        except IndexError:  # begun
            while not outcome:
                time.sleep(AGAIN_SECONDS)
        raise
    if outcome[0] is not None:
        raise outcome[0]
