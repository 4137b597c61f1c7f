"""Simulated web services: tables of rows, and endpoints that read and change them.

A service is data (`data/services.json`): its tables, and a line for each endpoint that says what it
does with one of them. There is no code of any one service. An endpoint `does` one of

- `list`: the rows whose columns equal the arguments, page by page. An argument `min_COLUMN` or
  `max_COLUMN` is a bound, and `COLUMN_contains` a part of a text;
- `get`: the one row whose columns equal the arguments;
- `create`: a new row of the arguments and of `sets`, with a number of its own;
- `update`: the arguments and `sets` into the row that `by` finds;
- `delete`: the row that `by` finds is gone.

Beside these: `refs` are arguments that must name a row of another table, `takes_from` a stock that
a new row uses up, `only_if` values that a row must have to be changed, `token` the table in which
the argument `token` must be, and `quota` how often the endpoint may be called in a task.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from environments.tools import Tool

BUNDLED = Path(__file__).parent / "data"
Row = Mapping[str, Any]
_NOT_FILTERS = ("page", "token")


@dataclass(frozen=True, slots=True)
class State:
    """What calls have changed: never changed itself, so a saved state is this value.

    Attributes:
        tables: the rows of each table, by "service/table".
        used: how often each endpoint with a quota was called, and rows of each table made.
    """

    tables: Mapping[str, tuple[Row, ...]]
    used: Mapping[str, int] = field(default_factory=dict)

    def with_rows(self, table: str, rows: tuple[Row, ...]) -> "State":
        """Return this state with other rows in `table`."""
        return replace(self, tables={**self.tables, table: rows})


@dataclass(frozen=True, slots=True)
class Reply:
    """What a service answers: an HTTP status, and the body or what went wrong."""

    status: int
    body: Any

    @property
    def failed(self) -> bool:
        """Whether the body is what went wrong."""
        return self.status >= 400

    @property
    def text(self) -> str:
        """The reply as ToolBench shows it."""
        error = f"{self.status} {_REASONS[self.status]}: {self.body}" if self.failed else ""
        shown = {"error": error, "response": "" if self.failed else self.body}
        return json.dumps(shown, ensure_ascii=False)


_REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    409: "Conflict",
    429: "Too Many Requests",
}


class _Refused(Exception):
    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.reply = Reply(status, why)


@dataclass(frozen=True)
class Endpoint:
    """One function of a service.

    Attributes:
        service: its service; its tables are `service/TABLE`.
        line: its line of the service's data; see the module.
    """

    service: str
    line: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The tool's name, as ToolBench builds it."""
        return f"{self.line['name']}_for_{self.service}"

    @property
    def table(self) -> str:
        """The table that it reads or changes."""
        return f"{self.service}/{self.line['table']}"

    @cached_property
    def tool(self) -> Tool:
        """The endpoint as a tool, described as ToolBench does."""
        about = (
            f'This is the subfunction for tool "{self.service}", you can use this tool. '
            f'The description of this function is: "{self.line["about"]}"'
        )
        return Tool(self.name, about, self.line["parameters"])


@dataclass(frozen=True)
class Services:
    """All services.

    Attributes:
        endpoints: every endpoint, by the tool's name.
        start: the rows before any call.
        categories: the category of each service.
    """

    endpoints: Mapping[str, Endpoint]
    start: State
    categories: Mapping[str, str]

    @classmethod
    def of(cls, found: list[dict[str, Any]]) -> "Services":
        """Return the services of the data."""
        lines = [Endpoint(each["name"], line) for each in found for line in each["endpoints"]]
        rows = {
            f"{each['name']}/{table}": tuple(rows)
            for each in found
            for table, rows in each["tables"].items()
        }
        categories = {each["name"]: each["category"] for each in found}
        return cls({each.name: each for each in lines}, State(rows), categories)

    def call(
        self, state: State, name: str, given: Mapping[str, Any], quotas: Mapping[str, int]
    ) -> tuple[Reply, State]:
        """Return the reply to a call with arguments that fit the schema, and the state after it.

        quotas: those of a task, over the endpoints' own.
        """
        endpoint = self.endpoints[name]
        quota = quotas.get(name, endpoint.line.get("quota"))
        try:
            if quota is not None:
                used = state.used.get(name, 0)
                if used >= quota:
                    raise _Refused(429, f"today's quota of {name} is used up")
                state = replace(state, used={**state.used, name: used + 1})
            signed = self._signed(state, endpoint, given)
            return _DOES[endpoint.line["does"]](state, endpoint, {**given, **signed})
        except _Refused as refused:
            return refused.reply, state

    def _signed(self, state: State, endpoint: Endpoint, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the column that says whose rows a token opens; {} for an open endpoint."""
        if "token" not in endpoint.line:
            return {}
        table, column = endpoint.line["token"]
        for row in state.tables[f"{endpoint.service}/{table}"]:
            if row["token"] == given["token"]:
                return {column: row[column]}
        raise _Refused(401, "the token is not valid; sign in to get one")


@cache
def bundled() -> Services:
    """The bundled services."""
    return Services.of(json.loads((BUNDLED / "services.json").read_text(encoding="utf-8")))


def changed_tables(state: State, start: State) -> dict[str, list[str]]:
    """Return the tables that differ from the start, as rows in an order of their own.

    A new row's number is left out: it depends on the order in which rows were made.
    """
    touched = [name for name, rows in state.tables.items() if rows is not start.tables[name]]
    found = {name: _in_order(state.tables[name]) for name in touched}
    return {name: rows for name, rows in found.items() if rows != _in_order(start.tables[name])}


def _in_order(rows: tuple[Row, ...]) -> list[str]:
    plain = ({k: v for k, v in row.items() if not (row.get("new") and k == "id")} for row in rows)
    return sorted(json.dumps(row, sort_keys=True) for row in plain)


def _list(state: State, endpoint: Endpoint, given: Mapping[str, Any]) -> tuple[Reply, State]:
    filters = {key: value for key, value in given.items() if key not in _NOT_FILTERS}
    rows = [
        row
        for row in state.tables[endpoint.table]
        if all(_fits(row, key, value) for key, value in filters.items())
    ]
    size, page = endpoint.line.get("page", 5), given.get("page", 1)
    pages = max(-(-len(rows) // size), 1)
    if page > pages:
        raise _Refused(400, f"there is no page {page}; the last is {pages}")
    shown = [_shown(endpoint, row) for row in rows[(page - 1) * size : page * size]]
    body = {"total": len(rows), "page": page, "pages": pages, endpoint.line["table"]: shown}
    return Reply(200, body), state


def _get(state: State, endpoint: Endpoint, given: Mapping[str, Any]) -> tuple[Reply, State]:
    return Reply(200, _shown(endpoint, _found(state, endpoint, given, list(given)))), state


def _create(state: State, endpoint: Endpoint, given: Mapping[str, Any]) -> tuple[Reply, State]:
    for argument, reference in endpoint.line.get("refs", {}).items():
        table, column = reference
        if not any(row[column] == given[argument] for row in _rows(state, endpoint, table)):
            raise _Refused(404, f"no {argument} {given[argument]!r}")
    state = _taken(state, endpoint, given)
    rows = state.tables[endpoint.table]
    made = state.used.get(endpoint.table, 0)
    state = replace(state, used={**state.used, endpoint.table: made + 1})
    number = f"{endpoint.line['prefix']}{endpoint.line['first'] + made}"
    own = {key: value for key, value in given.items() if key != "token"}
    row = {"id": number, **endpoint.line.get("sets", {}), **own, "new": True}
    return Reply(200, _shown(endpoint, row)), state.with_rows(endpoint.table, (*rows, row))


def _taken(state: State, endpoint: Endpoint, given: Mapping[str, Any]) -> State:
    """Return the state after what the new row uses is taken from its stock."""
    if "takes_from" not in endpoint.line:
        return state
    name, key, argument, column = endpoint.line["takes_from"]
    wanted, rows = given.get(argument, 1), _rows(state, endpoint, name)
    for row in rows:
        if row[key] == given[key]:
            if row[column] < wanted:
                raise _Refused(409, f"{given[key]} has {row[column]} {column} left, not {wanted}")
            less = {**row, column: row[column] - wanted}
            changed = tuple(less if each is row else each for each in rows)
            return state.with_rows(f"{endpoint.service}/{name}", changed)
    raise _Refused(404, f"no {key} {given[key]!r}")


def _update(state: State, endpoint: Endpoint, given: Mapping[str, Any]) -> tuple[Reply, State]:
    row = _changeable(state, endpoint, given)
    new = {key: value for key, value in given.items() if key != "token"}
    changed = {**row, **new, **endpoint.line.get("sets", {})}
    rows = tuple(changed if each is row else each for each in state.tables[endpoint.table])
    return Reply(200, _shown(endpoint, changed)), state.with_rows(endpoint.table, rows)


def _delete(state: State, endpoint: Endpoint, given: Mapping[str, Any]) -> tuple[Reply, State]:
    row = _changeable(state, endpoint, given)
    rows = tuple(each for each in state.tables[endpoint.table] if each is not row)
    return Reply(200, {"deleted": row["id"]}), state.with_rows(endpoint.table, rows)


def _changeable(state: State, endpoint: Endpoint, given: Mapping[str, Any]) -> Row:
    row = _found(state, endpoint, given, endpoint.line["by"])
    for column, allowed in endpoint.line.get("only_if", {}).items():
        if row[column] not in allowed:
            wanted = " or ".join(allowed)
            raise _Refused(409, f"its {column} is {row[column]!r}; it must be {wanted}")
    return row


def _found(state: State, endpoint: Endpoint, given: Mapping[str, Any], by: list[str]) -> Row:
    wanted = {key: given[key] for key in by if key not in _NOT_FILTERS}
    for row in state.tables[endpoint.table]:
        if all(_fits(row, key, value) for key, value in wanted.items()):
            return row
    said = ", ".join(f"{key} {value!r}" for key, value in wanted.items())
    raise _Refused(404, f"nothing in {endpoint.line['table']} with {said}")


def _rows(state: State, endpoint: Endpoint, table: str) -> tuple[Row, ...]:
    return state.tables[f"{endpoint.service}/{table}"]


def _shown(endpoint: Endpoint, row: Row) -> dict[str, Any]:
    columns = endpoint.line.get("shows") or [key for key in row if key != "new"]
    return {key: row[key] for key in columns if key in row}


def _fits(row: Row, key: str, value: Any) -> bool:
    if key.startswith("min_"):
        return bool(row[key[4:]] >= value)
    if key.startswith("max_"):
        return bool(row[key[4:]] <= value)
    if key.endswith("_contains"):
        return str(value).casefold() in str(row[key.removesuffix("_contains")]).casefold()
    own = row.get(key)
    return own == value or str(own).casefold() == str(value).casefold()


_DOES = {"list": _list, "get": _get, "create": _create, "update": _update, "delete": _delete}
