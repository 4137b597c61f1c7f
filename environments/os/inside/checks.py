"""Check the files that the agent left, in a fork of the untouched root; import `shell` only.

A check is an object with "check", its kind, and what the function of that name takes. What the
files should hold is known to this process only, which no other may read. A program of the agent's
is run with inputs of ours, and knows neither what its output is compared with, nor the verdict.
"""

import contextlib
import json
import os
import stat
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from environments.forked.inside.shell import ENVIRONMENT, HOME, call, show_root
else:  # in the sandbox it lies beside us
    from .shell import ENVIRONMENT, HOME, call, show_root

LARGEST = 4 << 20
"""Bytes of a file that is compared."""
SECONDS = 10.0
"""Time of one program of the agent's."""


def verdict(spec: str) -> str:
    """Return JSON: whether each of the "checks" of `spec` holds; "root" is as for a task."""
    os.chdir(HOME)
    given = json.loads(spec)
    if given.get("root"):
        show_root()
    held = []
    for check in given["checks"]:
        arguments = {name: value for name, value in check.items() if name != "check"}
        try:
            held.append(bool(globals()[check["check"]](**arguments)))
        except (OSError, EOFError, ValueError, tarfile.TarError, subprocess.TimeoutExpired):
            held.append(False)
    return json.dumps(held)


def text(path: str, is_: str) -> bool:
    """Hold if a file has this text; spaces and newlines at its end do not count."""
    return _text(path).rstrip() == is_.rstrip()


def lines(path: str, are: Sequence[str]) -> bool:
    """Hold if a file has these lines, in any order."""
    return sorted(_text(path).split("\n")) == sorted([*are, ""])


def absent(path: str) -> bool:
    """Hold if there is nothing at `path`."""
    return not os.path.lexists(path)


def mode(path: str, is_: str) -> bool:
    """Hold if the permissions, in octal, are these."""
    return stat.S_IMODE(os.stat(path, follow_symlinks=False).st_mode) == int(is_, 8)


def link(path: str, to: str) -> bool:
    """Hold if `path` is a symbolic link that leads to the same file as `to`."""
    return os.path.islink(path) and os.path.samefile(path, to)


def same_file(path: str, other: str) -> bool:
    """Hold if both are names of one file (hard links)."""
    return os.path.samefile(path, other) and not os.path.islink(path)


def tree(folder: str, holds: Mapping[str, str]) -> bool:
    """Hold if the regular files below `folder` have these paths and texts, and there is no other.

    A path that ends in "/" stands for a folder without files.
    """
    found = {}
    for place, folders, names in os.walk(folder):
        here = os.path.relpath(place, folder)
        for name in names:
            found[os.path.normpath(os.path.join(here, name))] = os.path.join(place, name)
        if not names and not folders and here != ".":
            found[here + "/"] = ""
    if found.keys() != holds.keys():
        return False
    return all(not path or text(path, holds[name]) for name, path in found.items())


def archive(path: str, holds: Mapping[str, str]) -> bool:
    """Hold if a tar archive has these files, and no others; "./" before a name does not count."""
    _regular(path)
    found = {}
    with tarfile.open(path) as opened:
        for member in opened:
            file = opened.extractfile(member) if member.isfile() else None
            if file is not None:
                read = file.read(LARGEST).decode("utf-8", "replace")
                found[os.path.normpath(member.name)] = read.rstrip()
    return found == {name: wanted.rstrip() for name, wanted in holds.items()}


def runs(
    command: Sequence[str], prints: str, files: Mapping[str, str] | None = None, status: int = 0
) -> bool:
    """Hold if `command` prints this text, beside `files` of ours, and ends with `status`."""
    for path, content in (files or {}).items():
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
        timeout=SECONDS,
        check=False,
    )
    same = done.stdout.decode("utf-8", "replace").rstrip() == prints.rstrip()
    return same and done.returncode == status


def scripts(chain: Sequence[Sequence[str]], answer: str) -> bool:
    """Hold if all scripts end with 0; each gets the answer, and what those before it printed.

    The scripts are of the data, as AgentBench's: a program that the agent left can see them.
    """
    arguments = [answer]
    for language, script in chain:
        status, printed = call(language, script, arguments)
        if status:
            return False
        arguments.append(printed)
    return True


def _text(path: str) -> str:
    _regular(path)
    with open(path, "rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError("too large")
    return data.decode("utf-8", "replace")


def _regular(path: str) -> None:
    if not stat.S_ISREG(os.stat(path).st_mode):  # a pipe would keep us waiting
        raise ValueError("not a regular file")
