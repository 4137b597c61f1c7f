"""Plausible wrong versions of a statement that changes a database: edits, as in `mistakes`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

from sqlglot import TokenType

from environments.sql.mistakes.tokens import NAMES, Edit, Query
from environments.sql.mistakes.wrong_queries import (
    dropped_filter,
    other_condition,
    quoted,
    variants,
)

GIVEN = {TokenType.SET, TokenType.VALUES}
DAY = re.compile(r"'\d{4}-\d{2}-\d{2}'")


def wrong_writes(sql: str, columns: Mapping[str, Sequence[str]]) -> list[str]:
    """Return wrong variants of `sql`, likely first, one of each kind in turn.

    columns: names of columns by lower-case name of table.
    """
    return variants(sql, columns, (dropped_filter, other_target, other_value, other_condition))


def other_target(query: Query) -> Iterator[Edit]:
    """Another column of the same table is set."""
    for index, token in enumerate(query.tokens):
        if token.token_type not in NAMES or query.kind(index + 1) != TokenType.EQ:
            continue
        if query.kind(index - 1) not in (TokenType.SET, TokenType.COMMA):
            continue
        names = query.owner(index)
        others = [name for name in names if name.lower() != token.text.lower()]
        place = len(names) - len(others) and [n.lower() for n in names].index(token.text.lower())
        for other in (*others[place:], *reversed(others[:place]))[:1]:
            yield query.instead(index, quoted(other, query.sql[token.start]))


def other_value(query: Query) -> Iterator[Edit]:
    """Change a digit of a value, a day by one, or the case of a text."""
    for index, token in enumerate(query.tokens):
        if query.clauses[index] not in GIVEN:
            continue
        text = query.sql[token.start : token.end + 1]
        if token.token_type == TokenType.NUMBER:
            yield query.instead(index, _next_number(text))
        elif token.token_type == TokenType.STRING:
            yield query.instead(index, _other_text(text))


def _next_number(text: str) -> str:
    """More by one in the last digit but one of a decimal number, else by one."""
    if text.isdecimal():
        return str(int(text) + 1)
    number = Decimal(text)
    return str(number + Decimal(1).scaleb(int(number.as_tuple().exponent) + 1))


def _other_text(text: str) -> str:
    if DAY.fullmatch(text):
        try:
            return f"'{date.fromisoformat(text[1:-1]) + timedelta(days=1)}'"
        except (ValueError, OverflowError):
            return text
    return text.lower() if text != text.lower() else text.title()
