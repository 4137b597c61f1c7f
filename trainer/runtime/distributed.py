"""The processes that a training is, as `accelerate launch` or `torchrun` starts them.

They do the same work on different rows, so they have the same to say: the main one says it. How
many there are stands in the environment, before torch is imported and a group is joined.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from engine import terminal
from treegraft.errors import TreegraftError

_PATIENCE = 30.0
"""Seconds in which the main process fails too, where all fail of the same."""


def count() -> int:
    """How many train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this is, from 0, the main one."""
    return int(os.environ.get("RANK", "0"))


def is_main() -> bool:
    """Whether this is the one that prints and writes."""
    return rank() == 0


def say(text: str) -> None:
    """A line for the person at the terminal, once."""
    if is_main():
        terminal.say(text)


@contextmanager
def together() -> Iterator[None]:
    """Around the work of a command: leave the group in the end, and say once what went wrong.

    What one process fails of, most often all do: a file is missing, a flag is wrong. The others
    let the main one say it, and its launcher ends them then. What only one of them fails of (a
    disk of one machine is full), that one says itself; its launcher ends the rest.
    """
    try:
        yield
    except TreegraftError:
        if not is_main():
            time.sleep(_PATIENCE)
        raise
    if (torch := sys.modules.get("torch")) and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
