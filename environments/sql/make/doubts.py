"""What makes a question bad though its gold query runs: ties, and conditions without effect."""

from collections.abc import Callable, Iterator

from sqlglot import exp

from environments.sql.gold import parse
from environments.task_making import AMBIGUOUS, TRIVIAL, Doubt

Same = Callable[[str, str], bool]
"""Whether two queries return the same set of rows."""


def doubt_of(sql: str, cells: list[object], same: Same) -> Doubt | None:
    """Return why the question of a gold query is bad.

    Args:
        sql: The query.
        cells: Its result.
        same: Compares results on its database.
    """
    if all(cell is None or cell == 0 for cell in cells):
        return Doubt(TRIVIAL, "the gold query returns nothing but NULL or 0")
    tree = parse(sql)
    if not isinstance(tree, exp.Select):
        return None
    for condition, without in _without_conditions(tree):
        if same(without, sql):
            why = f"without the condition {condition} a query returns the same rows"
            return Doubt(AMBIGUOUS, why)
    first, last = _tie_breakers(tree)
    if first and not same(first, last):
        return Doubt(AMBIGUOUS, "rows tie at the end of its LIMIT: more than one answer is right")
    return None


def _without_conditions(tree: exp.Select) -> Iterator[tuple[str, str]]:
    """Yield each condition of the outer WHERE, and the query without it."""
    where = tree.args.get("where")
    if where is None:
        return
    conditions = list(where.this.flatten()) if isinstance(where.this, exp.And) else [where.this]
    for number, condition in enumerate(conditions):
        if _keeps_out_null(condition):
            continue
        left = [each.copy() for place, each in enumerate(conditions) if place != number]
        other = tree.copy()
        other.set("where", exp.Where(this=exp.and_(*left)) if left else None)
        yield condition.sql("sqlite"), other.sql("sqlite")


def _keeps_out_null(condition: object) -> bool:
    return isinstance(condition, exp.Not) and isinstance(condition.this, exp.Is)


def _tie_breakers(tree: exp.Select) -> tuple[str, str]:
    """Return a query with LIMIT that takes the first, and the last, of rows that tie."""
    order = tree.args.get("order")
    if order is None or tree.args.get("limit") is None:
        return "", ""
    found = []
    for last in (False, True):
        other = tree.copy()
        keys = [each.unalias().copy() for each in tree.expressions]
        ordered = [exp.Ordered(this=key, desc=last) for key in keys]
        other.args["order"].set("expressions", [*other.args["order"].expressions, *ordered])
        found.append(other.sql("sqlite"))
    return found[0], found[1]
