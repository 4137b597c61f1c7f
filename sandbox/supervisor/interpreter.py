"""The node's side: an interpreter that forks and runs code on request.

From the first line of agent code on, everything in this process may belong to the agent: nothing
here guards anything. It keeps what a fork would otherwise lose, so that an honest program cannot
tell a branch from the first run: the state of `random`, the working directory, and the open files,
of which each branch gets its own descriptions.
"""

import ast
import builtins
import contextlib
import io
import linecache
import os
import signal
import socket
import stat
import sys
import traceback
from typing import Any, NoReturn

from .framing import Gone, Link, Message
from .quiet_fork import quiet_fork, random, threading

MAX_CODE = 64 << 20
TRACEBACK_CHARS = 16_000
EPHEMERAL = ("socket:", "pipe:", "anon_inode:")
"""Descriptors that the branches of a node would share, and so disturb each other."""

_fork, _exit, _setsid = quiet_fork, os._exit, os.setsid
_dup2, _close, _waitpid = os.dup2, os.close, os.waitpid


class Interpreter:
    """A namespace for code, and the link to the supervisor."""

    def __init__(self, end: socket.socket, home: str) -> None:
        """Start with an empty namespace; `home` is the directory whose files are the node's."""
        self._link = Link(end, MAX_CODE)
        self._home = home
        self._place = os.path.join(home, "work")
        self._files: list[tuple[int, str, int, int]] = []
        self._cells = -1  # the prelude is step 0
        self._children: list[int] = []
        self.world: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins}

    def serve(self) -> NoReturn:
        """Obey until the supervisor closes the link."""
        while True:
            try:
                message, descriptors = self._link.obey()
            except Gone:
                _exit(0)
            match message["op"]:
                case "fork":
                    self._branch(descriptors)
                case "run":
                    self._run(message, descriptors)
                case "reap":
                    self._link.send({"pid": message["pid"], "status": _ended(message["pid"])})

    def _branch(self, descriptors: list[int]) -> None:
        """Fork; the child goes on over the link that came with the message."""
        self._children = [pid for pid in self._children if _reap(pid) == 0]
        try:
            child = _fork()
        except OSError as error:
            _close(descriptors[0])
            self._link.send({"unable": str(error)})
            return
        if child:
            for descriptor in descriptors:
                _close(descriptor)
            self._children.append(child)
            return
        self._children = []
        self._link.close()
        self._link = Link(socket.socket(fileno=descriptors[0]), MAX_CODE)
        _setsid()  # in our parent's session, its death would send us SIGHUP
        self._link.send({"ready": True})

    def _run(self, message: Message, descriptors: list[int]) -> None:
        _dup2(descriptors[0], 1)
        _dup2(descriptors[0], 2)
        _close(descriptors[0])
        self._return_to_place()
        if message["grade"]:  # a file of the agent's could replace a module
            sys.path[:] = [place for place in sys.path if place]
            random.seed()  # otherwise every node could predict its numbers
        value, exception = self._execute(message["code"], message["value_chars"])
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(BaseException):
                stream.flush()
        unforkable = self._look_around()
        self._link.send({"value": value, "exception": exception, "unforkable": unforkable})

    def _execute(self, code: str, value_chars: int) -> tuple[str | None, str | None]:
        self._cells += 1
        name = f"<step {self._cells}>"
        linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
        value = None
        try:
            # Not ast.parse, which would add a frame to the traceback of a SyntaxError.
            tree = compile(code, name, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
            assert isinstance(tree, ast.Module)
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, name, "exec", dont_inherit=True), self.world)
            if isinstance(last, ast.Expr):
                found = eval(compile(ast.Expression(last.value), name, "eval"), self.world)
                value = None if found is None else repr(found)[:value_chars]
        except BaseException as error:  # noqa: BLE001  (whatever the agent raises is its observation)
            return None, _format(error)
        return value, None

    def _return_to_place(self) -> None:
        """Restore the working directory, and open the files again with descriptions of our own."""
        for place in (self._place, os.path.join(self._home, "work"), "/"):
            with contextlib.suppress(OSError):
                os.chdir(place)
                break
        for descriptor, path, flags, position in self._files:
            try:
                again = os.open(path, flags)
            except OSError:
                _close(descriptor)
                continue
            with contextlib.suppress(OSError):
                os.lseek(again, position, os.SEEK_SET)
            _dup2(again, descriptor, os.get_inheritable(descriptor))
            _close(again)

    def _look_around(self) -> list[str]:
        """Note working directory and open files; return what here would not survive a fork."""
        unforkable = set()
        with contextlib.suppress(OSError):
            self._place = os.getcwd()
        self._files = []
        for name in os.listdir("/proc/self/fd"):
            descriptor = int(name)
            if descriptor < 3 or descriptor == self._link.socket.fileno():
                continue
            try:
                target = os.readlink(f"/proc/self/fd/{name}")
            except OSError:
                continue  # the descriptor of the listing itself
            if target.startswith(EPHEMERAL):
                unforkable.add("descriptors")
            elif target.startswith(self._home + "/"):
                with contextlib.suppress(OSError):  # a thread may have closed it
                    self._note(descriptor, target)
                if target.endswith("-wal"):
                    unforkable.add("wal")
        if threading.active_count() > 1:
            unforkable.add("threads")
        if "mmap" in sys.modules and _shares_memory():
            unforkable.add("mmap")
        return sorted(unforkable)

    def _note(self, descriptor: int, path: str) -> None:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            with open(f"/proc/self/fdinfo/{descriptor}") as info:
                fields = dict(line.split(":", 1) for line in info if ":" in line)
            flags = int(fields["flags"], 8) & ~(os.O_CREAT | os.O_EXCL | os.O_TRUNC)
            self._files.append((descriptor, path, flags, int(fields["pos"])))


def _format(error: BaseException) -> str:
    """Return the traceback without our own frames, cut in the middle."""
    try:
        own = error.__traceback__
        lines = traceback.format_exception(type(error), error, own.tb_next if own else None)
        text = "".join(lines)
    except BaseException:  # noqa: BLE001  (its __str__ is agent code too)
        text = f"{type(error).__name__} (which cannot be shown)\n"
    if len(text) > TRACEBACK_CHARS:
        half = TRACEBACK_CHARS // 2
        text = f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"
    return text


def _shares_memory() -> bool:
    with open("/proc/self/maps") as maps:
        permissions = (line.split(" ", 2)[1] for line in maps)
        return any("w" in these and "s" in these for these in permissions)


def _reap(pid: int) -> int:
    """Return 0 while the child `pid` lives."""
    try:
        return _waitpid(pid, os.WNOHANG)[0]
    except ChildProcessError:
        return pid


def _ended(pid: int) -> int | None:
    """Return how the child `pid`, which is dead or dying, ended, as waitpid tells it."""
    try:
        return _waitpid(pid, 0)[1]
    except ChildProcessError:
        return None


def prepare() -> None:
    """Set up signals and streams, before the first fork."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)
