"""Plausible wrong versions of a query: what a careless student writes.

A query is edited token by token. It is not generated from the syntax tree, because sqlglot's own
spelling would teach a student to tell right from wrong by the spelling.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain, zip_longest

from sqlglot import TokenType

from environments.sql.mistakes.tokens import FILTERS, NAMES, Edit, Query, tokenize

Maker = Callable[[Query], Iterator[Edit]]

OTHER_COMPARISON = {
    TokenType.GT: ">=",
    TokenType.GTE: ">",
    TokenType.LT: "<=",
    TokenType.LTE: "<",
    TokenType.NEQ: "=",
}
OTHER_AGGREGATE = {"count": "sum", "sum": "count", "avg": "sum", "max": "min", "min": "max"}


def wrong_queries(sql: str, columns: Mapping[str, Sequence[str]]) -> list[str]:
    """Return variants of the query `sql`, likely first; each differs from it and the others.

    columns: names of columns by lower-case name of table.
    """
    return variants(sql, columns, MAKERS)


def wrong_tables(table: str, known: Sequence[str], needed: Collection[str]) -> list[str]:
    """Return tables to look at instead of `table`; the last one is an invented name."""
    seen, lower = {name.lower() for name in needed}, {name.lower() for name in known}
    invented = table[:-1] if table.endswith("s") else f"{table}s"
    names = [name for name in known if name.lower() not in seen]
    return names if invented.lower() in lower else [*names, invented]


def variants(sql: str, columns: Mapping[str, Sequence[str]], makers: Sequence[Maker]) -> list[str]:
    """Return `sql` after single edits, one of each maker in turn."""
    query = tokenize(sql, columns)
    if query is None:
        return []
    found: dict[str, None] = {}
    turns = zip_longest(*(make(query) for make in makers))
    for start, end, text in filter(None, chain.from_iterable(turns)):
        wrong = (sql[:start] + text + sql[end:]).strip()
        if wrong.split() != sql.split():
            found.setdefault(wrong)
    return list(found)


def other_column(query: Query) -> Iterator[Edit]:
    """Select another column of the same table."""
    selected = {
        token.text.lower()
        for token, clause in zip(query.tokens, query.clauses, strict=True)
        if clause == TokenType.SELECT
    }
    for index, token in enumerate(query.tokens):
        if query.clauses[index] != TokenType.SELECT or token.token_type not in NAMES:
            continue
        if query.kind(index + 1) in (TokenType.DOT, TokenType.L_PAREN):
            continue
        names = query.owner(index)
        place = [name.lower() for name in names].index(token.text.lower()) if names else 0
        for other in (*names[place + 1 :], *names[:place]):
            if other.lower() not in selected:
                yield query.instead(index, quoted(other, query.sql[token.start]))
                break


def quoted(name: str, quote: str) -> str:
    """Quote `name` in the style that begins with `quote`."""
    if quote in '"`':
        return f"{quote}{name}{quote}"
    if quote == "[":
        return f"[{name}]"
    return name if name.isidentifier() else '"' + name.replace('"', '""') + '"'


def dropped_filter(query: Query) -> Iterator[Edit]:
    """Drop one condition, or the whole WHERE or HAVING."""
    for index, token in enumerate(query.tokens):
        if token.token_type not in FILTERS:
            continue
        end = query.after_clause(index)
        for last in _conjunctions(query, index, end):
            yield query.without(last, end)
        yield query.without(index, end)


def _conjunctions(query: Query, start: int, end: int) -> list[int]:
    """Return the last AND outside of BETWEEN and parentheses, if any."""
    depth, between, found = 0, False, []
    for index in range(start, end):
        kind = query.tokens[index].token_type
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        if depth == 0 and kind == TokenType.BETWEEN:
            between = True
        elif depth == 0 and kind == TokenType.AND:
            if not between:
                found.append(index)
            between = False
    return found[-1:]


def other_condition(query: Query) -> Iterator[Edit]:
    """Change the border of a comparison, a number by one, or the case of a text."""
    for index, token in enumerate(query.tokens):
        clause = query.clauses[index]
        if clause in FILTERS and token.token_type in OTHER_COMPARISON:
            yield query.instead(index, OTHER_COMPARISON[token.token_type])
        elif clause in FILTERS | {TokenType.LIMIT} and token.token_type == TokenType.NUMBER:
            if token.text.isdecimal():
                yield query.instead(index, str(int(token.text) + 1))
        elif clause in FILTERS and token.token_type == TokenType.STRING:
            text = query.sql[token.start : token.end + 1]
            yield query.instead(index, text.lower() if text != text.lower() else text.title())


def other_aggregate(query: Query) -> Iterator[Edit]:
    """Drop DISTINCT, or use another aggregate."""
    for index, token in enumerate(query.tokens):
        if token.token_type == TokenType.DISTINCT:
            yield query.without(index, index + 1)
        other = OTHER_AGGREGATE.get(token.text.lower())
        if other is None or query.kind(index + 1) != TokenType.L_PAREN:
            continue
        if query.kind(index + 2) == TokenType.STAR:
            if query.kind(index - 1) in (TokenType.SELECT, TokenType.COMMA) and index < 4:
                yield (
                    token.start,
                    query.tokens[index + 3].end + 1,
                    "*",
                )  # the rows, not their number
        else:
            yield query.instead(index, other.upper() if token.text.isupper() else other)


def other_order(query: Query) -> Iterator[Edit]:
    """Reverse or drop the order, or drop the limit."""
    for index, token in enumerate(query.tokens):
        if token.token_type == TokenType.DESC:
            yield query.without(index, index + 1)
        elif token.token_type == TokenType.ASC:
            yield query.instead(index, "DESC" if token.text.isupper() else "desc")
        elif token.token_type in (TokenType.ORDER_BY, TokenType.LIMIT):
            yield query.without(index, query.after_clause(index))


MAKERS: tuple[Maker, ...] = (
    other_column,
    dropped_filter,
    other_condition,
    other_aggregate,
    other_order,
)
