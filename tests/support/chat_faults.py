"""What `ChatServer` does to a request instead of answering it, and a seeded plan of that."""

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from random import Random
from typing import Any, Literal

Json = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """What befalls one request instead of an answer ("slow": before it)."""

    kind: Literal["status", "hang", "half", "text", "reset", "slow"]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    seconds: float = 3600.0


def status(code: int, /, *, after: float | str | None = None, **error: str) -> Fault:
    """An error as OpenAI words it; `after` is its Retry-After (seconds, or an HTTP date)."""
    words = {"message": f"fault {code}", "type": "fault", "code": "fault", **error}
    headers = {} if after is None else {"Retry-After": str(after)}
    return Fault("status", code, headers, json.dumps({"error": words}))


HALF = Fault("half")
"""Half of a good answer, then the end of the connection."""
RESET = Fault("reset")
"""No answer: the connection is reset."""
NOT_JSON = Fault("text", body="<html>gateway</html>")
EMPTY_CHOICES = Fault("text", body='{"choices": [], "usage": {"prompt_tokens": 1}}')


def hang(seconds: float = 3600.0) -> Fault:
    """No answer for `seconds`, then the end of the connection."""
    return Fault("hang", seconds=seconds)


def slow(seconds: float) -> Fault:
    """A good answer, `seconds` late."""
    return Fault("slow", seconds=seconds)


def text(body: Any) -> Fault:
    """Anything in the clothes of a good answer."""
    return Fault("text", body=body if isinstance(body, str) else json.dumps(body))


def passing() -> list[Fault]:
    """One of each fault that a request asked again may get past; time-outs in the end.

    Waits are short: the server asks for none of more than 0.05 s. A date has whole seconds only, so
    it is one that has come.
    """
    broken_call = {"message": {"content": "", "tool_calls": ["go"]}}
    return [
        status(429),
        status(429, after=0.05),
        status(429, after=formatdate(time.time(), usegmt=True)),
        *(status(code) for code in (408, 409, 500, 502, 503, 504, 529)),
        HALF,
        RESET,
        NOT_JSON,
        EMPTY_CHOICES,
        text([1]),
        text({"choices": [1]}),
        text({"choices": [broken_call]}),
        slow(0.001),
        slow(0.05),
        hang(0.01),
        hang(),
    ]


@dataclass
class Plan:
    """Which fault befalls a request: `rate` of the attempts fail, at most `longest` in a row.

    It is drawn from the request's body: the same faults befall the same requests, in whatever
    order they come.

    seen: attempts at each request.   dealt: how often each kind of fault was.
    """

    seed: int
    faults: Sequence[Fault]
    rate: float = 0.5
    longest: int = 3
    seen: Counter[str] = field(default_factory=Counter)
    dealt: Counter[str] = field(default_factory=Counter)

    def __call__(self, request: Json) -> Fault | None:
        body = json.dumps(request, sort_keys=True)
        attempt = self.seen[body]
        self.seen[body] += 1
        draw = Random(f"{self.seed} {attempt} {body}")
        if attempt >= self.longest or draw.random() >= self.rate:
            return None
        fault = draw.choice(self.faults)
        self.dealt[f"{fault.kind} {fault.status}"] += 1
        return fault
