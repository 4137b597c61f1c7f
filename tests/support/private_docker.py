"""A Docker daemon of the tests' own, which can be restarted while nobody else's containers die.

It keeps everything in a folder of its own, its containerd's names in a namespace of its own, and
uses the bridge docker0 without changing it (`--bridge none` would delete it). It must be started
by root; another user needs sudo without a password.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

BRIDGE = Path("/sys/class/net/docker0")
START_SECONDS = 20.0


class PrivateDocker:
    """Runs from `with` on. address: what DOCKER_HOST has to be."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.gettempdir(), f"tgd-{uuid.uuid4().hex[:8]}")
        self._folder.mkdir(mode=0o755)
        self._sudo = ["sudo", "-n"] if os.geteuid() else []
        self._process: subprocess.Popen[bytes] | None = None
        self.address = f"unix://{self._folder}/docker.sock"

    @staticmethod
    def unavailable() -> str:
        """Why there can be none here; "" if there can."""
        if not shutil.which("dockerd"):
            return "dockerd is not installed"
        if not BRIDGE.exists():
            return "there is no bridge docker0"
        if os.geteuid() and subprocess.run(["sudo", "-n", "true"], check=False).returncode:
            return "dockerd can be started by root only"
        return ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.runs:
            self.stop(signal.SIGTERM)
        for pid in self.processes():
            self._run("kill", "-KILL", str(pid))
        for mount in self.mounts():
            self._run("umount", "--lazy", mount)
        self._run("rm", "-rf", str(self._folder))
        assert BRIDGE.exists(), "the machine's own Docker has lost its bridge"

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it unless it runs, and wait until it answers."""
        if self.runs:
            return
        place = self._folder
        options = f"--data-root {place}/data --exec-root {place}/exec --pidfile {place}/pid"
        options += f" --group {os.getgid()} --containerd-namespace {place.name}"
        options += f" --containerd-plugins-namespace {place.name}-plugins"
        options += " --bridge docker0 --iptables=false --ip-masq=false --ip-forward=false"
        with (place / "log").open("ab") as log:
            command = [*self._sudo, "dockerd", "-H", self.address, *options.split()]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, (place / "log").read_text()[-2000:]
            time.sleep(0.05)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as stream, contextlib.suppress(OSError):
            stream.settimeout(5.0)
            stream.connect(str(self._folder / "docker.sock"))
            stream.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            return b" 200 " in stream.recv(64)
        return False

    def stop(self, number: signal.Signals) -> None:
        """Send the daemon a signal that ends it, and wait for that."""
        assert self._process is not None
        pid = (self._folder / "pid").read_text()
        self._run("kill", f"-{number.name[3:]}", pid)
        self._process.wait(timeout=START_SECONDS)
        if number == signal.SIGKILL:  # its containerd dies a moment later, and may stay a zombie
            while any(b"containerd.toml" in command for command in self.processes().values()):
                time.sleep(0.02)
            pids = self._folder / "pid", self._folder / "exec/containerd/containerd.pid"
            self._run("rm", "-f", *map(str, pids))

    def processes(self) -> dict[int, bytes]:
        """What was started by it or for it, daemons and shims of containers: command lines."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    command = (entry / "cmdline").read_bytes()
                    if self._folder.name.encode() in command:
                        found[int(entry.name)] = command
        return found

    def mounts(self) -> list[str]:
        """Its mount points, the innermost first."""
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        return [
            point for line in reversed(lines) if str(self._folder) in (point := line.split()[4])
        ]

    def _run(self, *command: str) -> None:
        subprocess.run([*self._sudo, *command], check=False, stderr=subprocess.DEVNULL)
