"""Programs of the user's that live on between requests, in one sandbox: servers over stdio.

They share one work folder, whose contents can be saved and shown again. Requests of the host come
one at a time; between them the programs go on running. They are untrusted: what they write is
bounded, and they cannot reach what is saved. Everything ends with us.
"""

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .files.base import Full
from .files.copies import Copies
from .files.safe_files import listed, reading_beneath
from .framing import Gone, Host, Lines, Message, binary, text
from .jobs import Output
from .kernel import confine, seccomp
from .kernel.processes import Processes
from .serving import Refused, Service

TICK = 0.1
"""Seconds between two looks at the memory of all programs."""
COMPLAINT_BYTES = 4096
END_SECONDS = 2.0
"""How long a program may take to exit after it closed its output."""


class Resident:
    """One program: lines go in and come out."""

    def __init__(self, child: "subprocess.Popen[bytes]") -> None:
        """Take over the pipes of `child`."""
        assert child.stdin and child.stdout and child.stderr
        self.child = child
        self.stdin, self.stdout, self.stderr = (
            stream.fileno() for stream in (child.stdin, child.stdout, child.stderr)
        )
        for descriptor in (self.stdin, self.stdout, self.stderr):
            os.set_blocking(descriptor, False)
        self.unsent, self.received = bytearray(), Lines()
        self.complaint = b""
        self.complains = True

    def flush(self) -> None:
        """Write what it takes now."""
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            while self.unsent:
                del self.unsent[: os.write(self.stdin, self.unsent)]

    def read(self) -> bool:
        """Read what has come on standard output; return False at its end."""
        try:
            data = os.read(self.stdout, 1 << 16)
        except BlockingIOError:
            return True
        self.received.feed(data)
        return bool(data)

    def listen(self) -> None:
        """Read what has come on standard error, and keep the last of it."""
        with contextlib.suppress(BlockingIOError):
            data = os.read(self.stderr, 1 << 16)
            self.complains = bool(data)
            self.complaint = (self.complaint + data)[-COMPLAINT_BYTES:]

    def end(self) -> int:
        """Kill it with its process group; return its exit status, or minus the signal."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.child.pid, signal.SIGKILL)
        status = self.child.wait()
        while self.complains:
            before = self.complaint
            self.listen()
            if self.complaint == before:
                break
        for stream in (self.child.stdin, self.child.stdout, self.child.stderr):
            assert stream is not None
            with contextlib.suppress(OSError):
                stream.close()
        return status


class Residents(Service):
    """Starts programs, passes lines on, and keeps copies of the work folder."""

    refusals = (Refused, Full, OSError, KeyError)

    def __init__(self, host: Host, settings: dict[str, Any]) -> None:
        """Prepare the work folder; see `Service`."""
        super().__init__(host, settings)
        self._limits: dict[str, int] = dict(settings["limits"])
        del self._limits["AS"]  # Node reserves far more than it uses; we watch what is used
        if settings["mounts"]:
            try:
                confine.leave_for_own_namespace()
                self._limits["NPROC"] = settings["pids"]
            except OSError:
                os.chdir("/")
        self._home: str = settings["home"]
        self._work = os.path.join(self._home, "work")
        self._processes = Processes(settings["own_namespace"])
        in_memory = os.path.ismount(self._home)
        most = settings["disk_bytes"], settings["inodes"]
        self._files = Copies(self._home, *most, in_memory)
        self._kept = {0: self._files.initial()}
        self._numbers = 0
        self._programs: dict[str, Resident] = {}
        confine.hide()
        self.operations = {
            "start": self._start,
            "send": self._send,
            "receive": self._receive,
            "stop": self._stop,
            "run": self._run,
            "put": self._put,
            "read": self._read,
            "save": self._save,
            "show": self._show,
            "release": self._release,
        }

    def facts(self) -> Message:
        """See `Service`."""
        return {"files": self._files.name}

    def _start(self, request: Message) -> Message:
        self._programs[request["name"]] = Resident(
            self._popen(request["argv"], request["env"], subprocess.PIPE)
        )
        return {}

    def _popen(
        self, argv: Sequence[str], env: Mapping[str, str], stdin: int
    ) -> "subprocess.Popen[bytes]":
        errors = subprocess.PIPE if stdin == subprocess.PIPE else subprocess.STDOUT
        return subprocess.Popen(
            argv,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=dict(env),
            cwd=self._work,
            preexec_fn=self._confine,
            bufsize=0,
        )

    def _confine(self) -> None:
        """Give up rights (in the child)."""
        confine.become_node(self._limits, self.settings["families"])
        seccomp.guard_signals(os.getpid())

    def _send(self, request: Message) -> Message:
        program = self._programs[request["name"]]
        program.unsent += request["line"].encode() + b"\n"
        program.flush()
        return {}

    def _receive(self, request: Message) -> Message:
        """Return the next line, or why there is none; the program is ended then."""
        program = self._programs[request["name"]]
        deadline = time.monotonic() + request["seconds"]
        while (line := program.received.line()) is None:
            if len(program.received) > request["most"]:
                return self._over(program, "flood")
            left = deadline - time.monotonic()
            if left <= 0:
                return self._over(program, "timeout")
            if not self._wait(program, min(left, TICK)):
                self._let_it_exit(program)
                return self._over(program, "ended")
            if self._too_large():
                return self._over(program, "memory")
        if len(line) > request["most"]:
            return self._over(program, "flood")
        return {"line": line.decode("utf-8", "replace")}

    def _wait(self, program: Resident, seconds: float) -> bool:
        """Move what can be moved; return False if its output ended. Raises Gone."""
        waiting = select.poll()
        waiting.register(program.stdout, select.POLLIN)
        if program.complains:
            waiting.register(program.stderr, select.POLLIN)
        if program.unsent:
            waiting.register(program.stdin, select.POLLOUT)
        for control in self.host.controls:
            waiting.register(control, 0)  # hang-up only
        ready = dict(waiting.poll(seconds * 1000))
        if not ready.keys().isdisjoint(self.host.controls):
            raise Gone
        if program.stderr in ready:
            program.listen()
        if program.stdin in ready:
            program.flush()
        return program.stdout not in ready or program.read()

    def _let_it_exit(self, program: Resident) -> None:
        deadline = time.monotonic() + END_SECONDS
        while program.child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)

    def _over(self, program: Resident, why: str) -> Message:
        status = program.end()
        complaint = program.complaint.decode("utf-8", "replace").strip()
        return {"why": why, "status": status, "complaint": complaint}

    def _too_large(self) -> bool:
        return self._processes.running(())[1] > 2 * int(self.settings["held_bytes"])

    def _stop(self, request: Message) -> Message:
        program = self._programs.pop(request["name"], None)
        if program is not None:
            program.end()
        if not self._programs:  # a program may have left others in sessions of their own
            self._processes.sweep(())
        return {}

    def _run(self, request: Message) -> Message:
        """Run a program to its end; what it started in its process group ends with it."""
        child = self._popen(request["argv"], request["env"], subprocess.DEVNULL)
        assert child.stdout is not None
        output, reading = Output(request["output_bytes"]), child.stdout.fileno()
        os.set_blocking(reading, False)
        deadline, why = time.monotonic() + request["seconds"], ""
        waiting = select.poll()
        waiting.register(reading, select.POLLIN)
        life = os.pidfd_open(child.pid)
        waiting.register(life, select.POLLIN)
        for control in self.host.controls:
            waiting.register(control, 0)
        while child.poll() is None and not why:
            ready = dict(waiting.poll(TICK * 1000))
            if not ready.keys().isdisjoint(self.host.controls):
                raise Gone
            if reading in ready:
                output.drain(reading)
            if time.monotonic() > deadline:
                why = "timeout"
            elif self._too_large():
                why = "memory"
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        os.close(life)
        status, before = child.wait(), -1
        while output.total != before:
            before = output.total
            output.drain(reading)
        child.stdout.close()
        return {"why": why, "status": status, "output": output.text()[0]}

    def _put(self, request: Message) -> Message:
        for path, data in request["files"].items():
            target = os.path.normpath(os.path.join(self._work, path))
            if not target.startswith(self._work + "/"):
                raise Refused(f"{path!r} is not a path below the work folder")
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as file:
                file.write(binary(data))
        return {}

    def _read(self, request: Message) -> Message:
        """Return the regular files of the work folder; None in place of what is too large."""
        left: int = request["most_bytes"]
        found: dict[str, str | None] = {}
        for path, size in sorted(listed(self._work, self.settings["inodes"])):
            found[path] = None
            if size is None or size > left or path.split("/", 1)[0] in request["without"]:
                continue
            with (
                contextlib.suppress(OSError, ValueError),
                reading_beneath(self._home, f"work/{path}") as descriptor,
            ):
                found[path] = text(os.read(descriptor, size))
                left -= size
        return {"files": found}

    def _save(self, request: Message) -> Message:
        self._numbers += 1
        self._kept[self._numbers] = self._files.save()
        return {"kept": self._numbers}

    def _show(self, request: Message) -> Message:
        self._files.show(self._kept[request["kept"]])
        return {}

    def _release(self, request: Message) -> Message:
        kept = self._kept.pop(request["kept"], None)
        if kept is not None:
            self._files.release(kept)
        return {}
