"""Calls of the gold answers: Python text, which is parsed and never evaluated."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from environments.tools import Tool


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function; some gold answers give arguments by position."""

    name: str
    positional: tuple[Any, ...]
    named: Mapping[str, Any]

    def arguments(self, tool: Tool) -> dict[str, Any]:
        """Return all arguments by name, in the order in which `tool` declares them."""
        return dict(zip(tool.parameters["properties"], self.positional, strict=False)) | dict(
            self.named
        )


def parse(text: str) -> Call:
    """Read a call whose arguments are literals; raise `ValueError` if `text` is something else."""
    try:
        node = ast.parse(text.strip(), mode="eval").body
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            raise ValueError
        named = {str(each.arg): ast.literal_eval(each.value) for each in node.keywords}
        if any(each.arg is None for each in node.keywords):  # **arguments
            raise ValueError
        return Call(node.func.id, tuple(map(ast.literal_eval, node.args)), named)
    except (ValueError, SyntaxError, TypeError):
        raise ValueError(f"not a call with literal arguments: {text[:80]!r}") from None


def parse_turns(turns: Sequence[Sequence[str]]) -> list[list[Call]]:
    """Read the gold answer of a task: the calls of each turn; see `parse`."""
    return [[parse(text) for text in turn] for turn in turns]
