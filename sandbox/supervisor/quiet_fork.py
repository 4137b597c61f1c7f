"""What CPython's own modules do in a child after every fork, left out where the fork is ours.

`random` seeds itself anew, which a branch must not, and `threading` makes its locks anew, which a
node needs not: one that has threads is not forked (`Result.unforkable`). Together they cost a
branch 0.3 ms. In a fork that the agent's own code makes they run as ever.

To be imported before both: a hook cannot be taken back once it is registered.
"""

import os
import sys
from collections.abc import Callable
from typing import Any

_register = os.register_at_fork
_fork = os.fork
_ours = [False]

MUTABLE = not {"random", "threading"} & sys.modules.keys()
"""Whether both come to be imported here. If not, their hooks run."""


def _guarded(**hooks: Callable[[], Any]) -> None:
    after = hooks.pop("after_in_child", None)
    if after is not None:
        hooks["after_in_child"] = lambda: None if _ours[0] else after()
    _register(**hooks)


os.register_at_fork = _guarded  # type: ignore[assignment]
try:
    import random
    import threading
finally:
    os.register_at_fork = _register


def quiet_fork() -> int:
    """As os.fork; the child has its parent's `random`, in the state that it had there."""
    state = None if MUTABLE else random.getstate()
    _ours[0] = True
    try:
        child = _fork()
    finally:
        _ours[0] = False
    if not child and state is not None:
        random.setstate(state)
    return child


__all__ = ["MUTABLE", "quiet_fork", "random", "threading"]
