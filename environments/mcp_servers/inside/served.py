"""A server over stdio that runs in steps, so that it can be forked between two of them.

Such a server waits for input in a thread, under an event loop with descriptors of its own. Neither
survives a fork. So the loop is ours: it has no descriptors, it does in line what else a thread
does, and it stops when the server has answered and waits. The next step lets it go on, in this
process or in a fork of it. A server that starts threads, or opens sockets, is no longer forked:
its sandbox sees that, and plays its calls again.
"""

import asyncio
import contextlib
import contextvars
import gc
import importlib
import io
import json
import os
import runpy
import selectors
import site
import subprocess
import sys
import threading
import traceback
import warnings
from typing import Any

from .paths import hidden, shown

FOLDER = os.getcwd()
"""The work folder."""
MOST_CHARS = 900_000
"""Of what a server writes in one step: the reply of a node holds 1 MiB."""
MOST_BYTES = 8 << 20
FLOOD = 77
"""The exit status of a server that writes more than `MOST_BYTES` without end."""
TICK = 0.02
"""Seconds between two looks at what runs outside the loop: child processes, threads."""
COMPLAINT_CHARS = 2000
SETUP_SECONDS = 50.0


class Parked(BaseException):
    """The server's loop is ready: what started it is left by this exception."""


class NoInput(BaseException):
    """Nothing is there to read."""


class Input(io.RawIOBase):
    """The server's standard input."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.readers: list[asyncio.Future[None]] = []

    def readable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def readinto(self, buffer: Any) -> int:
        """See `io.RawIOBase`. Raises NoInput."""
        if not self.data:
            raise NoInput("the server reads its input outside of asyncio")
        count = min(len(buffer), len(self.data))
        buffer[:count] = self.data[:count]
        del self.data[:count]
        return count

    def feed(self, line: str) -> None:
        """Give it a line, and wake those that wait for one."""
        self.data += line.encode() + b"\n"
        readers, self.readers = self.readers, []
        for reader in readers:
            if not reader.done():
                reader.set_result(None)


class Output(io.RawIOBase):
    """The server's standard output."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def write(self, data: Any) -> int:
        """See `io.RawIOBase`."""
        self.data += data
        if len(self.data) > MOST_BYTES:
            os._exit(FLOOD)
        return len(data)


class Loop(asyncio.SelectorEventLoop):
    """An event loop without descriptors and threads; see `Selector` for when it stops."""

    def __init__(self) -> None:
        super().__init__(Selector())

    def _make_self_pipe(self) -> None:
        self._ssock = self._csock = None

    def _close_self_pipe(self) -> None:
        pass

    def run_until_complete(self, future: Any) -> Any:
        """Note what is to run, and leave; see `Parked`."""
        if SERVER.loop is not None:
            return super().run_until_complete(future)
        SERVER.loop, SERVER.main = self, asyncio.ensure_future(future, loop=self)
        SERVER.main.add_done_callback(lambda _: self.stop())
        raise Parked

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, function: Any, *args: Any
    ) -> Any:
        """Do in line what a thread would do."""
        return self.create_task(in_line(function, *args))

    def add_signal_handler(self, *_: Any) -> None:  # type: ignore[override]
        """Do nothing: a step ends by a kill."""

    def remove_signal_handler(self, *_: Any) -> bool:
        """Do nothing."""
        return False


class Selector(selectors.PollSelector):
    """Waits for descriptors and timers as long as an answer is owed, and stops the loop then."""

    def select(self, timeout: float | None = None) -> Any:
        """See `selectors`."""
        if timeout == 0:
            return super().select(0)
        if SERVER.rests(timers=timeout is not None, descriptors=bool(self.get_map())):
            SERVER.loop.stop()
            return []
        return super().select(TICK if timeout is None else min(timeout, TICK))


class Server:
    """The server of this process: it is started once, and then played step by step."""

    def __init__(self) -> None:
        self.input, self.output, self.errors = Input(), Output(), io.StringIO()
        self.loop: Any = None
        self.main: Any = None
        self.ended: int | None = None
        self.kept: Any = None
        self._noted = 0
        self._owed: set[Any] = set()
        """Requests that the server has to answer."""
        self._asked: set[Any] = set()
        """Requests of the server's that its client has to answer."""

    def start(self, kind: str, name: str, *arguments: str) -> None:
        """Run a program, a module or a file, up to where it waits."""
        sys.argv = [name, *(each.replace("{work}", FOLDER) for each in arguments)]
        sys.stdin = io.TextIOWrapper(io.BufferedReader(self.input), "utf-8")
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(self.output), "utf-8", line_buffering=True)
        sys.stderr = self.errors
        try:
            if kind == "module":
                runpy.run_module(name, run_name="__main__", alter_sys=True)
            else:
                runpy.run_path(name, run_name="__main__")
            self.ended = 0
        except Parked as parked:
            self.kept = parked.__traceback__  # and with it the variables of those that were left
            self._go_on()
        except BaseException as error:  # noqa: BLE001  (whatever the server raises)
            self.ended = self._status(error)
        gc.freeze()  # a collection would write to what forks share

    def play(self, lines: list[str]) -> str:
        """Give the server lines; return what it wrote, and whether it ended, as JSON."""
        for line in lines:
            message = shown(json.loads(line), FOLDER)
            _note(message, self._owed, self._asked)
            self.input.feed(json.dumps(message))
        if self.ended is None:
            self._go_on()
        text = self.output.data.decode("utf-8", "replace")
        self.output.data, self._noted = bytearray(), 0
        complaint = "" if self.ended is None else self.errors.getvalue()[-COMPLAINT_CHARS:]
        told = {"text": hidden(text, FOLDER), "status": self.ended, "complaint": complaint}
        said = json.dumps(told, ensure_ascii=False)
        flood = {"text": "", "status": FLOOD, "complaint": ""}
        return said if len(json.dumps(said)) < MOST_CHARS else json.dumps(flood)

    def rests(self, *, timers: bool, descriptors: bool) -> bool:
        """Return whether the loop, which has nothing to do now, need not wait.

        Args:
            timers: whether something is to happen later.
            descriptors: whether a descriptor is waited for.
        """
        end = self.output.data.rfind(b"\n") + 1
        for line in bytes(self.output.data[self._noted : end]).splitlines():
            with contextlib.suppress(ValueError):
                _note(json.loads(line), self._asked, self._owed)
        self._noted = max(self._noted, end)
        if not self._owed or self._asked:
            return True
        return not timers and not descriptors and threading.active_count() == 1

    def _go_on(self) -> None:
        self.loop.run_forever()
        gc.collect()  # what nobody uses any more may hold pipes, which cannot be forked
        for thread in threading.enumerate():
            if thread is not threading.main_thread():
                thread.join(0.2)
        if self.main.done():
            self.ended = 1 if self.main.cancelled() else self._status(self.main.exception())

    def _status(self, error: BaseException | None) -> int:
        """Return the exit status of a program that ends with `error`, and write as it would."""
        if isinstance(error, SystemExit) and not isinstance(error.code, str):
            return error.code or 0
        if error is None:
            return 0
        text = (
            error.code
            if isinstance(error, SystemExit)
            else "".join(traceback.format_exception(error))
        )
        self.errors.write(f"{text}\n")
        return 1


SERVER = Server()


def _note(message: Any, requests: set[Any], answered: set[Any]) -> None:
    """Note a message: a request, or the answer to one of the other side's."""
    if isinstance(message, dict) and "id" in message:
        if "method" in message:
            requests.add(message["id"])
        else:
            answered.discard(message["id"])


async def in_line(function: Any, *args: Any) -> Any:
    """Call what would run in a thread; if it reads and nothing is there, wait and call it again."""
    context = contextvars.copy_context()
    while True:
        try:
            return context.run(function, *args)
        except NoInput:
            reader = asyncio.get_running_loop().create_future()
            SERVER.input.readers.append(reader)
            await reader


def load(folders: list[str], env: dict[str, str]) -> None:
    """Prepare for a server, and import the SDK.

    Args:
        folders: virtual environments whose packages it needs.
        env: environment variables.
    """
    temporary = os.path.join(os.path.dirname(FOLDER), "tmp")
    os.environ.update({"HOME": temporary, "TMPDIR": temporary})
    os.environ.update({key: value.replace("{work}", FOLDER) for key, value in env.items()})
    before, sys.path[:] = list(sys.path), []
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for folder in folders:
        packages = os.path.join(folder, "lib", version, "site-packages")
        if os.path.isdir(packages):
            site.addsitedir(packages)
    sys.path += before  # what the virtual environments have comes first
    warnings.simplefilter("ignore", DeprecationWarning)
    policy = type("Policy", (asyncio.DefaultEventLoopPolicy,), {"_loop_factory": Loop})
    asyncio.set_event_loop_policy(policy())
    asyncio.Runner.close = lambda self: None  # type: ignore[method-assign]  # what is left goes on
    with contextlib.suppress(ImportError):
        _call_in_line(importlib.import_module("anyio._backends._asyncio").AsyncIOBackend)
    with contextlib.suppress(ImportError):
        importlib.import_module("mcp.server.stdio")


def _call_in_line(backend: Any) -> None:
    """Replace the worker threads of anyio."""

    async def run(
        cls: Any, function: Any, args: Any, abandon_on_cancel: bool = False, limiter: Any = None
    ) -> Any:
        await cls.checkpoint()
        return await in_line(function, *args)

    backend.run_sync_in_worker_thread = classmethod(run)


def prepare(details: dict[str, Any]) -> str:
    """Write the files of a task, and run its script; return why that failed, or ""."""
    for path, text in details["files"].items():
        target = os.path.join(FOLDER, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as file:
            file.write(shown(text, FOLDER).encode())
    if not (setup := details["setup"]):
        return ""
    script = shown(setup.replace("{work}", FOLDER), FOLDER)
    return _ran(["sh", "-e", "-c", script], {}, SETUP_SECONDS)


def check(code: str, answer: str, seconds: float) -> str:
    """Run a check script in the work folder; return why it refuses, or ""."""
    env = {"ANSWER": shown(answer, FOLDER)}
    return _ran([sys.executable, "-I", "-c", code], env, seconds)


def _ran(argv: list[str], env: dict[str, str], seconds: float) -> str:
    """Run a program to its end; return how it failed, or ""."""
    try:
        done = subprocess.run(
            argv,
            cwd=FOLDER,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return "timeout"
    if not done.returncode:
        return ""
    last = done.stdout.decode("utf-8", "replace").strip().rpartition("\n")[2]
    return f"exit status {done.returncode}: {last}"[:COMPLAINT_CHARS]
