"""A task in the making: its calls are played on the services, and noted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from environments.api.services import Services, State

Json = Mapping[str, Any]


class Unsuitable(Exception):
    """What was drawn makes no task: it has no answer, or two."""


@dataclass
class Draft:
    """What a template fills.

    Attributes:
        quotas: those of this task, by the endpoint's short name.
        asked: the request, without the form of the answer.
        form: what the final answer is to be.
        wrong: answers of plausible mistakes.
    """

    services: Services
    draw: Random
    state: State
    quotas: Mapping[str, int] = field(default_factory=dict)
    calls: list[Json] = field(default_factory=list)
    asked: str = ""
    form: str = ""
    answer: str = ""
    wrong: tuple[str, ...] = ()

    def rows(self, table: str) -> Sequence[Json]:
        """Rows of a table, as the task finds them."""
        return self.services.start.tables[table]

    def pick(self, table: str, **columns: Any) -> Any:
        """Draw a row with these columns."""
        found = [r for r in self.rows(table) if all(r[k] == v for k, v in columns.items())]
        if not found:
            raise Unsuitable(table)
        return self.draw.choice(found)

    def full_name(self, short: str) -> str:
        """The tool's name of an endpoint's short name, which is unique."""
        (found,) = [n for n, e in self.services.endpoints.items() if e.line["name"] == short]
        return found

    def call(self, short: str, thought: str, **arguments: Any) -> Any:
        """Play a call of the solution, and return the body of its reply."""
        return self._play(short, thought, arguments, 200)

    def refused(self, short: str, thought: str, status: int, **arguments: Any) -> None:
        """Play a call that the service refuses."""
        self._play(short, thought, arguments, status)

    def pages(self, short: str, thought: str, **arguments: Any) -> list[Any]:
        """Read all pages of a list."""
        found: list[Any] = []
        page, pages = 1, 1
        while page <= pages:
            more = {"page": page} if page > 1 else {}
            said = thought if page == 1 else f"There are {pages} pages; I need page {page}, too."
            body = self.call(short, said, **arguments, **more)
            pages, page = body["pages"], page + 1
            table = self.services.endpoints[self.full_name(short)].line["table"]
            found += body[table]
        return found

    def one(self, rows: Sequence[Any], key: Callable[[Any], Any], thought: str = "") -> Any:
        """Return the row with the least key; there must be one only."""
        ranked = sorted(rows, key=key)
        if not ranked or (len(ranked) > 1 and key(ranked[0]) == key(ranked[1])):
            raise Unsuitable(thought)
        return ranked[0]

    def only(self, rows: Sequence[Any]) -> Any:
        """Return the one row there is."""
        return self.one(rows, lambda row: 0)

    def ask(self, asked: str, form: str, answer: Any, *wrong: Any) -> None:
        """Say what is asked, and end with the answer."""
        self.asked, self.form, self.answer = asked, form, str(answer)
        others = dict.fromkeys(str(each) for each in wrong)
        self.wrong = tuple(each for each in others if each != self.answer)
        if not self.wrong:
            raise Unsuitable("no plausible mistake")

    def _play(self, short: str, thought: str, arguments: Json, status: int) -> Any:
        name = self.full_name(short)
        quotas = {self.full_name(each): count for each, count in self.quotas.items()}
        reply, self.state = self.services.call(self.state, name, arguments, quotas)
        if reply.status != status:
            raise Unsuitable(f"{name}: {reply.text}")
        self.calls.append({"tool": name, "arguments": dict(arguments), "thought": thought})
        return reply.body
