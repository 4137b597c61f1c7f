"""What the tests of both editors of databases ask."""

from typing import Any

from environments.sql.editing import Editor


def error(editor: Editor, sql: str) -> str:
    """Kind and message of what is wrong; "" if it ran."""
    found = editor.run(sql, max_rows=5, max_cell=20).result.error
    return f"{found.kind}: {found.message}" if found else ""


def rows(editor: Editor, sql: str) -> list[tuple[Any, ...]]:
    found = editor.run(sql, max_rows=20, max_cell=60).result
    assert found.error is None, found.error
    return list(found.rows)
