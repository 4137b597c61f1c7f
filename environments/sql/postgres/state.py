"""Read a Postgres database: its layout, the description of a table, and the two digests.

Rows are digested by the server: a table is never fetched, so an agent cannot fill our memory.
"""

import hashlib
import json
from typing import TYPE_CHECKING, Any

from environments.sql.editor import Layout, State, Unreadable
from environments.sql.names import shown_name
from environments.sql.postgres.server import driver

if TYPE_CHECKING:
    import psycopg

DIGEST_SECONDS = 30

RELATIONS = """
SELECT c.oid, CASE WHEN n.nspname = 'public' THEN c.relname ELSE n.nspname || '.' || c.relname END,
       format('%I.%I', n.nspname, c.relname),
       CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
ORDER BY c.oid"""

COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), t.typname, a.attnotnull,
       pg_get_expr(d.adbin, d.adrelid),
       CASE WHEN a.attgenerated <> '' THEN 'generated' WHEN a.attidentity = 'a' THEN
            'generated always as identity' WHEN a.attidentity <> '' THEN 'identity' ELSE '' END
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""

KEYS = """
SELECT k.contype, ARRAY(SELECT attname::text FROM pg_attribute
                        WHERE attrelid = k.conrelid AND attnum = ANY (k.conkey)),
       ARRAY(SELECT confrelid::regclass || '.' || attname FROM pg_attribute
             WHERE attrelid = k.confrelid AND attnum = ANY (k.confkey)),
       pg_get_constraintdef(k.oid)
FROM pg_constraint k WHERE k.conrelid = %s ORDER BY pg_get_constraintdef(k.oid)"""

INDEXES = "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = %s ORDER BY 1"

EXACT = {"int2", "int4", "int8", "numeric"}
NUMBERS = EXACT | {"float4", "float8"}


def layout(connection: "psycopg.Connection[tuple[Any, ...]]") -> Layout:
    """Return names of columns by name of table or view."""
    return {
        name: [str(column[0]) for column in connection.execute(COLUMNS, (oid,))]
        for oid, name, _ in _relations(connection)
    }


def _relations(connection: "psycopg.Connection[tuple[Any, ...]]") -> list[tuple[int, str, str]]:
    """Return id, name in the layout, and quoted name of each table and view.

    A name with a dot in it may be that of another schema's table; the second is in quotes then.
    """
    found: dict[str, tuple[int, str, str]] = {}
    for oid, name, quoted, _ in connection.execute(RELATIONS).fetchall():
        shown = quoted if name in found else name
        found[shown] = (oid, shown, quoted)
    return list(found.values())


def facts(connection: "psycopg.Connection[tuple[Any, ...]]", table: str) -> tuple[str, list[str]]:
    """Return the quoted name of a table of the layout, and a line about each of its columns."""
    rows = _relations(connection)
    oid, quoted = next((oid, quoted) for oid, name, quoted in rows if name == table)
    primary: set[str] = set()
    references: dict[str, str] = {}
    for kind, columns, targets, _ in connection.execute(KEYS, (oid,)):
        if kind == "p":
            primary |= set(columns)
        elif kind == "f" and len(columns) == 1:
            references[columns[0]] = targets[0]
    lines = []
    for name, kind, _, not_null, _, origin in connection.execute(COLUMNS, (oid,)):
        fact = "primary key" if name in primary else "not null" if not_null else ""
        line = f"{shown_name(name)} {', '.join(filter(None, (kind, fact, origin)))}"
        lines.append(f"{line} -> {references[name]}" if name in references else line)
    return str(quoted), lines


def state(connection: "psycopg.Connection[tuple[Any, ...]]") -> State:
    """Return the digests of what the open transaction sees, without changing it.

    Raises:
        Unreadable: a deferred constraint is broken: this could never be committed.
    """
    psycopg = driver()
    connection.execute(f"SAVEPOINT digest; SET LOCAL statement_timeout = '{DIGEST_SECONDS}s'")
    try:
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        relations = connection.execute(RELATIONS).fetchall()
        content = [_content(connection, *relation[:3]) for relation in relations]
        schema = [_declared(connection, *relation) for relation in relations]
    except psycopg.errors.IntegrityError as error:
        raise Unreadable(str(error.diag.message_primary)) from None
    finally:
        if not connection.closed:
            connection.execute("ROLLBACK TO digest; RELEASE digest")
    return State(_digest(sorted(content)), _digest(sorted(schema)))


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def _content(
    connection: "psycopg.Connection[tuple[Any, ...]]", oid: int, name: str, quoted: str
) -> list[Any]:
    """Return name, columns, number of rows, and a digest of the rows in any order."""
    psycopg = driver()
    columns = sorted((str(row[0]), str(row[2])) for row in connection.execute(COLUMNS, (oid,)))
    cells = " || ".join(_cell(column, kind) for column, kind in columns) or "''"
    sql = (
        "SELECT count(*), encode(sha256(convert_to(string_agg(row, '' ORDER BY row), 'UTF8')),"
        f" 'hex') FROM (SELECT encode(sha256(convert_to({cells}, 'UTF8')), 'hex') COLLATE \"C\""
        f" AS row FROM {quoted}) AS digests"
    )
    found: Any
    connection.execute("SAVEPOINT reading")
    try:
        found = connection.execute(sql.encode()).fetchone()
    except psycopg.OperationalError:  # QueryCanceled is one too: a view that never ends
        if connection.closed:
            raise
        found = "unreadable"
    except psycopg.Error:  # a view that fails on these rows
        found = "unreadable"
    connection.execute("ROLLBACK TO reading; RELEASE reading")
    return [name, [column for column, _ in columns], found]


def _cell(column: str, kind: str) -> str:
    """Return an expression that encodes a value as tagged text with its length."""
    name = '"' + column.replace('"', '""') + '"'
    tag = "n" if kind in NUMBERS else "b" if kind == "bool" else "t"
    text = f"trim_scale({name}::numeric)::text" if kind in EXACT else f"{name}::text"
    return f"coalesce('{tag}' || length({text}) || ':' || {text}, '-')"


def _declared(
    connection: "psycopg.Connection[tuple[Any, ...]]",
    oid: int,
    name: str,
    quoted: str,
    view: str | None,
) -> list[Any]:
    columns = [list(row) for row in connection.execute(COLUMNS, (oid,))]
    keys = [row[3] for row in connection.execute(KEYS, (oid,))]
    indexes = [row[0] for row in connection.execute(INDEXES, (oid,))]
    return [name, columns, keys, indexes, view or ""]
