"""A grammar of queries, each made together with the question that it answers.

A question is about the rows of one table, with up to two conditions, perhaps on a row that they
refer to. Query and words are made of the same parts, so that neither says more than the other.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from environments.sql.make.facts import Facts, Field, Link, Value, many, one
from environments.sql.names import named


@dataclass(frozen=True, slots=True)
class Made:
    """A question and its query; `shape` names the rule."""

    shape: str
    question: str
    sql: str


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a table, in SQL and in words.

    Attributes:
        source: What follows FROM.
        where: Conditions.
        after: The conditions in words, after the noun.
        used: Columns in them.
    """

    table: str
    source: str
    where: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    used: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The noun and its conditions, as in "visits whose fee is more than 40"."""
        return " ".join([many(self.table), " and ".join(self.after)]).strip()

    def query(self, select: str, *, also: Sequence[str] = (), end: str = "") -> str:
        """Return a query over the rows."""
        where = " AND ".join([*self.where, *also])
        return " ".join(
            filter(None, (f"SELECT {select} FROM {self.source}", where and f"WHERE {where}", end))
        )


def make(facts: Facts, random: Random) -> Made | None:
    """Return a question that the rules make, by draws of `random`; None where they cannot."""
    if not facts.fields:
        return None
    shape = random.choice(SHAPES)
    table = random.choice(list(facts.fields))
    made = shape(facts, table, random)
    return made and Made(shape.__name__.strip("_"), made[0], made[1])


Pair = tuple[str, str]
"""A question and its query."""


def _count(facts: Facts, table: str, random: Random) -> Pair | None:
    rows = _rows(facts, table, random, 1, 2)
    return (f"How many {rows.words} are there?", rows.query("COUNT(*)")) if rows else None


def _listing(facts: Facts, table: str, random: Random) -> Pair | None:
    rows = _rows(facts, table, random, 1, 2)
    shown = rows and _other(facts, rows, random, "label", "kind")
    if not rows or not shown:
        return None
    asked = f"List each different {shown.words} of the {rows.words}."
    also = [f"{shown.sql} IS NOT NULL"] if shown.empty else []
    return asked, rows.query(f"DISTINCT {shown.sql}", also=also)


_AGGREGATES = {
    "MAX({})": "highest",
    "MIN({})": "lowest",
    "SUM({})": "total",
    "ROUND(AVG({}), 2)": "average",
}


_NO_SUM = re.compile(r"\b(year|rate|rating|age|score|number|code)s?\b")
"""Words of columns that nobody adds up."""


def _aggregate(facts: Facts, table: str, random: Random) -> Pair | None:
    rows = _rows(facts, table, random, 0, 2)
    shown = rows and _other(facts, rows, random, "number")
    if not rows or not shown:
        return None
    functions = {"MAX({})", "MIN({})"} if _NO_SUM.search(shown.words) else set(_AGGREGATES)
    function = random.choice([each for each in _AGGREGATES if each in functions])
    word = _AGGREGATES[function]
    rounded = ", rounded to two decimals" if word == "average" else ""
    return (
        f"What is the {word} {shown.words} of the {rows.words}{rounded}?",
        rows.query(function.format(shown.sql)),
    )


def _extreme(facts: Facts, table: str, random: Random) -> Pair | None:
    rows = _rows(facts, table, random, 0, 2)
    compared = rows and _other(facts, rows, random, "number", "date")
    shown = rows and _other(facts, rows, random, "label")
    if not rows or not compared or not shown or shown.empty:
        return None
    order, words = random.choice((("DESC", ("highest", "latest")), ("ASC", ("lowest", "earliest"))))
    word = words[compared.kind == "date"]
    also = [f"{compared.sql} IS NOT NULL"] if compared.empty else []
    return (
        f"Among the {rows.words}, what is the {shown.words} of the one with the {word} "
        f"{compared.words}?",
        rows.query(shown.sql, also=also, end=f"ORDER BY {compared.sql} {order} LIMIT 1"),
    )


def _by_kind(facts: Facts, table: str, random: Random) -> Pair | None:
    rows = _rows(facts, table, random, 0, 1)
    kind = rows and _other(facts, rows, random, "kind")
    if not rows or not kind:
        return None
    also = [f"{kind.sql} IS NOT NULL"] if kind.empty else []
    return (
        f"How many {rows.words} are there for each {kind.words}? Give the {kind.words} and the "
        "number.",
        rows.query(f"{kind.sql}, COUNT(*)", also=also, end=f"GROUP BY {kind.sql}"),
    )


def _commonest(facts: Facts, table: str, random: Random) -> Pair | None:
    rows = _rows(facts, table, random, 0, 1)
    kind = rows and _other(facts, rows, random, "kind")
    if not rows or not kind:
        return None
    also = [f"{kind.sql} IS NOT NULL"] if kind.empty else []
    end = f"GROUP BY {kind.sql} ORDER BY COUNT(*) DESC LIMIT 1"
    asked = f"Which {kind.words} is the most common among the {rows.words}?"
    return asked, rows.query(kind.sql, also=also, end=end)


def _most_referred(facts: Facts, table: str, random: Random) -> Pair | None:
    link, label = _referring(facts, table, random)
    rows = link and _rows(facts, table, random, 0, 1, join=link)
    if not link or not label or not rows:
        return None
    end = f"GROUP BY {named(link.parent)}.{named(link.key)} ORDER BY COUNT(*) DESC LIMIT 1"
    asked = f"Which {one(link.parent)} {_has(link)} the most {rows.words}?"
    return f"{asked} Give its {label.words}.", rows.query(label.sql, end=end)


def _referred_often(facts: Facts, table: str, random: Random) -> Pair | None:
    link, label = _referring(facts, table, random)
    rows = link and _rows(facts, table, random, 0, 1, join=link)
    if not link or not label or not rows:
        return None
    least = random.randint(2, 5)
    end = f"GROUP BY {named(link.parent)}.{named(link.key)} HAVING COUNT(*) >= {least}"
    asked = f"Which {many(link.parent)} {_have(link)} at least {least} {rows.words}?"
    return f"{asked} List each {label.words}.", rows.query(label.sql, end=end)


def _never_referred(facts: Facts, table: str, random: Random) -> Pair | None:
    link, label = _referring(facts, table, random)
    if not link or not label:
        return None
    column = named(link.column)
    inner = f"SELECT {column} FROM {named(table)} WHERE {column} IS NOT NULL"
    where = f"WHERE {named(link.key)} NOT IN ({inner})"
    asked = f"{many(link.parent)} {_have(link)} no {one(table)}"
    if random.random() < 0.5:
        return f"How many {asked}?", f"SELECT COUNT(*) FROM {named(link.parent)} {where}"
    select = f"SELECT {named(label.name)} FROM {named(link.parent)} {where}"
    return f"Which {asked}? List each {label.words}.", select


SHAPES: tuple[Callable[[Facts, str, Random], Pair | None], ...] = (
    _count,
    _listing,
    _aggregate,
    _extreme,
    _by_kind,
    _commonest,
    _most_referred,
    _referred_often,
    _never_referred,
)


def _rows(
    facts: Facts, table: str, random: Random, least: int, most: int, *, join: Link | None = None
) -> Rows | None:
    """Draw conditions on a table's rows, or on a row that they refer to."""
    rows = _joined(Rows(table, named(table)), join) if join else Rows(table, named(table))
    parents = [link for link in facts.links if link.child == table]
    for _ in range(random.randint(least, most)):
        link = random.choice(parents) if parents and not join and random.random() < 0.4 else None
        field = _pick(facts, link.parent if link else table, random, rows.used)
        if field is None:
            continue
        if link:
            rows, join = _joined(rows, link), link
        condition, words = _condition(field, random)
        whose = f"whose {link.role}'s" if link else "whose"
        rows = Rows(
            table,
            rows.source,
            (*rows.where, condition),
            (*rows.after, f"{whose} {field.words} {words}"),
            (*rows.used, field.sql),
        )
    return rows if len(rows.where) >= least else None


def _joined(rows: Rows, link: Link) -> Rows:
    source = f"{rows.source} JOIN {named(link.parent)} ON {link.join}"
    return Rows(rows.table, source, rows.where, rows.after, rows.used)


def _pick(facts: Facts, table: str, random: Random, used: Sequence[str]) -> Field | None:
    fields = [each for each in facts.of(table, "kind", "number", "date") if each.sql not in used]
    return random.choice(fields) if fields else None


def _other(facts: Facts, rows: Rows, random: Random, *kinds: str) -> Field | None:
    """Draw a field of the rows' own table that no condition is about."""
    fields = [each for each in facts.of(rows.table, *kinds) if each.sql not in rows.used]
    return random.choice(fields) if fields else None


def _condition(field: Field, random: Random) -> Pair:
    """Return a condition on a field, and how it is said after the field's words."""
    if field.empty and random.random() < 0.2:
        return f"{field.sql} IS NULL", f"{field.verb} missing"
    inner = field.values[len(field.values) // 5 : -(len(field.values) // 5) or None]
    value = random.choice(inner or field.values)
    if field.kind == "kind":
        return f"{field.sql} = {literal(value)}", f"{field.verb} {shown(value)}"
    sign, words = random.choice(((">", ("more than", "after")), ("<", ("less than", "before"))))
    word = words[field.kind == "date"]
    return f"{field.sql} {sign} {literal(value)}", f"{field.verb} {word} {value}"


def _referring(facts: Facts, table: str, random: Random) -> tuple[Link | None, Field | None]:
    links = [link for link in facts.links if link.child == table and _labels(facts, link)]
    if not links:
        return None, None
    link = random.choice(links)
    return link, random.choice(_labels(facts, link))


def _labels(facts: Facts, link: Link) -> list[Field]:
    return [field for field in facts.of(link.parent, "label") if not field.empty]


def _has(link: Link) -> str:
    return "has" if link.role == one(link.parent) else f"is the {link.role} of"


def _have(link: Link) -> str:
    return "have" if link.role == one(link.parent) else f"are the {link.role} of"


def literal(value: Value) -> str:
    """Return a value as SQL spells it."""
    return "'{}'".format(value.replace("'", "''")) if isinstance(value, str) else str(value)


def shown(value: Value) -> str:
    """Return a value in a question."""
    return f"'{value}'" if isinstance(value, str) else str(value)
