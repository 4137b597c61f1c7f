"""Read calls in the syntax of Python: `look(at="x", limit=5)`, and lists `k=v, k=v`.

Values are literals. Words without quotes are texts, where they can be nothing else.
"""

import ast
import re
import warnings
from dataclasses import dataclass, field
from typing import Any

_CALL = re.compile(
    r"(?P<name>[A-Za-z_][\w.-]*)\s*(?P<bracket>[(\[])(?P<inside>.*)[)\]]\s*\Z", re.DOTALL
)
_PAIR = re.compile(
    r"\s*(?P<key>[A-Za-z_]\w*)\s*[=:]\s*(?P<value>\"[^\"]*\"|'[^']*'|[^,\n]*)\s*(?:,|\n|\Z)"
)
_PRINT = re.compile(
    r"\A(?:print\((?P<inside>.*)\)|(?:\w+\s*=\s*)(?P<value>[A-Za-z_].*))\Z", re.DOTALL
)
_WORDS = {"true": True, "false": False, "null": None}
LONGEST = 200_000
"""Maximum characters that are parsed as Python."""


class NotACall(ValueError):
    """The text is no call in this syntax."""


@dataclass(frozen=True, slots=True)
class Given:
    """The arguments of a call as they stand between its brackets."""

    positional: tuple[Any, ...] = ()
    named: dict[str, Any] = field(default_factory=dict)


def read_call(text: str) -> tuple[str, Given]:
    """Return name and arguments of the call that `text` is.

    `print(...)` around it and an assignment before it are left out. `name[text]` is a call, too.

    Raises:
        NotACall: it is none.
    """
    text = text.strip().rstrip(";")
    if around := _PRINT.match(text):
        text = (around["inside"] or around["value"]).strip()
    found = _CALL.match(text)
    if found is None:
        raise NotACall(text)
    inside = found["inside"]
    if found["bracket"] == "[":
        return found["name"], Given((_text(inside),))
    return found["name"], read_arguments(inside)


def first_of_list(text: str) -> str:
    """Return the first item of the Python list that `text` is; another text as it is."""
    text = text.strip()
    if not text.startswith("[") or len(text) > LONGEST:
        return text
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text
    if not isinstance(found, ast.List) or not found.elts:
        return text
    return ast.get_source_segment(text, found.elts[0]) or text


def read_arguments(text: str) -> Given:
    """Return the arguments that stand between the brackets of a call, or alone.

    Raises:
        NotACall: they cannot be read.
    """
    text = text.strip()
    try:
        return _parsed(text)
    except NotACall:
        pairs = list(_PAIR.finditer(text))
        if pairs and sum(len(pair[0]) for pair in pairs) == len(text):
            return Given(named={pair["key"]: _text(pair["value"]) for pair in pairs})
        if "=" in text.split('"')[0].split("'")[0]:
            raise
        return Given((_text(text),))


def _parsed(text: str) -> Given:
    if len(text) > LONGEST:
        raise NotACall("too long")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes such as \\d in the model's text
            call = ast.parse(f"_({text})", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NotACall(str(error)) from None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise NotACall(text)
    named = {keyword.arg: _value(keyword.value) for keyword in call.keywords if keyword.arg}
    if len(named) != len(call.keywords):
        raise NotACall("it holds **")
    return Given(tuple(map(_value, call.args)), named)


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Name) and node.id in _WORDS:
        return _WORDS[node.id]
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError, MemoryError) as error:
        raise NotACall(str(error)) from None


def _text(text: str) -> str:
    """Return a text without the quotes around it."""
    text = text.strip()
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`"
    return text[1:-1] if quoted else text
