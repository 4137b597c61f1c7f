"""Find the statement in the text that an agent gives to a SQL tool."""

import re

from environments.fences import unwrap

_STATEMENT = re.compile(
    r"(?:\s|\(|;|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*"
    r"(?:(?:SELECT|VALUES|EXPLAIN|PRAGMA|INSERT|UPDATE|DELETE|REPLACE|MERGE|CREATE|DROP|ALTER"
    r"|TRUNCATE)\b"
    r"|WITH\s+(?:RECURSIVE\s+)?\S.*?\bAS\b)",
    re.IGNORECASE | re.DOTALL,
)
_OPEN_END = re.compile(r"\n[ \t]*(?:`{3,}|~{3,})\s*\Z")
_INLINE = re.compile(r"`([^`]+)`")


def is_statement(text: str) -> bool:
    """Return whether `text` begins like a statement, after comments, and ends without a fence."""
    return _STATEMENT.match(text) is not None and _OPEN_END.search(text) is None


def statement_in(text: str) -> str:
    """Return the statement in `text`, without Markdown around it."""
    found = unwrap(text, is_statement)
    if is_statement(found):
        return found
    return next(filter(is_statement, _INLINE.findall(found)), found)
