"""Rows as text for a language model: aligned, bounded, and few tokens."""

from collections.abc import Sequence

from environments.bounds import cut, joined
from environments.sql.names import shown_name
from sandbox import QueryResult

MAX_LINE = 800
MAX_TEXT = 4000
"""Maximum characters of a line, and of all lines of a table."""

Cell = None | int | float | str


def cell_text(value: Cell) -> str:
    """Return a cell on one line; text that looks like NULL or like nothing is quoted."""
    if value is None:
        return "NULL"
    if isinstance(value, str):
        if value in ("", "NULL"):
            return f"'{value}'"
        return value.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")
    return str(value)


def table_text(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> tuple[str, int]:
    """Return aligned lines, column names first, and their number of rows (see MAX_TEXT)."""
    grid = [[cell_text(name) for name in columns]]
    grid += [[cell_text(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
    lines: list[str] = []
    room = MAX_TEXT
    for cells in grid:
        line = " | ".join(map(str.ljust, cells, widths)).rstrip()
        if len(line) > MAX_LINE:
            line = line[:MAX_LINE] + "..."
        room -= len(line) + 1
        if lines and room < 0:
            break
        lines.append(line)
    return "\n".join(lines), len(lines) - 1


def result_text(result: QueryResult) -> str:
    """Return what `run_sql` shows of a result without an error."""
    table, shown = table_text(result.columns, result.rows)
    least = "at least " if result.more else ""
    rows = "row" if result.total == 1 else "rows"
    if result.total == 0:
        return f"{table}\n(no rows)"
    if shown == result.total:
        return f"{table}\n({result.total} {rows})"
    return f"{table}\n({least}{result.total} {rows}, the first {shown} shown)"


def described(table: str, columns: Sequence[str], sample: str, most: int | None = None) -> str:
    """Return the description of a table: a line for each column, then some rows.

    Args:
        table: its name.
        columns: a line about each.
        sample: rows, or why there are none.
        most: characters at most; None for no bound.
    """
    head, lines = f"table {shown_name(table)}:", [f"  {line}" for line in columns]
    if most is None:
        return "\n".join([head, *lines, sample])
    sample = cut(sample, most // 2)
    room = most - len(head) - len(sample) - 4
    return "\n".join([head, joined(lines, room, "column"), sample])


def tables_text(names: Sequence[str], most: int) -> str:
    """Return the names of tables, as `list_tables` shows them, in `most` characters at most."""
    if not names:
        return "none"
    return joined([shown_name(name) for name in names], most, "table", ", ")
