"""Mend the name of a tool: prefixes, control tokens and decoration that models and servers add.

A name is mended only if exactly one tool results; else it stays, and the environment says that
there is no such tool. Control tokens are removed in any case: they are never part of a name.
"""

import re
from collections.abc import Sequence

from environments.tools import Tool

_CONTROL = re.compile(r"<[|｜].*", re.DOTALL)
_NUMBER = re.compile(r":\d+\Z")
_PREFIX = re.compile(r"\A(?:functions?|tools?|default_api|namespace|api|actions?)[.:/]")
_DECORATION = " \t\n*`\"'<>[](){}.,;:"
_ANSWERS = frozenset({"answer", "finalanswer", "finish", "submit", "submitanswer"})


def mend(name: str, tools: Sequence[Tool]) -> str:
    """Return the name of the tool in `tools` that `name` means; else `name`."""
    if not tools or any(tool.name == name for tool in tools):
        return name
    bare = _bare(name)
    for same in (str, _folded):
        found = [tool.name for tool in tools if same(tool.name) == same(bare)]
        if len(found) == 1:
            return found[0]
    return _CONTROL.sub("", name).strip() or name


def tool_named(name: str, tools: Sequence[Tool]) -> Tool | None:
    """Return the tool that `name`, mended, names; None if there is none."""
    mended = mend(name, tools)
    return next((tool for tool in tools if tool.name == mended), None)


def answer_tool(tools: Sequence[Tool]) -> Tool | None:
    """Return the tool that takes the final answer; None if there is none, or more than one."""
    found = [tool for tool in tools if _folded(tool.name) in _ANSWERS]
    return found[0] if len(found) == 1 else None


def is_answer(name: str) -> bool:
    """Return whether `name` is one that models give the tool for the final answer."""
    return _folded(_bare(name)) in _ANSWERS


def _bare(name: str) -> str:
    bare = _CONTROL.sub("", name).strip(_DECORATION)
    bare = _NUMBER.sub("", _PREFIX.sub("", bare)).strip(_DECORATION)
    return _PREFIX.sub("", bare)


def _folded(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).casefold()
