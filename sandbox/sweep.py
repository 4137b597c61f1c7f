"""Remove what engines that are gone left behind.

A container normally removes itself when its engine dies. This finds the rest: those that were made
and never started, whose program did not notice, or whose daemon was stopped; and scratch folders.
"""

import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sandbox.docker import daemon
from sandbox.errors import SandboxError
from sandbox.owner import LABEL, SCRATCH, alive, discard

SECONDS = 10.0
"""How long a sweep waits for each answer of the Docker daemon."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What was removed: containers by name, folders by path.

    trouble: why not everything could be looked at or removed, in one line; "" if all was well.
        A machine without Docker is no trouble.
    """

    containers: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()
    trouble: str = ""


def sweep() -> Swept:
    """Remove the containers and the scratch folders of this user whose owner is gone."""
    containers, trouble = sweep_containers()
    return Swept(containers, sweep_folders(), trouble)


def sweep_containers() -> tuple[tuple[str, ...], str]:
    """The names of the containers removed, and what went wrong."""
    removed: list[str] = []
    try:
        if not daemon.socket_path().is_socket():
            return (), ""
        from docker.errors import NotFound

        with daemon.connected(SECONDS) as client:
            for found in client.api.containers(all=True, filters={"label": LABEL}):
                if alive(found["Labels"][LABEL]):
                    continue
                try:
                    client.api.remove_container(found["Id"], force=True, v=True)
                except NotFound:
                    continue  # another sweep was faster
                removed.append(found["Names"][0].lstrip("/"))
    except ImportError:
        return (), ""
    except SandboxError as error:
        return tuple(removed), str(error)
    return tuple(removed), ""


def sweep_folders() -> tuple[Path, ...]:
    """The scratch folders removed."""
    removed = []
    for entry in os.scandir(tempfile.gettempdir()):
        name = SCRATCH.fullmatch(entry.name)
        if name is None or alive(name[1]) or not is_ours(Path(entry.path)):
            continue
        if discard(Path(entry.path)):
            removed.append(Path(entry.path))
    return tuple(removed)


def is_ours(path: Path) -> bool:
    """A real folder of this user: others can make links in the temp folder, with any name."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
