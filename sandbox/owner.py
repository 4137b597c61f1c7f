"""Who owns a sandbox, so that what a killed engine left behind can be told from what is in use.

A pid alone would not do: it is given again. The time at which the process started, the boot and
the pid namespace make it unique on the machine.

Limitation: an owner in another pid namespace (an engine in a container of its own) cannot be seen
from here, and counts as alive.
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
"""What an owner looks like: pid, start time in clock ticks, pid namespace, boot."""
SCRATCH = re.compile(rf"treegraft-({PATTERN})-\w+")
"""The name of a scratch folder."""


def owner() -> str:
    """This process. Not to be kept over a fork."""
    pid = os.getpid()
    return f"{pid}.{start_time(pid)}.{namespace()}.{boot()}"


def alive(owner: str) -> bool:
    """Whether that process runs, as far as can be seen; a text that is no owner is nobody's."""
    if not re.fullmatch(PATTERN, owner):
        return False
    pid, started, namespace_, boot_ = owner.split(".")
    if boot_ != boot():
        return False
    return namespace_ != str(namespace()) or start_time(int(pid)) == int(started)


def start_time(pid: int) -> int:
    """Clock ticks from the boot to the start of a process; -1 if it is not there, or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return -1
    fields = text.rpartition(")")[2].split()  # the name before may hold spaces and brackets
    return -1 if fields[0] in "ZX" else int(fields[19])


def namespace() -> int:
    return os.stat("/proc/self/ns/pid").st_ino


def boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")


def scratch_path() -> Path:
    """Where a new scratch folder may be, which `sandbox.sweep` removes if we do not live to do it.
    To leave none behind even when interrupted, keep this first, then make it, and discard it
    whatever happened: whether it was made, half made, or not."""
    return Path(tempfile.gettempdir(), f"treegraft-{owner()}-{uuid.uuid4().hex[:12]}")


def make_scratch(place: Path, *folders: str) -> None:
    """Make the folder `place`, of mode 0700, and `folders` in it; see `scratch_path`.

    Raises:
        SandboxError: there is no room for it.
    """
    try:  # not mkdtemp, which leaves one behind where it is interrupted
        place.mkdir(0o700)
        for folder in folders:
            (place / folder).mkdir()
    except OSError as error:
        raise SandboxError(f"cannot make a folder in {place.parent}: {error.strerror}") from error


def discard(folder: Path) -> bool:
    """Remove a scratch folder with all that agent code made of it; False if some of it stays.

    Twice is fine. Nothing may write in it any more.
    """
    for parent, folders, _ in os.walk(folder):
        for name in folders:
            path = os.path.join(parent, name)
            if not os.path.islink(path):
                os.chmod(path, 0o700)  # its maker may have locked it
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()
