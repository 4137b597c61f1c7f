"""Messages of the supervisor as the types of `sandbox.protocol`."""

import functools
import hashlib
import json
import os
import signal
from dataclasses import asdict
from typing import Any

from sandbox.program import HOME
from sandbox.protocol import Result, StepLimits


@functools.cache
def encode_limits(limits: StepLimits) -> dict[str, Any]:
    """Return limits as the supervisor reads them."""
    return asdict(limits)


def decode_result(reply: dict[str, Any]) -> Result:
    """Return the result in a supervisor's reply."""
    return Result(
        why=reply["why"],
        output=reply["output"],
        truncated=reply["truncated"],
        value=reply["value"],
        exception=reply["exception"],
        status=status_text(reply["status"]),
        unforkable=tuple(reply["unforkable"]),
        timings=reply["seconds"],
    )


def digest(result: Result, home: str) -> str:
    """Return a hash of what the agent saw, whatever `home` is: it differs between starts."""
    seen = [result.why, result.output, result.truncated, result.value, result.exception]
    text = json.dumps(seen, ensure_ascii=False).replace(home, HOME)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def status_text(status: int | None) -> str:
    """Describe how a process ended, from waitpid's number."""
    if status is None or not 0 <= status <= 0xFFFF:  # a node sends it, and may send anything
        return ""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        known = number in signal.valid_signals()
        return f"signal {number} ({signal.strsignal(number)})" if known else f"signal {number}"
    return f"exit code {os.WEXITSTATUS(status)}"
