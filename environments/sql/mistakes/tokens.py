"""A SQLite query as sqlglot's tokens, to be edited in place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import Token, TokenType
from sqlglot.errors import SqlglotError

Edit = tuple[int, int, str]
"""Start and end (exclusive) in the text, and the replacement."""

FILTERS = {TokenType.WHERE, TokenType.HAVING}
CLAUSES = FILTERS | {
    TokenType.SELECT,
    TokenType.FROM,
    TokenType.SET,
    TokenType.VALUES,
    TokenType.ON,
    TokenType.GROUP_BY,
    TokenType.ORDER_BY,
    TokenType.LIMIT,
    TokenType.UNION,
    TokenType.INTERSECT,
    TokenType.EXCEPT,
    TokenType.SEMICOLON,
}
NAMES = {TokenType.VAR, TokenType.IDENTIFIER}


@dataclass(frozen=True, slots=True)
class Query:
    """A query as tokens.

    Attributes:
        clauses: for each token, the keyword of the innermost clause around it.
        columns: names of columns by lower-case name of table, for the tables that the query names.
    """

    sql: str
    tokens: Sequence[Token]
    clauses: Sequence[TokenType | None]
    columns: Mapping[str, Sequence[str]]

    def after_clause(self, start: int) -> int:
        """Return the index after the clause whose keyword is at `start`."""
        depth = 0
        for index in range(start + 1, len(self.tokens)):
            kind = self.tokens[index].token_type
            depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
            if depth < 0 or (depth == 0 and kind in CLAUSES):
                return index
        return len(self.tokens)

    def without(self, start: int, end: int) -> Edit:
        """Return the edit that cuts the tokens from `start` to before `end`."""
        left = self.tokens[start - 1]
        if end == len(self.tokens):
            return left.end + 1, len(self.sql), ""
        right = self.tokens[end]
        tight = TokenType.R_PAREN, TokenType.SEMICOLON
        glue = "" if right.token_type in tight or left.token_type == TokenType.L_PAREN else " "
        return left.end + 1, right.start, glue

    def instead(self, index: int, text: str) -> Edit:
        """Return the edit that puts `text` in the place of a token."""
        return self.tokens[index].start, self.tokens[index].end + 1, text

    def owner(self, index: int) -> Sequence[str]:
        """Return the columns of the table of the column at `index`; () if unknown."""
        name = self.tokens[index].text.lower()
        tables = [i for i, token in enumerate(self.tokens) if token.text.lower() in self.columns]
        tables.sort(key=lambda i: (i < index, i))  # the table is named after its columns
        qualifier = ""
        if self.kind(index - 1) == TokenType.DOT:
            qualifier = self.tokens[index - 2].text.lower()
        for i in tables:
            table = self.tokens[i].text.lower()
            alias = i + 2 if self.kind(i + 1) == TokenType.ALIAS else i + 1
            known_as = {table, self.tokens[alias].text.lower() if self.kind(alias) else ""}
            columns = self.columns[table]
            if qualifier in {"", *known_as} and name in (column.lower() for column in columns):
                return columns
        return ()

    def kind(self, index: int) -> TokenType | None:
        """Return the type of a token; None outside of the query."""
        return self.tokens[index].token_type if 0 <= index < len(self.tokens) else None


def tokenize(sql: str, columns: Mapping[str, Sequence[str]]) -> Query | None:
    """Return `sql` as tokens; None if sqlglot cannot parse it.

    columns: names of columns by lower-case name of table, of the whole database.
    """
    try:
        tokens = sqlglot.tokenize(sql, read="sqlite")
    except SqlglotError:
        return None
    named = {token.text.lower() for token in tokens if token.token_type in NAMES}
    read = {table: names for table, names in columns.items() if table in named}
    return Query(sql, tokens, _clauses(tokens), read)


def _clauses(tokens: Sequence[Token]) -> list[TokenType | None]:
    found: list[TokenType | None] = []
    stack: list[TokenType | None] = [None]
    for token in tokens:
        if token.token_type == TokenType.R_PAREN and len(stack) > 1:
            stack.pop()
        if token.token_type in CLAUSES:
            stack[-1] = token.token_type
        found.append(stack[-1])
        if token.token_type == TokenType.L_PAREN:
            stack.append(stack[-1])
    return found


def names_replaced(sql: str, names: Mapping[str, str]) -> str:
    """Return `sql` with other names of tables and columns (`names`: new by lower-case old ones)."""
    tokens = sqlglot.tokenize(sql, read="sqlite")
    parts, done = [], 0
    for index, token in enumerate(tokens):
        new = names.get(token.text.lower())
        called = index + 1 < len(tokens) and tokens[index + 1].token_type == TokenType.L_PAREN
        if new is None or called or token.token_type == TokenType.STRING:
            continue
        parts += [sql[done : token.start], new]
        done = token.end + 1
    return "".join([*parts, sql[done:]])
