"""The user's own programs, which live on between requests, in a sandbox: servers over stdio.

The supervisor's nodes stop after each step, and whatever they started ends. A server has to go on.
So another program of ours, `supervisor/residents.py`, is confined by the same backends, starts
servers below itself, and keeps copies of their work folder. What a server does is an answer; only
trouble of the sandbox itself is a `SandboxError`.
"""

import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.backends.host import INTERPRETER, NETWORK_FILES, PATH, PYTHON
from sandbox.connection import Connection, program
from sandbox.errors import SandboxError
from sandbox.program import ENVIRONMENT, Backend, inside
from sandbox.protocol import Quota
from sandbox.supervisor.framing import binary, text

GRACE_SECONDS = 30.0
"""How much longer than a program's own limit the sandbox may take to answer."""
SHEBANG_BYTES = 512
SYSTEM = (
    "/usr/bin",
    f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}",
    "/usr/lib/git-core",
    *PYTHON,
)
"""What a program of this machine needs, in a container whose own root is another system's."""
QUIET = {
    "PYTHONDONTWRITEBYTECODE": "1",
    "NO_COLOR": "1",
    # Landlock refuses these files, where their programs can do without them.
    "GIT_CONFIG_NOSYSTEM": "1",
    "OPENSSL_CONF": "/dev/null",
}


@dataclass(frozen=True, slots=True)
class Line:
    """What came from a program: a line, or the reason why there is none.

    Attributes:
        why: "" if there is a line; else "timeout", "flood" (a line that is too long), "memory" or
            "ended". The program is gone then.
        status: how it ended: its exit status, or minus a signal.
        complaint: the last of what it wrote to standard error.
    """

    line: str = ""
    why: str = ""
    status: int = 0
    complaint: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that was run to its end; `why` is "", "timeout" or "memory"."""

    why: str
    status: int
    output: str


class Residents:
    """Programs over one work folder, in any backend. One thread at a time.

    Attributes:
        work: the work folder as programs see it, absolute; "" before `start`.
    """

    def __init__(
        self,
        backend: Backend,
        folders: Sequence[Path] = (),
        *,
        quota: Quota | None = None,
        network: bool = False,
    ) -> None:
        """Prepare; `start` starts it.

        Args:
            folders: where the programs are installed, such as virtual environments: read-only.
            network: whether they may use this machine's network.
        """
        shown = shown_folders(backend, folders, network=network)
        made = program(quota or Quota(), shown, "residents.Residents", network=network)
        self._supervisor = Connection(backend, made)
        self._folders = tuple(folders)
        self.work = ""

    @property
    def open(self) -> bool:
        """Whether it was started and not closed."""
        return self._supervisor.open

    @property
    def pid(self) -> int | None:
        """The sandbox's process group; None if there is none, or none of ours."""
        return self._supervisor.pid

    def start(self) -> None:
        """Start the sandbox, without programs; wait while the machine's memory is taken."""
        if not self.open:
            self._supervisor.start("")
            self.work = f"{self._supervisor.home}/work"

    def start_program(self, name: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        """Start a program; `name` is what it is called here.

        Raises:
            SandboxError: there is no such program.
        """
        started = {"op": "start", "name": name, "argv": self._inside(argv), "env": self._env(env)}
        self._ask(started)

    def send(self, name: str, line: str) -> None:
        """Send one line."""
        self._ask({"op": "send", "name": name, "line": line})

    def receive(self, name: str, seconds: float, most_bytes: int) -> Line:
        """Return the next line of at most `most_bytes`, or why there is none."""
        request = {"op": "receive", "name": name, "seconds": seconds, "most": most_bytes}
        return Line(**self._ask(request, seconds))

    def stop_program(self, name: str) -> None:
        """End a program and its process group. One that is gone is ignored."""
        if self.open:
            self._ask({"op": "stop", "name": name})

    def run(
        self, argv: Sequence[str], env: Mapping[str, str], seconds: float, output_bytes: int = 4096
    ) -> Finished:
        """Run a program in the work folder to its end."""
        request = {"op": "run", "seconds": seconds, "output_bytes": output_bytes}
        request |= {"argv": self._inside(argv), "env": self._env(env)}
        return Finished(**self._ask(request, seconds))

    def put(self, files: Mapping[str, bytes]) -> None:
        """Write files below the work folder."""
        self._ask({"op": "put", "files": {path: text(data) for path, data in files.items()}})

    def read(self, most_bytes: int, without: Sequence[str] = ()) -> dict[str, bytes | None]:
        """Return the files of the work folder by path.

        Args:
            most_bytes: of all of them; None stands for what is too large, or no regular file.
            without: names at the top whose contents are not wanted: None, too.
        """
        reply = self._ask({"op": "read", "most_bytes": most_bytes, "without": list(without)})
        return {
            path: None if data is None else binary(data) for path, data in reply["files"].items()
        }

    def save(self) -> int:
        """Keep a copy of the work folder and the temporary folder; return its number."""
        return int(self._ask({"op": "save"})["kept"])

    def show(self, kept: int) -> None:
        """Make the folders hold what was kept; 0 is the start, with nothing in them."""
        self._ask({"op": "show", "kept": kept})

    def release(self, kept: int) -> None:
        """Give up a copy."""
        if self.open:
            self._ask({"op": "release", "kept": kept})

    def close(self) -> None:
        """End every program and remove every file. Calling it twice is fine."""
        self._supervisor.close()

    def _ask(self, request: dict[str, Any], seconds: float = 0.0) -> dict[str, Any]:
        if not self.open:
            raise SandboxError("the sandbox of the servers is not open")
        return self._supervisor.ask(request, seconds + GRACE_SECONDS)

    def _env(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return the complete environment of a program: nothing of ours reaches it."""
        home = self._supervisor.home
        bins = [self._path(str(folder)) for folder in program_folders(self._folders)]
        own = {"HOME": f"{home}/tmp", "TMPDIR": f"{home}/tmp", "PATH": ":".join([*bins, PATH])}
        return (
            ENVIRONMENT
            | QUIET
            | own
            | {k: v.replace("{work}", self.work) for k, v in given.items()}
        )

    def _inside(self, argv: Sequence[str]) -> list[str]:
        command, *rest = argv
        found = [*self._found(command), *rest]
        return [self._path(each).replace("{work}", self.work) for each in found]

    def _found(self, command: str) -> list[str]:
        """Return the program of this machine that `command` names, after its interpreter.

        The kernel would look for the interpreter under the path of this machine, and may not find
        it inside.
        """
        if command == "python":
            return [INTERPRETER]
        path = installed(command, self._folders)
        if path is None:
            raise SandboxError(
                f"no program {command!r} on this machine; install it, or name its folder"
            )
        with open(path, "rb") as file:
            first = file.read(SHEBANG_BYTES).partition(b"\n")[0]
        if not first.startswith(b"#!"):
            return [path]
        words = first[2:].decode(errors="replace").split()
        if words[:1] == ["/usr/bin/env"]:
            return [*self._found(words[-1]), path]
        return [*words, path]

    def _path(self, path: str) -> str:
        """Return where a path of this machine is inside."""
        made = self._supervisor
        shown = made.program.read_only
        if not made.backend.own_root or not any(Path(path).is_relative_to(at) for at in shown):
            return path
        return inside(Path(path), made.program)


def shown_folders(
    backend: Backend, folders: Sequence[Path], *, network: bool = False
) -> tuple[Path, ...]:
    """Return what programs of this machine must be able to read, `folders` included."""
    shown = [*([Path(sys.prefix)] if sys.prefix != sys.base_prefix else []), *folders]
    if backend.name == "docker":
        shown += [Path(path) for path in SYSTEM if Path(path).exists()]
        shown += [Path(path) for path in NETWORK_FILES if network and Path(path).exists()]
    elif Path("/etc/alternatives").is_dir():
        shown.append(Path("/etc/alternatives"))
    return tuple(dict.fromkeys(shown))


def installed(command: str, folders: Sequence[Path] = ()) -> str | None:
    """Return the path of a program of this machine, or of `folders`; None if there is none."""
    return shutil.which(command, path=os.pathsep.join([*map(str, program_folders(folders)), PATH]))


def program_folders(folders: Sequence[Path]) -> list[Path]:
    """Return where the programs of virtual environments and npm folders are."""
    return [
        place
        for folder in (*folders, Path(sys.prefix))
        for place in (folder / "bin", folder / "node_modules" / ".bin", folder / ".bin")
        if place.is_dir()
    ]
