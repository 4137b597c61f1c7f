"""The types of a request's fields, as OpenAI documents them; other fields may hold anything."""

from collections.abc import Mapping
from typing import Any

import jsonschema


class WrongRequest(Exception):
    """A request that cannot be answered, in words for its sender.

    Args:
        words: What is wrong, and what to do.
        param: The field that is wrong.
    """

    def __init__(self, words: str, param: str = "") -> None:
        super().__init__(words)
        self.param = param


Json = dict[str, Any]
_TEXT: Json = {"type": "string"}
_MAYBE_TEXT: Json = {"type": ["string", "null"]}
_OBJECT: Json = {"type": ["object", "null"]}
_FLAG: Json = {"type": ["boolean", "null"]}
_NUMBER: Json = {"type": ["number", "null"]}
_INTEGER: Json = {"type": ["integer", "null"]}


def _object(*required: str, kind: Any = "object", **properties: Json) -> Json:
    return {"type": kind, "properties": properties, "required": list(required)}


def _maybe(*required: str, **properties: Json) -> Json:
    return _object(*required, kind=["object", "null"], **properties)


def _list(items: Json, *others: str) -> Json:
    return {"type": ["array", *others], "items": items}


def _if(kind: Json, then: Json) -> Json:
    """Return what `then` says of an object whose `type` is `kind`."""
    return {"if": {"properties": {"type": kind}, "required": ["type"]}, "then": then}


_FUNCTION = _object("name", name=_TEXT, description=_MAYBE_TEXT, parameters=_OBJECT)
_CALL = _object("function", function=_object("name", "arguments", name=_TEXT, arguments=_TEXT))
_CALL["properties"]["id"] = _MAYBE_TEXT
_PART = _object("type", type=_TEXT) | _if({"const": "text"}, _object("text", text=_TEXT))
_NAMED = _object("name", name=_TEXT)
_SAMPLING: Json = {
    **dict.fromkeys(("temperature", "top_p", "presence_penalty", "frequency_penalty"), _NUMBER),
    **dict.fromkeys(("seed", "top_logprobs", "n", "max_tokens"), _INTEGER),
    **dict.fromkeys(("max_completion_tokens", "max_output_tokens"), _INTEGER),
    **dict.fromkeys(("stream", "logprobs", "parallel_tool_calls", "store", "background"), _FLAG),
    **dict.fromkeys(("user", "service_tier", "reasoning_effort"), _MAYBE_TEXT),
    **dict.fromkeys(("metadata", "logit_bias"), _OBJECT),
    "model": {"type": "string", "minLength": 1},
    "stop": _list(_TEXT, "string", "null"),
    "stream_options": _maybe(include_usage=_FLAG),
}
CHAT = jsonschema.Draft202012Validator(
    _object(
        *("model", "messages"),
        **_SAMPLING,
        messages={
            "type": "array",
            "minItems": 1,
            "items": _object(
                "role",
                role=_TEXT,
                content=_list(_PART, "string", "null"),
                tool_calls=_list(_CALL, "null"),
                tool_call_id=_MAYBE_TEXT,
            ),
        },
        tools=_list(
            _object("type", type=_TEXT, function=_FUNCTION)
            | _if({"const": "function"}, {"required": ["function"]}),
            "null",
        ),
        tool_choice=_object(kind=["string", "object", "null"], type=_TEXT, function=_NAMED),
        response_format=_maybe("type", type=_TEXT),
    )
)
_PARTS = _list(
    {
        **_object("type", type=_TEXT),
        "allOf": [
            _if({"enum": ["input_text", "output_text", "text"]}, _object("text", text=_TEXT)),
            _if({"const": "input_image"}, _object("image_url", image_url=_TEXT)),
        ],
    },
    "string",
)
_ITEM = {
    **_object(type=_MAYBE_TEXT),
    "allOf": [
        _if({"const": "function_call"},
            _object("call_id", "name", "arguments", call_id=_TEXT, name=_TEXT, arguments=_TEXT)),
        _if({"const": "function_call_output"},
            _object("call_id", "output", call_id=_TEXT, output=_PARTS)),
        {"if": {"properties": {"type": {"enum": ["message", "", None]}}},
         "then": _object("role", "content", role=_TEXT, content=_PARTS)},
    ],
}  # fmt: skip
RESPONSES = jsonschema.Draft202012Validator(
    _object(
        *("model", "input"),
        **_SAMPLING,
        input=_list(_ITEM, "string"),
        instructions=_MAYBE_TEXT,
        tools=_list(_object("type", type=_TEXT) | _if({"const": "function"}, _FUNCTION), "null"),
        tool_choice=_object(kind=["string", "object", "null"], type=_TEXT, name=_TEXT),
        include=_list(_TEXT, "null"),
        reasoning=_maybe(effort=_MAYBE_TEXT),
        text=_maybe(format=_maybe("type", type=_TEXT)),
    )
)


def check(form: jsonschema.Draft202012Validator, given: Mapping[str, Any]) -> None:
    """Check the types of a request's fields.

    Raises:
        WrongRequest: One is wrong; the first is named.
    """
    wrong = next(form.iter_errors(given), None)
    if wrong is None:
        return
    field = wrong.json_path.removeprefix("$").removeprefix(".")
    if wrong.validator == "required":
        missing = next(name for name in wrong.validator_value if name not in wrong.instance)
        field = f"{field}.{missing}".removeprefix(".")
        raise WrongRequest(f"{field} is missing", field)
    found = f"{wrong.instance!r:.40}"
    raise WrongRequest(f"{field} must be {_expected(wrong)}, not {found}", field)


def _expected(wrong: jsonschema.ValidationError) -> str:
    wanted: Any = wrong.validator_value
    if wrong.validator != "type":
        return "more than nothing"
    kinds = [wanted] if isinstance(wanted, str) else wanted
    return " or ".join(_KINDS.get(one, one) for one in kinds)


_KINDS = {
    "object": "an object",
    "array": "a list",
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
}
