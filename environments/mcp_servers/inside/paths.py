"""The work folder by two names: the agent's, which is always the same, and the sandbox's."""

import re
from typing import Any, TypeVar

WORK = "/work"
"""The work folder, as the agent sees it in every sandbox; `{work}` in task files."""
T = TypeVar("T")
_WORK = re.compile(rf"(?<![\w./~-]){re.escape(WORK)}(?![\w.-])")


def shown(value: T, work: str) -> T:
    """Return the agent's text, or JSON, with the sandbox's name of the folder."""
    found: T = _mapped(value, lambda text: _WORK.sub(lambda _: work, text))
    return found


def hidden(value: T, work: str) -> T:
    """Return a server's text, or JSON, with the agent's name of the folder."""
    found: T = _mapped(value, lambda text: text.replace(work, WORK))
    return found


def _mapped(value: Any, change: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _mapped(each, change) for key, each in value.items()}
    if isinstance(value, list):
        return [_mapped(each, change) for each in value]
    return value
