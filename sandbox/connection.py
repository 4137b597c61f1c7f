"""The host's end of one supervisor: start it, ask it, end it."""

import json
from pathlib import Path
from typing import Any

import sandbox.supervisor
from sandbox.admission import Slot, admit
from sandbox.errors import SandboxError
from sandbox.owner import find_temporary_folder
from sandbox.program import Backend, Channel, Program
from sandbox.protocol import Quota

START_SECONDS = 60.0
WAIT_SECONDS = 600.0
"""How long a start waits for memory that other sandboxes hold."""
MAX_REPLY = 64 << 20
"""Bytes of one reply."""

NETWORK_FAMILIES = ("AF_UNIX", "AF_INET", "AF_INET6")

SOURCE = Path(sandbox.supervisor.__file__).resolve().parent
BOOTSTRAP = """
import importlib.util, sys
path = sys.argv.pop()
places = {"submodule_search_locations": [path]}
spec = importlib.util.spec_from_file_location("supervisor", path + "/__init__.py", **places)
sys.modules["supervisor"] = importlib.util.module_from_spec(spec)
from supervisor import startup
startup.prepare()
sys.path.insert(0, "")
from supervisor import {module}, serving
serving.main({module}.{service})
"""
"""Imports the supervisor's folder as a package, without its parent on any path."""


def program(
    quota: Quota,
    read_only: tuple[Path, ...] = (),
    service: str = "main.Supervisor",
    *,
    network: bool = False,
) -> Program:
    """Return the program that starts a supervisor, or another `service` of its folder.

    It runs without -I, which would ignore PYTHONHASHSEED; its environment is ours anyway.
    """
    module, _, name = service.partition(".")
    code = BOOTSTRAP.replace("{module}", module).replace("{service}", name)
    arguments = ("-P", "-s", "-S", "-B", "-c", code, str(SOURCE))
    sources = (SOURCE, *read_only)
    return Program("supervisor", arguments, sources, quota, branches=True, network=network)


class Connection:
    """A supervisor and the channel to it.

    It closes at the first trouble: the state of a broken supervisor cannot be trusted.
    """

    def __init__(self, backend: Backend, program: Program) -> None:
        self.backend, self.quota, self.program = backend, program.quota, program
        self.facts: dict[str, Any] = {}
        self._channel: Channel | None = None
        self._slot: Slot | None = None
        find_temporary_folder()

    @property
    def open(self) -> bool:
        """Whether the supervisor was started and not closed."""
        return self._channel is not None

    @property
    def pid(self) -> int | None:
        """The supervisor's process group; None if there is none, or none of ours."""
        return getattr(self._channel, "pid", None)

    @property
    def home(self) -> str:
        """The nodes' directory, as seen inside."""
        assert self._channel is not None
        return self._channel.home

    def start(self, prelude: str) -> None:
        """Start the supervisor and its root interpreter, which runs `prelude`.

        Raises:
            SandboxError: it cannot be started, or no memory became free.
        """
        self._slot = admit(self.quota.memory_bytes, WAIT_SECONDS)
        try:
            self._channel = self.backend.start(self.program)
            settings = self._settings(self._channel) | {"prelude": prelude}
            self.facts = self._exchange(settings, START_SECONDS, "did not start")["ready"]
        except BaseException:
            self.close()
            raise

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Return the reply; raise `SandboxError` if none comes within `seconds`, or a refusal."""
        return self._exchange(request, seconds, "ended")

    def close(self) -> None:
        """End everything in it. Calling it twice is fine."""
        if self._channel is not None:
            self._channel.kill()
            self._channel = None
        if self._slot is not None:
            self._slot.release()
            self._slot = None

    def _exchange(self, request: dict[str, Any], seconds: float, trouble: str) -> dict[str, Any]:
        channel, name = self._channel, self.backend.name
        assert channel is not None
        try:
            channel.send(json.dumps(request).encode())
            reply: dict[str, Any] = json.loads(channel.receive(seconds, MAX_REPLY))
        except TimeoutError as error:
            self.close()
            raise SandboxError(f"the {name} sandbox did not answer in {seconds:g} s") from error
        except (OSError, EOFError) as error:
            channel.ended()
            complaint = channel.complaint().rpartition("\n")[2]
            self.close()
            raise SandboxError(f"the {name} sandbox {trouble}: {complaint or error}") from error
        except BaseException:
            self.close()  # interrupted, it would answer the next request with this one's reply
            raise
        for word in ("failed", "refused"):
            if word in reply:
                raise SandboxError(f"the {name} sandbox {word}: {reply[word]}")
        return reply

    def _settings(self, channel: Channel) -> dict[str, Any]:
        """Return the settings that the supervisor reads first."""
        quota = self.quota
        return {
            "home": channel.home,
            "own_namespace": channel.own_namespace,
            "socket": channel.socket,
            "mounts": self.backend.mounts,
            "families": NETWORK_FAMILIES if self.program.network else self.backend.families,
            "nodes": quota.nodes,
            "held_bytes": quota.memory_bytes // 2,
            "disk_bytes": quota.disk_bytes,
            "inodes": quota.inodes,
            "pids": quota.pids,
            "lifetime": quota.lifetime,
            "limits": {
                "AS": max(2 << 30, 2 * quota.memory_bytes),
                "CORE": 0,
                "FSIZE": quota.disk_bytes,
                "NOFILE": 1024,
                "MEMLOCK": 64 << 10,
                "MSGQUEUE": 0,
            },
        }
