"""Names of tables and columns: as they are shown, as a query spells them, and as an agent does."""

import re
from collections.abc import Collection, Iterator, Sequence

_UNCLEAR = re.compile(r'[",\x00-\x1f\x7f\u2028\u2029]|^\s|\s$|^$')
"""What makes a name unclear where names are listed with commas."""
_PART = re.compile(r'\s*(?:"((?:[^"]|"")*)"|`((?:[^`]|``)*)`|\[([^\]]*)\]|([^."`\[\]]+))\s*')
"""A part of a name, quoted in one of SQLite's ways or not at all."""
_WORDS = """
add all alter and as autoincrement between case check collate commit constraint create default
deferrable delete distinct drop else escape except exists foreign from group having in index insert
intersect into is isnull join limit not nothing notnull null on or order primary references
returning select set table then to transaction union unique update using values when where
"""
_RESERVED = frozenset(_WORDS.split())
"""Words that SQLite takes for a name only in quotes."""


def named(name: str) -> str:
    """Return a name as a query spells it, quoted only if necessary."""
    return name if name.isidentifier() and name.lower() not in _RESERVED else quoted(name)


def quoted(name: str) -> str:
    """Return a name as an SQL identifier in quotes."""
    return '"' + name.replace('"', '""') + '"'


def shown_name(name: str) -> str:
    """Return a name as it is, or in quotes where it would be unclear in a list."""
    return quoted(name) if _UNCLEAR.search(name) else name


def find_name(wanted: str, known: Collection[str], schemas: Sequence[str] = ()) -> str | None:
    """Return which of `known` an agent means; None for none.

    A name that is known as it is written comes first, then one in other case, then what is written
    in quotes or with its schema, in the end what only one schema has.

    Args:
        wanted: a name as an agent writes it.
        known: the names there are, without these `schemas`.
        schemas: names of schemas that may stand before a name, with a dot.
    """
    by_lower = {name.lower(): name for name in reversed(list(known))}
    by_lower |= {name: name for name in known if name == name.lower()}  # as Postgres reads it
    for spelled in _spellings(wanted, schemas):
        found = spelled if spelled in known else by_lower.get(spelled.lower())
        if found is not None:
            return found
    for alike in (
        [name for name in known if _spaced(name) == _spaced(wanted)],
        [name for name in known if "." in name and _last(name) == _last(wanted) == wanted.lower()],
    ):
        if len(alike) == 1:
            return alike[0]
    return None


def _last(name: str) -> str:
    return name.lower().rpartition(".")[2]


def _spaced(name: str) -> str:
    return " ".join(name.lower().split())


def _spellings(wanted: str, schemas: Sequence[str]) -> Iterator[str]:
    bare = wanted.strip()
    yield from (wanted, bare)
    if len(bare) > 1 and bare[0] == bare[-1] == "'":
        yield bare[1:-1].replace("''", "'")
    parts = _parts(bare)
    yield ".".join(parts)
    if len(parts) > 1 and parts[0].lower() in schemas:
        yield ".".join(parts[1:])
    yield bare.strip('"`[]')


def _parts(name: str) -> list[str]:
    """Return the parts of a name with dots, without quotes; [] if it is no such name."""
    parts: list[str] = []
    at = 0
    while at <= len(name):
        found = _PART.match(name, at)
        if found is None:
            return []
        double, back, bracket, plain = found.groups()
        texts = (
            double and double.replace('""', '"'),
            back and back.replace("``", "`"),
            bracket,
            plain and plain.strip(),
        )
        parts.append(next((text for text in texts if text), ""))
        at = found.end()
        if at == len(name):
            return parts
        if name[at] != ".":
            return []
        at += 1
    return []
