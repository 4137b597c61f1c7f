"""Remove what engines left behind that are gone.

A container normally removes itself when its engine dies. The sweep finds the rest: containers that
were made and never started, whose program did not notice, or whose daemon was stopped; images that
were states of containers; and scratch folders.
"""

import os
import stat
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sandbox.docker import daemon
from sandbox.docker.containers import remove_image
from sandbox.errors import SandboxError
from sandbox.owner import LABEL, SCRATCH, alive, discard

SECONDS = 10.0
"""How long a sweep waits for each answer of the Docker daemon."""
REMOVED_AT_ONCE = 8
"""On two cores the daemon removes 12 containers in half the time (1.3 s) if it is asked at once."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep removed.

    Attributes:
        images: states of containers (`docker.containers`).
        trouble: why not everything could be looked at or removed, in one line; "" if all was well.
            A machine without Docker is not trouble.
    """

    containers: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()
    images: tuple[str, ...] = ()
    trouble: str = ""


def sweep() -> Swept:
    """Remove this user's containers, their states and scratch folders whose owner is gone."""
    removed: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    trouble = ""
    try:
        names = orphaned_containers()
        with ThreadPoolExecutor(REMOVED_AT_ONCE) as pool:
            troubles = list(pool.map(partial(daemon.remove_container, seconds=SECONDS), names))
        removed = tuple(name for name, one in zip(names, troubles, strict=True) if not one)
        trouble = next(filter(None, troubles), "")
        images = remove_saved_states()  # an image stays while a container is made of it
    except SandboxError as error:
        trouble = str(error)
    return Swept(removed, sweep_folders(), images, trouble)


def orphaned_containers() -> list[str]:
    """Return the names of containers whose owner is gone; raise `SandboxError` if Docker fails."""
    try:
        if not daemon.socket_path().is_socket():
            return []
        with daemon.connected(SECONDS) as client:
            found = client.api.containers(all=True, filters={"label": LABEL})
    except ImportError:
        return []
    return [one["Names"][0].lstrip("/") for one in found if not alive(one["Labels"][LABEL])]


def remove_saved_states() -> tuple[str, ...]:
    """Remove images that were states of containers whose owner is gone; return their ids."""
    try:
        if not daemon.socket_path().is_socket():
            return ()
        with daemon.connected(SECONDS) as client:
            found = client.api.images(all=True, filters={"label": LABEL})
    except ImportError:
        return ()
    dead = [one["Id"] for one in found if not alive(one["Labels"][LABEL])]
    left = dead
    for _ in dead:  # one goes only after those that were made of it
        left = [image for image in left if not remove_image(image)]
    return tuple(image for image in dead if image not in left)


def sweep_folders() -> tuple[Path, ...]:
    """Remove the scratch folders whose owner is gone; return their paths."""
    removed = []
    for entry in os.scandir(tempfile.gettempdir()):
        name = SCRATCH.fullmatch(entry.name)
        if name is None or alive(name[1]) or not is_ours(Path(entry.path)):
            continue
        if discard(Path(entry.path)):
            removed.append(Path(entry.path))
    return tuple(removed)


def is_ours(path: Path) -> bool:
    """Return whether this is a real folder of this user.

    Others can make links in the temporary folder, under any name.
    """
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
