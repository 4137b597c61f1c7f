"""Observations in another format: JSON, tags, or quoted lines. Nothing is lost or added.

A table (lines of cells between bars, with a header) becomes columns and rows, and a text that is
JSON stays JSON, if the text can be written again from it.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from engine.templates.reading.json_text import NotJson, read_json

_ERROR = "error: "
_BAR = " | "


def as_json(text: str, failed: bool) -> str:
    """Return an observation as a JSON object."""
    content = {"status": "failed", "reason": text} if failed else _content(text)
    return json.dumps(content, ensure_ascii=False)


def as_tags(text: str, failed: bool) -> str:
    """Return an observation between tags."""
    tag = "failure" if failed else "result"
    return f"<{tag}>\n{text}\n</{tag}>"


def as_lines(text: str, failed: bool) -> str:
    """Return an observation as quoted lines below a heading."""
    heading = "The call did not work. The reason:" if failed else "This came back:"
    return "\n".join([heading, *(f"> {line}" for line in text.split("\n"))])


STYLES: Mapping[str, Callable[[str, bool], str]] = {
    "json": as_json,
    "tags": as_tags,
    "lines": as_lines,
}


def restyled(style: str, text: str, failed: bool) -> str:
    """Return an observation in a style of `STYLES`; an error loses its "error: "."""
    return STYLES[style](text.removeprefix(_ERROR) if failed else text, failed)


def _content(text: str) -> dict[str, Any]:
    """Return an observation as the value that it shows; {"text": ...} if it shows none."""
    try:
        value = read_json(text).value if text[:1] in ("{", "[") else None
    except NotJson:
        value = None
    if value is not None and text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        return {"result": value}
    header, *lines = text.split("\n")
    columns, rows = header.split(_BAR), [line.split(_BAR) for line in lines]
    note = rows.pop()[0] if rows and len(rows[-1]) == 1 else None
    if len(columns) > 1 and rows and all(len(row) == len(columns) for row in rows):
        return {"columns": columns, "rows": rows} | ({} if note is None else {"note": note})
    return {"text": text}
