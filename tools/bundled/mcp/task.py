"""What all bundled tasks have in common."""

from collections.abc import Sequence
from typing import Any

TEST_THEMES = 1
"""The last theme of each server is for the test split; the others are for training."""


def call(tool: str, thought: str, **arguments: Any) -> dict[str, Any]:
    """Return a call of a solution."""
    return {"tool": tool, "arguments": arguments, "thought": thought}


def wrong(at: int, tool: str, thought: str, **arguments: Any) -> dict[str, Any]:
    """Return a mistake in the place of call number `at`."""
    return {"at": at} | call(tool, thought, **arguments)


def task(
    server: str, theme: str, kind: str, themes: Sequence[str], **fields: Any
) -> dict[str, Any]:
    """Return a task; its group is its theme."""
    split = "test" if theme in themes[-TEST_THEMES:] else "train"
    head = {"id": f"{server}-{theme}-{kind}", "server": server}
    return head | fields | {"group": f"{server}-{theme}", "split": split}
