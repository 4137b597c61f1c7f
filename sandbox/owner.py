"""Owners of sandboxes, to tell what a killed engine left behind from what is in use.

A pid is not enough, because pids are reused. Together with the process's start time, the boot and
the pid namespace it is unique on the machine.

Limitation: an owner in another pid namespace (an engine in its own container) cannot be seen from
here, and counts as alive.
"""

import os
import re
import shutil
import tempfile
import uuid
from pathlib import Path

from sandbox.errors import SandboxError

LABEL = "treegraft.owner"
"""The label of containers; its value is `owner()`."""
PATTERN = r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9a-f]+"
"""The form of an owner: pid, start time in clock ticks, pid namespace, boot."""
SCRATCH = re.compile(rf"treegraft-({PATTERN})-\w+")
"""The name of a scratch folder."""


def owner() -> str:
    """Return this process as an owner. Not valid after a fork."""
    pid = os.getpid()
    return f"{pid}.{start_time(pid)}.{namespace()}.{boot()}"


def alive(owner: str) -> bool:
    """Return whether that process runs, as far as can be seen; False for a malformed owner."""
    if not re.fullmatch(PATTERN, owner):
        return False
    pid, started, namespace_, boot_ = owner.split(".")
    if boot_ != boot():
        return False
    return namespace_ != str(namespace()) or start_time(int(pid)) == int(started)


def start_time(pid: int) -> int:
    """Return the start of a process in clock ticks since boot; -1 if it is gone, or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return -1
    fields = text.rpartition(")")[2].split()  # the name may contain spaces and brackets
    return -1 if fields[0] in "ZX" else int(fields[19])


def namespace() -> int:
    """Return the number of this process's pid namespace."""
    return os.stat("/proc/self/ns/pid").st_ino


def boot() -> str:
    """Return the id of this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")


def find_temporary_folder() -> None:
    """Find the temporary folder; to be called before anything may be interrupted.

    Python's first look for it takes a lock, and an interrupt may leave that locked: whoever asked
    next would wait for ever.
    """
    tempfile.gettempdir()


def scratch_path() -> Path:
    """Return a path for a new scratch folder, which `sandbox.sweep` removes if this process dies.

    To leave nothing behind even when interrupted: get the path, make the folder, and discard it
    whether it was made, half made, or not made.
    """
    return Path(tempfile.gettempdir(), f"treegraft-{owner()}-{uuid.uuid4().hex[:12]}")


def make_scratch(place: Path, *folders: str) -> None:
    """Make the folder `place`, of mode 0700, and `folders` in it; raise `SandboxError` if full."""
    try:  # not mkdtemp, which leaves a folder behind if interrupted
        place.mkdir(0o700)
        for folder in folders:
            (place / folder).mkdir()
    except OSError as error:
        raise SandboxError(f"cannot make a folder in {place.parent}: {error.strerror}") from error


def discard(folder: Path) -> bool:
    """Remove a scratch folder with everything that agent code made in it.

    Calling it twice is fine. Nothing may write in the folder any more.

    Returns:
        False if something of it remains.
    """
    for parent, folders, _ in os.walk(folder):
        for name in folders:
            path = os.path.join(parent, name)
            if not os.path.islink(path):
                os.chmod(path, 0o700)  # agent code may have locked it
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()
