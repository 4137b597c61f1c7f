"""Values of records: what is absent drops the row, what has the wrong type refuses the file."""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

from trainer.data.records import parse
from trainer.errors import RowError, WrongValue

Row = dict[str, Any]
"""A row in our form, as `engine export` writes it."""

WEIGHTS = ("weight", "loss", "loss_weight", "train")
"""Keys of a turn that say its loss weight, or whether it is trained at all."""


def text(value: Any, what: str) -> str:
    """Return a text.

    Raises:
        RowError: There is none.
        WrongValue: It is something else.
    """
    if value is None:
        raise RowError(f"{what} is missing")
    if not isinstance(value, str):
        raise WrongValue(f"{what} must be text, not {kind(value)}")
    return value


def optional_text(value: Any, what: str) -> str:
    """Return a text, "" where there is none.

    Raises:
        WrongValue: It is something else.
    """
    return "" if value is None else text(value, what)


def listed(value: Any, what: str) -> list[Any]:
    """Return a list, which may be written as JSON text; [] where there is none.

    Raises:
        WrongValue: It is something else.
    """
    value = decoded(value, what)
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise WrongValue(f"{what} must be a list, not {kind(value)}")
    return list(value)


def decoded(value: Any, what: str) -> Any:
    """Return `value`; if it is text, what it holds as JSON, and None if it is blank.

    Raises:
        WrongValue: The text is not JSON.
    """
    if not isinstance(value, str):
        return value
    try:
        return parse(value.strip()) if value.strip() else None
    except ValueError as error:
        raise WrongValue(f"{what} is text that is not JSON ({error})") from error


def tools(value: Any) -> list[dict[str, Any]]:
    """Return tool definitions in OpenAI's format, of a column that may be JSON text.

    Raises:
        WrongValue: It is no list of tools.
    """
    return [_tool(decoded(tool, "a tool")) for tool in listed(value, "tools")]


def weight(turn: Mapping[str, Any]) -> float | None:
    """Return the loss weight of a turn, which several keys may say; None if none does.

    Raises:
        WrongValue: A weight is no number or below 0; or what says only whether the turn is trained
            is neither true nor false.
    """
    for key in WEIGHTS:
        value = turn.get(key)
        if value is None:
            continue
        if key in ("loss", "train"):
            if not isinstance(value, int | float) or value not in (0, 1):
                raise WrongValue(f"a message's {key} must be true or false")
            return int(value)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise WrongValue(f"a message's {key} must be a number, not {kind(value)}")
        if not (isfinite(value) and value >= 0):
            raise WrongValue(
                f"a message's {key} must be 0 (context only) or a number above 0, not {value}"
            )
        return value
    return None


def check_unweighted(messages: Iterable[Mapping[str, Any]]) -> None:
    """Require that each message counts either fully or not at all, as in DPO and KTO.

    Raises:
        WrongValue: A weight is neither 0 nor 1.
    """
    for message in messages:
        if message.get("weight") not in (None, 0, 1):
            raise WrongValue(
                f"a message's weight must be 0 or 1 in DPO and KTO, not {message['weight']}: only "
                "trainer sft weighs messages"
            )


def label(value: Any) -> bool:
    """Return whether a completion is good, as TRL's label says.

    Raises:
        RowError: There is no label.
        WrongValue: It is no truth value.
    """
    if value is None:
        raise RowError("label is missing")
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, int | float) or value not in (0, 1):
        raise WrongValue(f"label must be true or false, not {kind(value)}")
    return bool(value)


def origin(record: Mapping[str, Any]) -> Row:
    """Return what a record says of where it comes from."""
    columns = ("id", "env", "source", "split", "group", "reward", "completion_token_ids")
    return {column: record[column] for column in columns if record.get(column) is not None}


def kind(value: Any) -> str:
    """Return what kind of JSON value `value` is, in words."""
    if isinstance(value, bool):
        return "a truth value"
    kinds = {int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return kinds.get(type(value), "null" if value is None else type(value).__name__)


def _tool(tool: Any) -> dict[str, Any]:
    if not isinstance(tool, dict):
        raise WrongValue(f"a tool must be an object, not {kind(tool)}")
    function = tool.get("function", tool)
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise WrongValue("a tool must have a name")
    if "function" in tool:
        return tool
    function = {key: value for key, value in tool.items() if key != "type"}
    parameters = function.get("parameters")
    if isinstance(parameters, dict) and not {"type", "properties"} & parameters.keys():
        # xLAM lists the properties only.
        function["parameters"] = {"type": "object", "properties": parameters}
    return {"type": "function", "function": function}
