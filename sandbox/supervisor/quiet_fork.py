"""A fork without the hooks that CPython's own modules run in the child.

After a fork, `random` seeds itself again, which a branch must not do, and `threading` makes its
locks again, which a node does not need: a node with threads is not forked (`Result.unforkable`).
Together they cost a branch 0.3 ms. Forks made by the agent's code run the hooks as usual.

Import this before both: a hook cannot be removed once it is registered.
"""

import os
import sys
from collections.abc import Callable
from typing import Any

_register = os.register_at_fork
_fork = os.fork
_ours = [False]

MUTABLE = not {"random", "threading"} & sys.modules.keys()
"""Whether both are imported here first. If not, their hooks run."""


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
    """Fork as `os.fork` does; the child keeps its parent's state of `random`."""
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
