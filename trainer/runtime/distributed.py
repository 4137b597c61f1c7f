"""The processes of a training run, as `accelerate launch` or `torchrun` starts them.

They do the same work on different rows, so they have the same messages: only the main one prints.
The environment says how many there are, before torch is imported and a group is joined.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from engine import terminal
from treegraft.errors import TreegraftError

_PATIENCE = 30.0
"""Seconds within which the main process fails too, if all fail for the same reason."""


def world_size() -> int:
    """Return how many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Return the number of this process, from 0, the main one."""
    return int(os.environ.get("RANK", "0"))


def is_main() -> bool:
    """Return whether this process prints and writes."""
    return rank() == 0


def say_once(text: str) -> None:
    """Print a line to standard error, in the main process only."""
    if is_main():
        terminal.say(text)


@contextmanager
def process_group() -> Iterator[None]:
    """Leave the group at the end of a command, and report an error once.

    An error of one process is usually an error of all (a missing file, a wrong flag). The others
    wait, so that the main process reports it; then their launcher ends them. An error of a single
    process (a full disk on one machine) is reported by that process, and its launcher ends the
    rest.
    """
    try:
        yield
    except TreegraftError:
        if not is_main():
            time.sleep(_PATIENCE)
        raise
    if (torch := sys.modules.get("torch")) and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
