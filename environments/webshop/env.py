"""The web shop: the agent reads a shopping instruction, searches, chooses options, and buys.

WebShop of Yao et al. 2022 (arXiv:2207.01206). The pages, what can be clicked on them, and the
reward are the original's; each file of this folder documents its quirks. Differences:

- An action that the page does not offer is reported by a line "error: ..." before the same page.
  The original shows the page alone.
- `reset` without a task draws one uniformly; the original draws by the goals' weights.
- `parse_text_action` cuts at the first bracket, so that every option can be clicked; the original
  cuts at the last, and cannot click an option whose value has a bracket.

The observation is `text_rich` by default, because it shows a language model what it can click.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

from environments.base import Outcome, ToolEnv
from environments.errors import DataError
from environments.records import Faults
from environments.tools import GIVE_UP, Tool
from environments.types import Action, Step, Task
from environments.webshop import tasks
from environments.webshop.demonstration.gold_actions import purchase
from environments.webshop.demonstration.mistakes import mistakes
from environments.webshop.demonstration.recovery import next_step
from environments.webshop.demonstration.thoughts import thought
from environments.webshop.goals import Goal, made_goal
from environments.webshop.pages.pages import Page, make_page
from environments.webshop.pages.parts import SEARCH
from environments.webshop.pages.session import START, Session, click, search
from environments.webshop.pages.text import FORMS
from environments.webshop.shop.catalogue import Catalogue, load


def _text_argument(name: str, description: str) -> dict[str, Any]:
    argument = {"type": "string", "minLength": 1, "description": description}
    return {
        "type": "object",
        "properties": {name: argument},
        "required": [name],
        "additionalProperties": False,
    }


SEARCH_TOOL = Tool(
    "search",
    "Search the shop; shows the first of up to five pages of results.",
    _text_argument("query", "a few words that the product's page would hold"),
)
CLICK_TOOL = Tool(
    "click",
    "Click a button, a product or an option of the page.",
    _text_argument("element", "its words, as the page shows them"),
)

_TEXT_ACTION = re.compile(r"\s*(search|click)\[(.+)\]\s*", re.DOTALL)


def parse_text_action(text: str) -> Action:
    """Parse `search[...]` or `click[...]`; other text becomes a malformed action."""
    found = _TEXT_ACTION.fullmatch(text)
    if found is None:
        return Action.malformed(text, "an action is search[words] or click[element]")
    tool, argument = found.groups()
    return Action(tool, {"query" if tool == SEARCH_TOOL.name else "element": argument})


class WebShopEnv(ToolEnv):
    """A shop in which the agent searches for a product, chooses its options, and buys it.

    `info["available_actions"]` is what the original's `get_available_actions` returns.

    Args:
        data: folder of the original's files; None for the bundled shop.
        split: "train" (the default), "dev", "test", or "original-..." (see `tasks`).
        sandbox: not used.
        goals: which instructions: composed from the products' properties, as in the original, or
            written by people. None for human in the bundled shop, and synthetic elsewhere.
        observation: the form of the pages: text_rich marks what can be clicked, text does not.
        attributes: whether product pages have a button to their attributes, which the original
            hides.

    Raises:
        DataError: `goals` or `observation` has another value.
    """

    instant = True
    branching = "a value: where the shopper is"
    maker = "environments.webshop.make:ShopMaker"
    tools = (SEARCH_TOOL, CLICK_TOOL, GIVE_UP)
    instructions = (
        "You shop for what the instruction asks: search for it in a few words, look at the results "
        "and click the product that fits best by its id. On its page click an option for each "
        "property that the instruction names (size, color); Description and Features tell more. "
        "Mind the price. Then click Buy Now, once: it ends the task. Where nothing fits, page on "
        "with Next > or go Back to Search. Click only what the page shows as a button."
    )

    def __init__(
        self,
        *,
        data: str | None = None,
        split: str | None = None,
        sandbox: str = "auto",
        goals: tasks.GoalKind | None = None,
        observation: Literal["text", "text_rich"] = "text_rich",
        attributes: bool = False,
    ) -> None:
        super().__init__(data=data, split=split, sandbox=sandbox)
        self._kind = goals or ("human" if data is None else "synthetic")
        _require("goals", self._kind, get_args(tasks.GoalKind))
        _require("observation", observation, FORMS)
        self._form = FORMS[observation]
        self._attributes = attributes
        self._shop: Catalogue | None = None
        self._session = START
        self._page: Page | None = None

    @property
    def shop(self) -> Catalogue:
        """The shop, one per process; opened on first use."""
        if self._shop is None:
            self._shop = load(self.data)
        return self._shop

    def load_tasks(self) -> Sequence[Task]:
        """See `ToolEnv.load_tasks`."""
        faults, data = Faults(self.strict), Path(self.data or "")
        folder = data.parent if data.is_file() else data
        for place, why, then in self.shop.faults:
            faults.add(str(folder / place), why, then)
        faults.report()
        return tasks.choose(self.shop.goals(self._kind), self._kind, self.split, self.prompt)

    def prompt(self, instruction: str) -> str:
        """Return the first page, on which an instruction stands."""
        return self._form(self._make_page(START, instruction), START)

    def _make_page(self, session: Session, instruction: str) -> Page:
        products = self.shop.products
        return make_page(session, instruction, products, show_attributes=self._attributes)

    @property
    def session(self) -> Session:
        """Where the shopper is."""
        return self._session

    @property
    def page(self) -> Page:
        """The page that the shopper sees; cached, as two actions need it."""
        assert self.task is not None
        if self._page is None:
            self._page = self._make_page(self._session, self.task.details["instruction"])
        return self._page

    def _go(self, session: Session) -> None:
        self._session, self._page = session, None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """See `ToolEnv.reset`."""
        observation, info = super().reset(seed=seed, options=options)
        return observation, info | _available(self.page)

    def begin(self, task: Task) -> None:
        """See `ToolEnv.begin`."""
        self._go(START)

    def save(self) -> Session:
        """See `ToolEnv.save`."""
        return self._session

    def load(self, state: Session) -> None:
        """See `ToolEnv.load`."""
        self._go(state)

    def act(self, action: Action) -> Outcome:
        """See `ToolEnv.act`."""
        if action.tool == SEARCH_TOOL.name:
            self._go(search(self._session, action.arguments["query"], self.shop.search))
            return self._seen()
        return self._click(action.arguments["element"])

    def _click(self, element: str) -> Outcome:
        """Click; as in the original, the "Search" button works only on the page for people."""
        page = self.page
        part = page.clickables.get(element.lower())
        if part is None or element.lower() == SEARCH.lower():
            return self._refused(page, element)
        self._go(click(self._session, part))
        return self._bought() if self._session.page == "done" else self._seen()

    def _refused(self, page: Page, element: str) -> Outcome:
        message = f"error: the page has nothing called {element[:100]!r} to click"
        seen = f"{message}\n{self._form(page, self._session)}"
        return Outcome(seen, info=_available(page) | {"error": "not_offered"})

    def _seen(self) -> Outcome:
        page = self.page
        return Outcome(self._form(page, self._session), info=_available(page))

    def _bought(self) -> Outcome:
        """End the task; `info` holds the parts of the reward under the original's names."""
        assert self.task is not None
        session, goal = self._session, self.goal(self.task)
        reward = self.shop.grade(session.asin, goal, dict(session.options))
        self._go(replace(session, reward=reward.value))
        seen = self._seen()
        return replace(
            seen,
            reward=reward.value,
            terminated=True,
            info={**seen.info, "reward": reward.parts},
        )

    def goal(self, task: Task) -> Goal:
        """Return what is to be bought: a goal of the shop's files, or a made one."""
        if task.secret["goal"].startswith("{"):
            return made_goal(task.secret["goal"], task.details["instruction"], self.shop.products)
        kind, _, number = task.secret["goal"].partition("-")
        return self.shop.goals(kind)[int(number)]

    def solution(self, task: Task) -> list[Action]:
        """See `Demonstrable.solution`."""
        goal = self.goal(task)
        return purchase(self.shop.products[goal.asin], goal, self.shop.search)

    def mistakes(self, task: Task, action: Action) -> list[Action]:
        """See `Demonstrable.mistakes`."""
        return mistakes(self.shop, self.goal(task), self.solution(task), action)

    def thought(self, task: Task, path: Sequence[Step], action: Action) -> str:
        """See `Demonstrable.thought`."""
        return thought(task, path, action)

    def recover(self, task: Task, path: Sequence[Step]) -> Action:
        """See `Demonstrable.recover`."""
        return next_step(self.shop, self.goal(task).asin, self.solution(task), path)


def _available(page: Page) -> dict[str, Any]:
    clickables = list(page.clickables)
    return {"available_actions": {"has_search_bar": page.has_search_bar, "clickables": clickables}}


def _require(name: str, value: str, known: Sequence[str] | Mapping[str, Any]) -> None:
    if value not in known:
        raise DataError(f"no {name} {value!r} of the shop; use one of {', '.join(known)}")
