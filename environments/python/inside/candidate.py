"""The answer's own process: runs its code and serves calls to what it defines.

It is forked from the grader before that receives the tests, so its memory never held a hidden test.
Once the answer's first line has run, the answer may control everything here; the grader takes what
comes from here as data only.
"""

# No import here may take long: the process of every answer waits for it.
from __future__ import annotations

import _operator
import marshal
import posix

from .value_codec import LENGTH_BYTES, decode, encode, packed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from .value_codec import Code

_read, _write, _exit = posix.read, posix.write, posix._exit

OPERATIONS: dict[str, Callable[..., Any]] = {
    "call": lambda found, *args, **named: found(*args, **named),
    "getattr": getattr,
    "setattr": setattr,
    "getitem": _operator.getitem,
    "setitem": _operator.setitem,
    "delitem": _operator.delitem,
    "contains": _operator.contains,
    "iter": iter,
    "next": next,
    "len": len,
    "str": str,
    "repr": repr,
    "bool": bool,
}
MUTABLE = ("list", "dict", "set", "deque", "bytearray", "Counter", "OrderedDict", "defaultdict")


class Candidate:
    """Serves the grader; `world` is the globals of the answer's code."""

    def __init__(self) -> None:
        self.world: dict[str, Any] = {"__name__": "answer"}
        self._objects: list[Any] = []

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the reply to a request of the grader."""
        try:
            return self._answer(request)
        except BaseException as error:  # noqa: BLE001  (whatever the answer raised is its result)
            names = [kind.__name__ for kind in type(error).__mro__]
            try:
                text = str(error)
            except BaseException:  # noqa: BLE001  (its __str__ is the answer's code too)
                text = ""
            return {"raised": names, "text": text[:1000]}

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["op"] == "load":
            for source in request["sources"]:
                exec(compile(source, "<answer>", "exec", dont_inherit=True), self.world)
            return {"value": None}
        if request["op"] == "global":
            return {"value": encode(self.world[request["name"]], self._number)}
        args = [decode(code, self._objects.__getitem__) for code in request["args"]]
        named = {
            name: decode(code, self._objects.__getitem__) for name, code in request["named"].items()
        }
        found = OPERATIONS[request["op"]](*args, **named)
        value = encode(found, self._number)
        return {"value": value, "changed": self._changed(request["args"], args)}

    def _changed(self, before: list[Code], args: list[Any]) -> dict[int, Code]:
        """Return the arguments that the call changed in place, by position."""
        changed = {}
        for place, (code, value) in enumerate(zip(before, args, strict=True)):
            if isinstance(code, list) and code[0] in MUTABLE:
                now = encode(value, self._number)
                if now != code:
                    changed[place] = now
        return changed

    def _number(self, value: Any) -> int:
        """Return the number of something that is not data."""
        self._objects.append(value)
        return len(self._objects) - 1


def serve(requests: int, replies: int) -> NoReturn:
    """Answer requests until the grader closes `requests`."""
    candidate = Candidate()
    _send(replies, {"ready": True})
    while True:
        size = int.from_bytes(_exactly(requests, LENGTH_BYTES), "big")
        _send(replies, candidate.answer(marshal.loads(_exactly(requests, size))))


def _as_json() -> Callable[[Any], str]:
    """Do json.dumps without the module, which takes longer to import than all else here."""
    try:
        from _json import encode_basestring_ascii, make_encoder
    except ImportError:
        from json import dumps

        return dumps
    parts = make_encoder(None, repr, encode_basestring_ascii, None, ":", ",", False, False, True)
    return lambda message: "".join(parts(message, 0))


_dumps = _as_json()


def _send(descriptor: int, message: dict[str, Any]) -> None:
    data = memoryview(packed(_dumps(message).encode()))
    while data:
        data = data[_write(descriptor, data) :]


def _exactly(descriptor: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = _read(descriptor, size - len(data))
        if not more:
            _exit(0)
        data += more
    return data
