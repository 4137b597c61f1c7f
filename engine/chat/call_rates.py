"""How many of a model's calls of tools are valid: a model that drifts shows it there first.

It is known where a request has `tools`: calls that a prompt template writes as text are not seen.
"""

import json
import re
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import jsonschema

from engine.prometheus import Page
from environments.tools import Tool, violation
from environments.types import Action

WINDOW = 100
"""Calls whose rate is compared: the first ones, and the last ones."""
VALID, NO_CALL = "valid", "no_call"
_UNCHECKED = re.compile(r'"(\$ref|\$dynamicRef|pattern\w*)":')
"""A client's schema with these may fetch a page or take for ever: the arguments are not checked."""


class CallRates:
    """Counts calls by what is wrong with them.

    Attributes:
        found: Calls that are "valid", "malformed" (no JSON object), of an "unknown_tool" or with
            "bad_arguments"; and "no_call", replies without one.
    """

    def __init__(self) -> None:
        self.found: Counter[str] = Counter()
        self._first: list[bool] = []
        self._last: deque[bool] = deque(maxlen=WINDOW)

    def see(
        self, tools: Sequence[Mapping[str, Any]], messages: Iterable[Mapping[str, Any]]
    ) -> None:
        """Count the calls in replies to a request that offers `tools`; without tools, nothing."""
        if not tools:
            return
        offered = [_tool(json.dumps(one["function"])) for one in tools if "function" in one]
        for message in messages:
            for kind in _kinds(message, offered):
                self.found[kind] += 1
                if kind != NO_CALL:
                    self._note(kind == VALID)

    def _note(self, valid: bool) -> None:
        if len(self._first) < WINDOW:
            self._first.append(valid)
        self._last.append(valid)

    @property
    def calls(self) -> int:
        """All calls."""
        return self.found.total() - self.found[NO_CALL]

    @property
    def recent(self) -> float | None:
        """The share of valid ones among the last calls; None without a call."""
        return sum(self._last) / len(self._last) if self._last else None

    @property
    def drift(self) -> float | None:
        """The share among the last calls less that among the first; None while they overlap."""
        if self.calls < 2 * WINDOW:
            return None
        return (sum(self._last) - sum(self._first)) / WINDOW


def add_to(page: Page, rates: Sequence[tuple[Mapping[str, str], CallRates]]) -> None:
    """Add the figures of calls to a page; the labels say whose they are."""
    page.counter(
        "tool_calls_total",
        "Calls of tools by result; replies without a call are no_call.",
        [
            ({**labels, "result": kind}, number)
            for labels, one in rates
            for kind, number in sorted(one.found.items())
        ],
    )
    page.gauge(
        "valid_call_rate",
        f"Share of valid calls among the last {WINDOW}.",
        [(labels, one.recent) for labels, one in rates if one.recent is not None],
    )
    page.gauge(
        "valid_call_drift",
        f"That share less the share among the first {WINDOW} calls.",
        [(labels, one.drift) for labels, one in rates if one.drift is not None],
    )


def _kinds(message: Mapping[str, Any], tools: Sequence[Tool]) -> list[str]:
    calls = message.get("tool_calls") or []
    if not calls:
        return ["malformed" if "<tool_call>" in (message.get("content") or "") else NO_CALL]
    return [_kind(call["function"], tools) for call in calls]


def _kind(called: Mapping[str, Any], tools: Sequence[Tool]) -> str:
    try:
        given = json.loads(called["arguments"])
        if not isinstance(given, dict):
            return "malformed"
        wrong = violation(Action(called["name"], given), tools)
    except (ValueError, RecursionError):
        return "malformed"
    return wrong.kind if wrong else VALID


@lru_cache(maxsize=1024)
def _tool(function: str) -> Tool:
    """Return a tool of a request; its arguments may be anything if its schema cannot be used."""
    given = json.loads(function)
    schema = given.get("parameters") or {}
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
        checked = not _UNCHECKED.search(function)
    except (jsonschema.SchemaError, RecursionError):
        checked = False
    return Tool(given["name"], "", schema if checked else {})
