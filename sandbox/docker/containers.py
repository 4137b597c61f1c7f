"""A container of a task's own image, whose files branch: each state is an image.

`docker commit` saves the files of a container as a layer; a container of that image has them again.
Processes are not saved, and none may run between two commands.

What holds here: no mount of this machine, no network unless it is asked for, no new privileges,
few capabilities, and bounds on memory, processors and processes. Unlike in `sandbox.docker.backend`
the user may be root and all files can be written, since such tasks expect it. The container ends
when the engine dies: its only lasting program reads a stream that closes then.
"""

import contextlib
import io
import os
import select
import socket
import tarfile
import time
import uuid
from dataclasses import dataclass, field

from sandbox.docker import daemon
from sandbox.docker.backend import START_SECONDS, UNSURE
from sandbox.docker.channel import FRAME, REMOVE_SECONDS, STDERR
from sandbox.errors import SandboxError
from sandbox.owner import LABEL, owner

KEPT_CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"),
    *("NET_BIND_SERVICE", "SYS_CHROOT"),
)
FLOOD_BYTES = 64 << 20
FILE_BYTES = 1 << 20
"""Bytes of a file that is read from a container at most."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one container may use."""

    memory_bytes: int = 2 << 30
    cpus: float = 1.0
    pids: int = 512
    network: bool = False


@dataclass(frozen=True, slots=True)
class Ran:
    """What a program in a container did.

    Attributes:
        why: "" if it ended by itself, else "timeout" or "flood"; the container is gone then.
    """

    status: int = 0
    output: bytes = b""
    errors: bytes = b""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A program to run; an empty `user` or `folder` stands for the image's."""

    arguments: tuple[str, ...]
    user: str = ""
    folder: str = ""
    environment: dict[str, str] = field(default_factory=dict)


class Container:
    """A running container. One thread at a time; `remove` ends it."""

    def __init__(self, image: str, bounds: Bounds) -> None:
        """Start it. Raises `SandboxError`."""
        self.name = f"treegraft-{uuid.uuid4().hex[:16]}"
        try:
            with daemon.connected(START_SECONDS) as client:
                host = client.api.create_host_config(
                    network_mode="bridge" if bounds.network else "none",
                    cap_drop=["ALL"],
                    cap_add=list(KEPT_CAPABILITIES),
                    security_opt=["no-new-privileges:true"],
                    auto_remove=True,
                    mem_limit=bounds.memory_bytes,
                    memswap_limit=bounds.memory_bytes,
                    nano_cpus=int(min(bounds.cpus, os.cpu_count() or 1) * 1e9),
                    pids_limit=bounds.pids,
                    oom_score_adj=500,
                )
                client.api.create_container(
                    image,
                    name=self.name,
                    entrypoint=["cat"],
                    command=[],
                    user="0",
                    hostname="sandbox",
                    stdin_open=True,
                    stop_signal="SIGKILL",
                    labels={LABEL: owner()},
                    use_config_proxy=False,
                    host_config=host,
                )
                self._stream = daemon.attach(self.name, START_SECONDS)
                client.api.start(self.name)
        except BaseException:
            UNSURE.add(self.name)
            daemon.remove_container(self.name, REMOVE_SECONDS)
            raise

    def run(self, call: Call, seconds: float) -> Ran:
        """Run a program to its end; one that is stopped takes the container with it."""
        with daemon.connected(START_SECONDS) as client:
            made = client.api.exec_create(
                self.name,
                list(call.arguments),
                user=call.user,
                workdir=call.folder or None,
                environment=call.environment,
            )
            stream = daemon.start_exec(made["Id"], START_SECONDS)
            with contextlib.closing(stream):
                ran = _read_all(stream, seconds)
            if ran.why:
                self.remove()
                return ran
            status = client.api.exec_inspect(made["Id"])["ExitCode"]
        return Ran(status or 0, ran.output, ran.errors)

    def upload(self, archive: bytes, folder: str = "/") -> None:
        """Unpack a tar archive below `folder`."""
        with daemon.connected(START_SECONDS) as client:
            client.api.put_archive(self.name, folder, archive)

    def read(self, path: str) -> bytes | None:
        """Return a regular file; None if there is none, or it is longer than `FILE_BYTES`."""
        from docker.errors import NotFound

        with daemon.connected(START_SECONDS) as client:
            try:
                pieces, stat = client.api.get_archive(self.name, path)
            except NotFound:
                return None
            if stat["size"] > FILE_BYTES or stat["linkTarget"]:
                return None
            with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
                found = archive.next()
                file = archive.extractfile(found) if found and found.isreg() else None
                return file.read() if file else None

    def commit(self) -> str:
        """Save the files as an image; return its id."""
        with daemon.connected(START_SECONDS) as client:
            labels = {"Labels": {LABEL: owner()}}
            image: str = client.api.commit(self.name, pause=False, conf=labels)["Id"]
        return image

    def remove(self) -> None:
        """End it. Calling it twice is fine."""
        self._stream.close()
        if trouble := daemon.remove_container(self.name, REMOVE_SECONDS):
            UNSURE.add(self.name)
            raise SandboxError(trouble)


def remove_image(image: str) -> bool:
    """Remove a saved state; return whether it is gone. One that others were made of stays."""
    from docker.errors import APIError, ImageNotFound

    with daemon.connected(START_SECONDS) as client:
        try:
            client.api.remove_image(image, noprune=True)
        except ImageNotFound:
            return True
        except APIError as error:
            if error.status_code != 409:  # it has children, or a container that is going away
                raise
            return False
    return True


def _read_all(stream: socket.socket, seconds: float) -> Ran:
    """Return what came until the end of the stream, without a status."""
    parts: dict[bool, bytearray] = {False: bytearray(), True: bytearray()}
    deadline, held, size = time.monotonic() + seconds, bytearray(), 0
    waiting = select.poll()
    waiting.register(stream, select.POLLIN)
    while True:
        if not waiting.poll(max(0.0, deadline - time.monotonic()) * 1000):
            return Ran(why="timeout")
        data = stream.recv(1 << 16)
        if not data:
            return Ran(0, bytes(parts[False]), bytes(parts[True]))
        held += data
        if (size := size + len(data)) > FLOOD_BYTES:
            return Ran(why="flood")
        while len(held) >= FRAME.size:
            kind, length = FRAME.unpack_from(held)
            if len(held) < FRAME.size + length:
                break
            parts[kind == STDERR] += held[FRAME.size : FRAME.size + length]
            del held[: FRAME.size + length]
