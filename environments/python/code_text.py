"""Find the code in the text that an agent gives to a tool that takes Python."""

import ast
import re
import warnings

from environments.fences import unwrap

_LIKE_PYTHON = re.compile(
    r"^\s*(?:(?:async\s+)?def |class \w|import \w|from [\w.]+ import|return\b|raise\b|yield\b"
    r"|pass\b|(?:for|while|if|with|try|elif|else|except)\b.*:|@\w|print\("
    r"|[\w.\[\]'\", ]+\s*[-+*/]?=[^=]|[\w.]+\(.*\)\s*$)",
    re.MULTILINE,
)
_FENCE = re.compile(r"^[ \t]*(?:`{3,}|~{3,})", re.MULTILINE)


def is_code(text: str, before: str = "") -> bool:
    """Return whether Python can parse `text`, alone or after `before`."""
    return _parses(text) or bool(before) and _parses(before + text)


def code_in(text: str, before: str = "") -> str:
    """Return the code in `text`, without Markdown around it.

    Args:
        text: what the agent gave.
        before: the beginning of a program that the code may complete.
    """
    return unwrap(text, lambda code: is_code(code, before))


def is_no_code(text: str, before: str = "") -> bool:
    """Return whether `text` is no Python at all: nothing, or prose. A slip in code is code."""
    if not text.strip():
        return True
    return not is_code(text, before) and _LIKE_PYTHON.search(text) is None


def value_in(text: str) -> str:
    """Return the value in `text`, without the fence or the backticks around it."""
    stripped = text.strip()
    if stripped[:1] not in ("`", "~"):
        return text
    return unwrap(
        text,
        lambda inside: bool(inside.strip()) and _FENCE.search(inside) is None and "`" not in inside,
    )


def _parses(code: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes such as \\d in the agent's strings
            ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
