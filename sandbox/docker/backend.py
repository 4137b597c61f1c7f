"""Run a program in a Docker container without network, privilege or a way to write.

What holds here: network none, a read-only root, no capability, no-new-privileges, an unprivileged
user, Docker's own seccomp profile, and bounds on memory (swap included), processes, processors,
files and their number. The program is pid 1. Its streams are attached before the start, so that its
standard input closes when the engine dies, and the container then removes itself. We speak to it
over these streams or over a socket (`program_socket`). No command is run in a running container.

Limitations: the kernel is the host's. A folder that may be read is bound without the file systems
mounted below it, since older daemons would leave those writable. Docker adds HOSTNAME to the
environment; the supervisor empties its writable /dev/shm after every step.
"""

import atexit
import os
import stat
import threading
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.docker import daemon, image
from sandbox.docker.channel import REMOVE_SECONDS, DockerChannel
from sandbox.docker.interrupts import uninterrupted
from sandbox.docker.program_socket import INSIDE, ProgramSocket
from sandbox.errors import SandboxError
from sandbox.owner import LABEL, owner
from sandbox.program import ENVIRONMENT, HOME, Program, arguments_inside, inside
from sandbox.protocol import Quota

if TYPE_CHECKING:
    from docker import DockerClient

START_SECONDS = 60.0
"""How long each request of a start may take on a loaded machine."""
USER = 65534
SHM_BYTES = 1 << 20
OPEN_FILES = 4096
FOLDERS = {"HOME": "/work", "PATH": "/usr/local/bin:/usr/bin:/bin"}

UNSURE: set[str] = set()
"""Containers whose start failed: a slow daemon may make one after we removed it."""


@atexit.register
def forget_unsure() -> None:
    """Remove them again. If that is interrupted, the next call tries once more."""
    for container in tuple(UNSURE):
        daemon.remove_container(container, REMOVE_SECONDS)
        UNSURE.discard(container)


class Docker:
    """The backend "docker". Threads may share it."""

    name = "docker"
    mounts = False  # Docker's seccomp profile refuses user namespaces
    families: tuple[str, ...] = ("AF_UNIX", "AF_INET", "AF_INET6")
    own_root = True

    def __init__(self, packages: Iterable[str] = (), offline: bool | None = None) -> None:
        """Prepare the backend; the image is built at the first use.

        Args:
            packages: what the image holds besides the standard library, as for `pip install`.
            offline: True to make the image of this machine's Python, None to do so only if no
                registry answers.
        """
        self._packages = tuple(packages)
        self._offline = offline
        self._tag = ""
        self._lock = threading.Lock()

    def unavailable(self) -> str:
        """Return why it cannot be used here, in one line; "" if nothing is known against it."""
        return daemon.unavailable()

    def build(self) -> str:
        """Return the tag of the image; build it if it does not exist. Raises SandboxError."""
        with daemon.connected(START_SECONDS) as client:
            return self._image(client)

    def remove_images(self) -> tuple[str, ...]:
        """Remove every sandbox image that no container uses; return their tags."""
        with daemon.connected(START_SECONDS) as client:
            return image.remove_all(client)

    def start(self, program: Program) -> DockerChannel:
        """Start `program`; build the image if it does not exist."""
        for path in program.read_only:
            require_readable(path)
        forget_unsure()
        container = f"treegraft-{uuid.uuid4().hex[:16]}"
        door = ProgramSocket()
        home = HOME if program.branches else ""
        try:
            opened = door if program.branches and door.open() else None
            with daemon.connected(START_SECONDS) as client:
                self._create(client, container, program, opened)
                channel = DockerChannel(container, home, START_SECONDS, opened)
                try:
                    client.api.start(container)
                except BaseException:
                    channel.kill()
                    raise
        except BaseException:
            door.close()
            daemon.remove_container(container, REMOVE_SECONDS)
            UNSURE.add(container)
            raise
        return channel

    def _create(
        self, client: "DockerClient", container: str, program: Program, opened: ProgramSocket | None
    ) -> None:
        from docker.errors import ImageNotFound

        options = container_options(client, program, opened) | {"name": container}
        try:
            self._make(client, options)
        except ImageNotFound:  # deleted since we looked
            with self._lock:
                self._tag = ""
            self._make(client, options)

    def _make(self, client: "DockerClient", options: dict[str, Any]) -> None:
        image = self._image(client)
        # Interrupted in this request, we could not tell when there is a container to remove.
        uninterrupted(lambda: client.api.create_container(image, **options))

    def _image(self, client: "DockerClient") -> str:
        with self._lock:  # one thread builds, the others wait for it
            if not self._tag:
                self._tag = image.ensure(client, self._packages, self._offline)
            return self._tag


def container_options(
    client: "DockerClient", program: Program, opened: ProgramSocket | None = None
) -> dict[str, Any]:
    """Return the arguments of `docker.APIClient.create_container`, besides image and name."""
    from docker.types import LogConfig

    mounts = [bind(path, inside(path, program)) for path in program.read_only]
    if opened is not None:
        mounts.append(bind(opened.folder, INSIDE))
    return {
        "command": ["python3", *arguments_inside(program)],
        "hostname": "sandbox",
        "user": f"{USER}:{USER}",
        "stdin_open": True,
        "environment": ENVIRONMENT | FOLDERS,
        "working_dir": "/",
        "stop_signal": "SIGKILL",
        "labels": {LABEL: owner(), "treegraft.program": program.name},
        "use_config_proxy": False,  # it may hold passwords
        "host_config": client.api.create_host_config(
            network_mode="bridge" if program.network else "none",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            ipc_mode="private",
            init=False,
            auto_remove=True,
            log_config=LogConfig(type="none"),
            mounts=mounts,
            tmpfs={HOME: files_options(program.quota)} if program.branches else {},
            **bounds(program.quota),
        ),
    }


def bounds(quota: Quota) -> dict[str, Any]:
    """Return the part of the host config that follows from the quota."""
    from docker.types import Ulimit

    hard = {"core": 0, "nofile": OPEN_FILES, "fsize": quota.disk_bytes}
    return {
        "mem_limit": quota.memory_bytes,
        "memswap_limit": quota.memory_bytes,  # memory and swap together: no swap
        "pids_limit": quota.pids,
        "nano_cpus": int(min(quota.cpus, os.cpu_count() or 1) * 1e9),
        "shm_size": SHM_BYTES,
        "oom_score_adj": 500,  # if the machine runs out, the engine should survive
        "ulimits": [Ulimit(name=name, soft=value, hard=value) for name, value in hard.items()],
    }


def files_options(quota: Quota) -> str:
    """Return the options of the tmpfs that shows a node's files.

    It counts as memory, and may take half of it; saved files of other nodes lie in the supervisor's
    memory.
    """
    size = quota.memory_bytes // 2
    inodes = quota.inodes * max(1, size // quota.disk_bytes)
    return f"rw,exec,nosuid,nodev,size={size},nr_inodes={inodes},mode=1777"


def bind(source: Path, target: str) -> Any:
    """Return a read-only mount of `source`."""
    from docker.types import Mount

    mount = Mount(target, str(source), type="bind", read_only=True, propagation="rprivate")
    mount["BindOptions"]["NonRecursive"] = True
    return mount


def require_readable(path: Path) -> None:
    """Raise `SandboxError` for a path that the unprivileged user inside could not open."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise SandboxError(f"the sandbox cannot read {path}: {error.strerror}") from error
    folder = stat.S_ISDIR(mode)
    needed = 0o5 if folder else 0o4
    if mode & needed != needed:
        change = "o+rx" if folder else "o+r"
        raise SandboxError(
            f"the sandbox's user may not read {path}; allow it with `chmod {change} {path}`"
        )
