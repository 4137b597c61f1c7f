"""The student that acts first (`--student MODEL@URL`): where it is, and what is asked of it.

It has a server of its own, and a key of its own, SWIFT_API_KEY: the teacher's is never sent there.
"""

import os
import re
from dataclasses import dataclass
from math import inf
from typing import Any

from engine.chat.address import split_password
from engine.chat.open import EndpointSpec
from engine.chat.prices import Price
from engine.chat.retry import Retries
from engine.errors import UsageError

KEY = "SWIFT_API_KEY"
RETRIES = Retries(attempts=3, seconds=120.0)
"""Few: there is a teacher to ask instead."""

_FORM = re.compile(r"(?P<model>\S.*?)@(?P<url>https?://\S+)")
_TIMEOUT = 120.0  # seconds for one attempt


@dataclass(frozen=True, slots=True)
class StudentEndpoint:
    """model: its name at the server.   base_url: the server; may hold a user and a password."""

    model: str
    base_url: str

    @classmethod
    def named(cls, spec: str) -> "StudentEndpoint":
        """From MODEL@URL.

        Raises:
            UsageError
        """
        found = _FORM.fullmatch(spec)
        if found is None:
            raise UsageError("--student must look like my-student@http://127.0.0.1:8000/v1")
        return cls(found["model"], found["url"])

    @property
    def public(self) -> str:
        """MODEL@URL without user and password: what may be shown and kept.

        Raises:
            PolicyError: the URL is none.
        """
        return f"{self.model}@{split_password(self.base_url)[0]}"

    def spec(self, price: Price | None = None) -> EndpointSpec:
        """Return how to reach the server; the key is in SWIFT_API_KEY."""
        key = os.environ.get(KEY, "").strip()
        return EndpointSpec(self.base_url, key, price, RETRIES, _TIMEOUT)


def extra(threshold: float) -> dict[str, Any]:
    """Parameters that the student's requests have and the teacher's have not."""
    return {"logprobs": True} if threshold > -inf else {}
