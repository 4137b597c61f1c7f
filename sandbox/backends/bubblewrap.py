"""Run a program in its own namespaces, by bubblewrap: only one small program has to be installed.

What holds here: no network, no other processes, and only the files of the system's libraries and
commands, of Python and of what the program may read, all read-only; no capability outside; an empty
environment. The kernel bounds neither memory nor processors here. The supervisor watches memory;
nothing watches processors.

Started by root, the supervisor leaves root for a user namespace itself (supervisor.kernel.confine).
"""

import functools
import os
import subprocess
from pathlib import Path

from sandbox.backends.host import (
    COMMANDS,
    INTERPRETER,
    LIBRARIES,
    NETWORK_FILES,
    PYTHON,
    environment,
)
from sandbox.backends.process_channel import PipeChannel
from sandbox.program import HOME, Program, arguments_inside, inside

ALTERNATIVES = "/etc/alternatives"
"""Links that some commands, such as awk on Debian, lead through."""
SHARED_MEMORY = 16 << 20
"""Bytes of /dev/shm, which is emptied after every step."""


class Bubblewrap:
    """The backend "bubblewrap"."""

    name = "bubblewrap"
    mounts = True
    families: tuple[str, ...] = ("AF_UNIX", "AF_INET", "AF_INET6")
    own_root = True

    def unavailable(self) -> str:
        """Return why it cannot be used here, in one line; "" if nothing is known against it."""
        return _unavailable()

    def start(self, program: Program) -> PipeChannel:
        """Start `program`. Raises SandboxError if it cannot be started."""
        argv = command(program)
        if not program.branches:
            return PipeChannel(argv)
        return PipeChannel(argv, environment(HOME), home=HOME, own_namespace=True)


@functools.cache
def _unavailable() -> str:
    check = command(Program("check", ("-I", "-S", "-c", "import json, sqlite3")))
    try:
        done = subprocess.run(check, env={}, capture_output=True, timeout=20, check=False)
    except FileNotFoundError:
        return "bwrap is not installed; install the package bubblewrap"
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bwrap does not start: {error}"
    complaint = done.stderr.decode(errors="replace").strip().partition("\n")[0]
    return f"bwrap does not start: {complaint}" if done.returncode else ""


def command(program: Program) -> list[str]:
    """Return the command line that runs `program`."""
    options = ["--unshare-pid", "--unshare-ipc", "--unshare-uts"]
    options += _network() if program.network else ["--unshare-net"]
    options += ["--unshare-cgroup-try", "--hostname", "sandbox"]
    for path in (*LIBRARIES, *PYTHON):
        options += [*_parents(path), "--ro-bind-try", path, path]
    options += _room_for_nodes(program) if program.branches else _least()
    for source in program.read_only:
        target = inside(source, program)
        options += [*_parents(target), "--ro-bind", str(source), target]
    ending = ["--remount-ro", "/", "--chdir", "/", "--"]
    return ["bwrap", *options, *ending, INTERPRETER, *arguments_inside(program)]


def _network() -> list[str]:
    """Return options that show what a program needs to find hosts and to check certificates."""
    return [option for path in NETWORK_FILES for option in ("--ro-bind-try", path, path)]


def _parents(path: str) -> list[str]:
    """Return options that make parent folders; bubblewrap would copy modes that may close them."""
    folders = [str(folder) for folder in reversed(Path(path).parents) if folder != Path("/")]
    return [option for folder in folders for option in ("--dir", folder)]


def _least() -> list[str]:
    """Return options for a program without nodes.

    Without --as-pid-1: pid 1 of a namespace does not die of its own timer's signal.
    """
    return ["--unshare-user", "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL"]


def _room_for_nodes(program: Program) -> list[str]:
    options = ["--as-pid-1", "--proc", "/proc", "--dev", "/dev"]
    options += ["--size", str(SHARED_MEMORY), "--perms", "1777", "--tmpfs", "/dev/shm"]
    options += ["--remount-ro", "/dev"]
    options += ["--size", str(program.quota.disk_bytes), "--perms", "1777", "--tmpfs", HOME]
    options += ["--dir", f"{HOME}-layers"]
    options += ["--symlink", "node/work", "/work", "--symlink", "node/tmp", "/tmp"]
    for path in (*COMMANDS, ALTERNATIVES):
        options += [*_parents(path), "--ro-bind-try", path, path]
    if os.geteuid():
        return [*options, "--unshare-user", "--uid", "65534", "--gid", "65534"]
    # Root needs these to become nobody, in a user namespace that nobody owns.
    return [*options, "--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
