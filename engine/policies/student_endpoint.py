"""The server of the student that acts first (`--student MODEL@URL`).

Its key is STUDENT_API_KEY (SWIFT_API_KEY in version 0.1); the teacher's key is never sent there.
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

KEY, OLD_KEY = "STUDENT_API_KEY", "SWIFT_API_KEY"
RETRIES = Retries(attempts=3, seconds=120.0)
"""Fewer than the teacher's, because the teacher can act instead."""

_FORM = re.compile(r"(?P<model>\S.*?)@(?P<url>https?://\S+)")
_TIMEOUT = 120.0  # seconds for one attempt


@dataclass(frozen=True, slots=True)
class StudentEndpoint:
    """A model, and the address of its server, which may hold a user and a password."""

    model: str
    base_url: str

    @classmethod
    def named(cls, spec: str) -> "StudentEndpoint":
        """Return the endpoint that MODEL@URL names.

        Raises:
            UsageError: `spec` has another form.
        """
        found = _FORM.fullmatch(spec)
        if found is None:
            raise UsageError("--student must look like my-student@http://127.0.0.1:8000/v1")
        return cls(found["model"], found["url"])

    @property
    def public(self) -> str:
        """MODEL@URL without user and password, which may be shown and kept.

        Raises:
            PolicyError: The URL is not valid.
        """
        return f"{self.model}@{split_password(self.base_url)[0]}"

    def spec(self, price: Price | None = None) -> EndpointSpec:
        """Return how to reach the server."""
        variable = KEY if os.environ.get(KEY) or not os.environ.get(OLD_KEY) else OLD_KEY
        key = os.environ.get(variable, "").strip()
        return EndpointSpec(self.base_url, key, price, RETRIES, _TIMEOUT, key_variable=variable)


def extra(threshold: float) -> dict[str, Any]:
    """Return the parameters that only the student's requests have."""
    return {"logprobs": True} if threshold > -inf else {}
