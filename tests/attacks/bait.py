"""Targets of attacks on the machine: files, processes, listeners, an environment variable."""

import contextlib
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VARIABLE = "TREEGRAFT_ATTACK_SECRET"
MARK = "TREEGRAFT_ATTACK_MARK"
REPOSITORY = Path(__file__).resolve().parents[2]
VICTIM = """
import sys, time
sys.path.insert(0, sys.argv[1])
from sandbox.supervisor.kernel import confine
confine.drop_capabilities()  # else root's victim would be safe by its rights alone
secret = sys.argv[2][::-1]
print(hex(id(secret)), flush=True)
time.sleep(600)
"""
PRELUDE = """
import ctypes as _ctypes, os as _os, types as _types
bait = _types.SimpleNamespace(**{facts})
_ctypes.CDLL(None).prctl(15, {mark!r}.encode(), 0, 0, 0)  # PR_SET_NAME, which forks inherit
_os.environ[{variable!r}] = {mark!r}  # which programs inherit
x = 0
"""


class Victim:
    """A process of ours outside, with a secret in its environment and memory."""

    def __init__(self, secret: str) -> None:
        argv = [sys.executable, "-c", VICTIM, str(REPOSITORY), secret[::-1]]
        environment = {VARIABLE: secret, "PATH": os.environ.get("PATH", "")}
        self._child = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE)
        assert self._child.stdout is not None
        self.address = int(self._child.stdout.readline(), 16)
        self.pid = self._child.pid
        self._nice = self._priorities()

    def unharmed(self) -> bool:
        if self._child.poll() is not None:
            return False
        state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state not in "TtZX" and self._priorities() == self._nice

    def _priorities(self) -> tuple[int, frozenset[int]]:
        return os.getpriority(os.PRIO_PROCESS, self.pid), frozenset(os.sched_getaffinity(self.pid))

    def close(self) -> None:
        """Twice is fine."""
        self._child.kill()
        self._child.wait()
        assert self._child.stdout is not None
        self._child.stdout.close()


@dataclass(frozen=True, slots=True)
class Facts:
    """What the attacker knows, as `bait`: where everything is, but no secret.

    canary, private: files that everybody, only we may read.   folder: of both.
    shared: a folder that code in the sandbox may read.   outward: this machine's address.
    victim: a process of ours; memory: where its secret is.   engine: what drives the sandbox.
    """

    folder: str
    canary: str
    private: str
    shared: str
    path_socket: str
    abstract: str
    port: int
    udp: int
    outward: str
    vsock: int
    victim: int
    engine: int
    repository: str
    mark: str
    memory: int


class Bait:
    """Set out when made, until `close`."""

    def __init__(self) -> None:
        self.secret = f"secret-{uuid.uuid4().hex}"
        self.mark = f"tg{uuid.uuid4().hex[:10]}"
        self.folder = Path(tempfile.mkdtemp(prefix="bait-"))
        self.victim = self.younger = Victim(self.secret)
        self._listeners: list[socket.socket] = []
        self.facts = self._set_out()
        self.files = self.fingerprint()

    def _set_out(self) -> Facts:
        folder = self.folder
        folder.chmod(0o755)
        (folder / "canary").write_text(self.secret)
        (folder / "private").write_text(self.secret)
        (folder / "private").chmod(0o600)
        (folder / "shared").mkdir(0o755)
        (folder / "shared" / "readme").write_text("to be read by all, and written by none")
        port = self._listen(socket.AF_INET, ("0.0.0.0", 0))
        udp = self._listen(socket.AF_INET, ("0.0.0.0", 0), socket.SOCK_DGRAM)
        self._listen(socket.AF_UNIX, str(folder / "socket"))
        abstract = f"bait-{uuid.uuid4().hex}"
        self._listen(socket.AF_UNIX, "\0" + abstract)
        return Facts(
            folder=str(folder),
            canary=str(folder / "canary"),
            private=str(folder / "private"),
            shared=str(folder / "shared"),
            path_socket=str(folder / "socket"),
            abstract=abstract,
            port=port[1],
            udp=udp[1],
            outward=outward(),
            vsock=self._vsock(),
            victim=self.victim.pid,
            engine=os.getpid(),
            repository=str(REPOSITORY),
            mark=self.mark,
            memory=self.victim.address,
        )

    def prelude(self, shared: str) -> str:
        """Code that tells the root interpreter the facts, and marks its processes as of here.

        shared: where that folder is, inside.
        """
        facts = {name: getattr(self.facts, name) for name in Facts.__slots__}
        facts["shared"] = shared
        return PRELUDE.format(facts=json.dumps(facts), mark=self.mark, variable=MARK)

    def connected(self) -> bool:
        """Whether anybody spoke to a listener since the last time."""
        found = False
        for listener in self._listeners:
            with contextlib.suppress(BlockingIOError):
                if listener.type == socket.SOCK_DGRAM:
                    listener.recv(100)
                else:
                    listener.accept()[0].close()
                found = True
        return found

    def renew(self) -> None:
        """Begin the younger victim anew."""
        if self.younger is not self.victim:
            self.younger.close()
        self.younger = Victim(self.secret)

    def unharmed(self) -> bool:
        """Whether both victims are."""
        return self.victim.unharmed() and self.younger.unharmed()

    def fingerprint(self) -> dict[str, tuple[int, bytes]]:
        """Of everything in the folder."""
        return {
            str(path.relative_to(self.folder)): (path.lstat().st_mode, _content(path))
            for path in sorted(self.folder.rglob("*"))
        }

    def changes(self) -> list[str]:
        """Names of the files that are new, gone, or others; set right again."""
        found = self.fingerprint()
        names = [name for name in found | self.files if found.get(name) != self.files.get(name)]
        for name in names:
            self._set_right(self.folder / name, self.files.get(name))
        return names

    def _set_right(self, path: Path, wanted: tuple[int, bytes] | None) -> None:
        if wanted is None:
            path.unlink()
            return
        mode, content = wanted
        if stat.S_ISREG(mode):
            path.write_bytes(content)
        path.chmod(stat.S_IMODE(mode))

    def close(self) -> None:
        self.younger.close()
        self.victim.close()
        for listener in self._listeners:
            listener.close()
        shutil.rmtree(self.folder)

    def _listen(self, family: int, address: Any, kind: int = socket.SOCK_STREAM) -> Any:
        listener = socket.socket(family, kind)
        self._listeners.append(listener)
        listener.bind(address)
        if kind == socket.SOCK_STREAM:
            listener.listen()
        listener.setblocking(False)
        return listener.getsockname()

    def _vsock(self) -> int:
        """The port of a listener on vsock, where the machine has it."""
        try:
            return int(self._listen(socket.AF_VSOCK, (socket.VMADDR_CID_ANY, -1 & 0xFFFFFFFF))[1])
        except OSError:
            return 0


def _content(path: Path) -> bytes:
    return path.read_bytes() if stat.S_ISREG(path.lstat().st_mode) else b""


def outward() -> str:
    """This machine's address as others see it; loopback's where it has no other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1; nothing is sent
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
