"""Run hidden tests in a fork of the untouched root, and report the result.

The answer's code never runs in this process. The tests call it through `Remote`s, whose results
come back as data (`value_codec`); nothing that comes back can execute here, and no comparison asks
the answer. A test that needs more of an object of the answer's own class than attributes, calls,
items, `len`, `iter`, `in`, `bool` and `str`, or that compares two of them, fails; so does one
that hands the answer a function.
"""

import builtins
import contextlib
import json
import marshal
import os
import select
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from .candidate import serve
from .value_codec import LENGTH_BYTES, MOST_BYTES, Elsewhere, TooLarge, decode, encode, packed

if TYPE_CHECKING:
    from .value_codec import Code

START_SECONDS = 20.0
prepared: list[tuple[int, int, int]] = []
"""The answer's process, and the descriptors where it reads and writes."""


def prepare() -> None:
    """Fork the answer's process before this one receives the tests."""
    theirs, requests = os.pipe()
    replies, ours = os.pipe()
    process = os.fork()
    if not process:
        _become_the_answer(theirs, ours)
    os.close(theirs)
    os.close(ours)
    prepared.append((process, requests, replies))


def _become_the_answer(requests: int, replies: int) -> NoReturn:
    """Run the answer's process with these two descriptors only; none leads to the verdict."""
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        for name in os.listdir("/proc/self/fd"):
            if int(name) > 2 and int(name) not in (requests, replies):
                with contextlib.suppress(OSError):
                    os.close(int(name))
        sys.path.insert(0, "")
        serve(requests, replies)
    finally:
        os._exit(1)


class Over(BaseException):
    """The answer cannot be called any more: its time is up, or its process is gone."""


class Raised(Exception):
    """The answer raised something that is not a built-in exception."""


class Remote(Elsewhere):
    """An object in the answer's process.

    It has no __eq__ and no __hash__, so the answer cannot decide what is equal.
    """

    __slots__ = ("_answer", "_number")

    def __init__(self, answer: "Answer", number: int) -> None:
        object.__setattr__(self, "_answer", answer)
        object.__setattr__(self, "_number", number)

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Call the answer's object in its process."""
        return self._answer.operate("call", (self, *args), named)

    def __getattr__(self, name: str) -> Any:
        return self._answer.operate("getattr", (self, name))

    def __setattr__(self, name: str, value: Any) -> None:
        self._answer.operate("setattr", (self, name, value))

    def __getitem__(self, key: Any) -> Any:
        return self._answer.operate("getitem", (self, key))

    def __setitem__(self, key: Any, value: Any) -> None:
        self._answer.operate("setitem", (self, key, value))

    def __delitem__(self, key: Any) -> None:
        self._answer.operate("delitem", (self, key))

    def __contains__(self, item: Any) -> bool:
        return self._answer.operate("contains", (self, item)) is True

    def __iter__(self) -> Iterator[Any]:
        found: Iterator[Any] = self._answer.operate("iter", (self,))
        return found

    def __next__(self) -> Any:
        return self._answer.operate("next", (self,))

    def __len__(self) -> int:
        return int(self._answer.operate("len", (self,)))

    def __bool__(self) -> bool:
        return self._answer.operate("bool", (self,)) is True

    def __str__(self) -> str:
        return str(self._answer.operate("str", (self,)))

    def __repr__(self) -> str:
        return str(self._answer.operate("repr", (self,)))


class Answer:
    """The answer's process; every call must end before the deadline."""

    def __init__(self, seconds: float) -> None:
        self._process, self._requests, self._replies = prepared[0]
        self.over = ""
        os.set_blocking(self._requests, False)
        self._deadline = time.monotonic() + START_SECONDS
        self._receive()
        self._deadline = time.monotonic() + seconds

    def close(self) -> None:
        """End the answer's process."""
        os.kill(self._process, signal.SIGKILL)  # its end need not be waited for
        os.close(self._requests)
        os.close(self._replies)

    def load(self, sources: list[str]) -> None:
        """Run the answer's code; raise what it raises."""
        self._ask({"op": "load", "sources": sources})

    def named(self, name: str) -> Any:
        """Return the answer's object called `name`; raise KeyError if there is none."""
        return self._ask({"op": "global", "name": name})

    def operate(self, op: str, args: tuple[Any, ...], named: dict[str, Any] | None = None) -> Any:
        """Send a call; raise TypeError if an argument cannot be sent, or what the answer raises."""
        codes = [encode(arg, _number) for arg in args]
        sent = {name: encode(arg, _number) for name, arg in (named or {}).items()}
        return self._ask({"op": op, "args": codes, "named": sent}, args)

    def _ask(self, request: dict[str, Any], args: tuple[Any, ...] = ()) -> Any:
        if self.over:
            raise Over
        try:
            self._send(packed(marshal.dumps(request)))
            reply = self._receive()
            if "raised" in reply:
                error = _error(reply)
            else:
                for place, code in dict(reply.get("changed", {})).items():
                    _assign(args[int(place)], self._value(code))
                return self._value(reply["value"])
        except (OSError, EOFError, TooLarge):
            self._end("died")
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
            self._end("died")  # what it sent is no reply
        raise error

    def _value(self, code: "Code") -> Any:
        return decode(code, lambda number: Remote(self, int(number)))

    def _end(self, why: str) -> None:
        self.over = why
        raise Over

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._wait([], [self._requests])
            view = view[os.write(self._requests, view) :]

    def _receive(self) -> dict[str, Any]:
        size = int.from_bytes(self._exactly(LENGTH_BYTES), "big")
        if size > MOST_BYTES:
            raise TooLarge
        reply = json.loads(self._exactly(size))
        if not isinstance(reply, dict):
            raise ValueError(reply)
        return reply

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            self._wait([self._replies], [])
            more = os.read(self._replies, min(size - len(data), 1 << 20))
            if not more:
                raise EOFError
            data += more
        return bytes(data)

    def _wait(self, to_read: list[int], to_write: list[int]) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0 or not any(select.select(to_read, to_write, [], left)):
            self._end("timeout")


def _number(value: Any) -> int:
    if type(value) is Remote:
        number: int = value._number
        return number
    raise TypeError(f"a {type(value).__name__} cannot be given to the answer")


def _error(reply: dict[str, Any]) -> Exception:
    """Return the nearest built-in exception."""
    for name in reply["raised"]:
        kind = getattr(builtins, str(name), None)
        if isinstance(kind, type) and issubclass(kind, Exception) and kind is not Exception:
            with contextlib.suppress(TypeError):
                return kind(str(reply["text"]))
    return Raised(str(reply["raised"][0]), str(reply["text"]))


def _assign(old: Any, new: Any) -> None:
    """Copy the answer's changes of an argument into the caller's object."""
    if isinstance(old, (list, bytearray)):
        old[:] = new
    elif isinstance(old, (dict, set, deque)):
        old.clear()
        (old.extend if isinstance(old, deque) else old.update)(new)


class Marks:
    """The assertions of a function, and whether each was true every time."""

    def __init__(self) -> None:
        self._found: dict[int, bool] = {}

    def begin(self, place: int) -> None:
        """Note that an assertion starts; its computation may never end."""
        self._before, self._found[place] = self._found.get(place, True), False

    def end(self, place: int, value: Any) -> None:
        """Note the value of the assertion that `begin` announced."""
        self._found[place] = self._before and bool(value)

    def passed(self) -> int:
        """Return how many assertions were always true."""
        return sum(self._found.values())


def verdict(text: str) -> str:
    """Grade an answer; `text` is the JSON that `environments.python.grading` writes.

    Returns:
        JSON with `passed` (number of tests), `whole` (whether nothing went wrong) and `why`: "",
        "timeout", "died", or "exception" if the answer's code does not run.
    """
    spec = json.loads(text)
    sys.path[:] = [place for place in sys.path if place]
    restore(spec["files"])
    answer = Answer(spec["seconds"])
    try:
        return json.dumps(_verdict(answer, spec))
    finally:
        answer.close()


def _verdict(answer: Answer, spec: dict[str, Any]) -> dict[str, Any]:
    try:
        answer.load(spec["sources"])
    except (Exception, Over):  # noqa: BLE001  (the answer's exceptions)
        return {"passed": 0, "whole": False, "why": answer.over or "exception"}
    marks = Marks()
    world: dict[str, Any] = {"__name__": "tests", "__marks__": marks}
    for source in spec["before"]:
        exec(source, world)
    for name in spec["names"]:
        with contextlib.suppress(Exception, Over):
            world[name] = answer.named(name)
    results = [_passes(answer, world, test) for test in [*spec["setup"], *spec["tests"]]]
    whole = all(results)
    passed = marks.passed() if spec["marked"] else sum(results[len(spec["setup"]) :])
    return {"passed": passed, "whole": whole, "why": answer.over}


def _passes(answer: Answer, world: dict[str, Any], test: str) -> bool:
    """Run a test; one that catches all exceptions must not pass because the answer is gone."""
    try:
        exec(compile(test, "<test>", "exec", dont_inherit=True), world)
    except (Exception, Over):  # noqa: BLE001  (the answer's exceptions)
        return False
    return not answer.over


def restore(files: dict[str, str]) -> None:
    """Restore the task's files: an answer must not change the input of its tests."""
    for path, content in files.items():
        with contextlib.suppress(OSError):
            if os.path.lexists(path):
                os.unlink(path)
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            with open(path, "x", encoding="utf-8", newline="") as file:
                file.write(content)
