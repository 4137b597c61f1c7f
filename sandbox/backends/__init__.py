"""Ways to confine a program, the strongest first; each module holds one."""

from collections.abc import Callable

from sandbox.backends.bubblewrap import Bubblewrap
from sandbox.backends.landlock import Landlock
from sandbox.backends.process import Process
from sandbox.docker.backend import Docker
from sandbox.program import Backend

CONFINING = ("docker", "bubblewrap", "landlock")
"""In the order in which "auto" tries them."""
BACKENDS: dict[str, Callable[[], Backend]] = {
    "docker": Docker,
    "bubblewrap": Bubblewrap,
    "landlock": Landlock,
    "process": Process,
}

__all__ = ["BACKENDS", "CONFINING"]
