"""Which calls of tools are valid, and whether their share falls."""

import json
from typing import Any

import pytest

from engine.chat.call_rates import WINDOW, CallRates

PATH = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
FETCH = {"$ref": "http://127.0.0.1:9/schema.json"}
SLOW = {"properties": {"path": {"pattern": "^(a+)+$"}}}


def offered(schema: Any) -> list[dict[str, Any]]:
    return [{"type": "function", "function": {"name": "read", "parameters": schema}}]


def calling(arguments: Any, name: str = "read") -> dict[str, Any]:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"content": None, "tool_calls": [{"function": {"name": name, "arguments": text}}]}


@pytest.mark.parametrize(
    ("schema", "message", "kind"),
    [
        (PATH, calling({"path": "a"}), "valid"),
        (PATH, calling({"path": 1}), "bad_arguments"),
        (PATH, calling({}), "bad_arguments"),
        (PATH, calling("{"), "malformed"),
        (PATH, calling([1]), "malformed"),
        (PATH, calling('{"path": ' + "[" * 990 + "]" * 990 + "}"), "malformed"),
        (PATH, calling({"path": "a"}, "write"), "unknown_tool"),
        (PATH, {"content": "<tool_call>{"}, "malformed"),
        (PATH, {"content": "I am done."}, "no_call"),
        (None, calling({"any": 1}), "valid"),
        ({"type": 5}, calling({"any": 1}), "valid"),  # no schema
        (FETCH, calling({"any": 1}), "valid"),
        (SLOW, calling({"path": "a" * 50 + "b"}), "valid"),
    ],
)
def test_what_is_wrong_with_a_call(schema: Any, message: dict[str, Any], kind: str) -> None:
    rates = CallRates()
    rates.see(offered(schema), [message])
    rates.see([], [message])  # without tools, nothing is known
    assert dict(rates.found) == {kind: 1}


def test_drift_compares_the_last_calls_with_the_first() -> None:
    rates, tools = CallRates(), offered(PATH)
    rates.see(tools, [calling({"path": "a"})] * (2 * WINDOW - 1))
    assert (rates.recent, rates.drift) == (1.0, None)
    rates.see(tools, [calling("{")] * (WINDOW // 4))
    assert (rates.recent, rates.drift) == (0.75, -0.25)
