"""Tasks on web pages: find something out, fill in a form, buy something. Mind2Web's kind of world.

The agent reads the page's accessibility tree and names elements by role and name. Its operations
are Mind2Web's (Deng et al. 2023, arXiv:2306.06070): click, type, select. A page keeps state that
nobody can copy, so a state is the path to it: to return, a new window plays the path again, and
every page must be the same.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from environments.base import Outcome, ToolEnv
from environments.browser.sites import Sites
from environments.browser.tasks import BUNDLED, actions_of, read_tasks, shop_task
from environments.browser.thoughts import thought
from environments.tools import GIVE_UP, Tool, arguments
from environments.types import Action, Step, Task
from environments.webshop.env import WebShopEnv
from sandbox.errors import SandboxError, StateLost

if TYPE_CHECKING:
    from environments.browser.chromium import Target, Window

ROLES = ("link", "button", "checkbox", "radio", "tab", "option", "menuitem", "switch")
_TEXT, _NUMBER = {"type": "string"}, {"type": "integer", "minimum": 1}
CLICK = Tool(
    "click",
    "Click an element of the page; number is 2 for the second of this role and name, and so on.",
    arguments(
        ("number",), role={"type": "string", "enum": list(ROLES)}, name=_TEXT, number=_NUMBER
    ),
)
TYPE = Tool(
    "type",
    "Replace the text of a field; enter presses Enter afterwards.",
    arguments(
        ("number", "enter"), name=_TEXT, text=_TEXT, number=_NUMBER, enter={"type": "boolean"}
    ),
)
SELECT = Tool(
    "select",
    "Choose an option of a list by its label.",
    arguments(("number",), name=_TEXT, option=_TEXT, number=_NUMBER),
)
BACK = Tool("back", "Go back to the page before.", arguments())
FINISH = Tool(
    "finish",
    "End the task: what was asked for is done. Give the answer if the task asks for one.",
    arguments(("answer",), answer=_TEXT),
)


@dataclass(frozen=True, slots=True)
class Played:
    """An action of the current path, and the page that it led to."""

    action: Action
    seen: str


Path_ = tuple[Played, ...]


class BrowserEnv(ToolEnv):
    """Do what the task asks for on web pages, in a real Chromium.

    No page reaches the network: the browser is answered from folders of files and the web shop.
    """

    tools = (CLICK, TYPE, SELECT, BACK, FINISH, GIVE_UP)
    instructions = (
        "You use web pages. After each call you see the page: its address, its title, and its "
        "elements by role and name. Name an element exactly as the page shows it. Send a form "
        "once, when all its fields are right. Then call finish, with the answer if the task asks "
        "a question. A purchase in the shop ends the task."
    )
    branching = "replay"
    extra = "browser"

    def __init__(
        self, *, data: str | None = None, split: str | None = None, sandbox: str = "auto"
    ) -> None:
        super().__init__(data=data, split=split, sandbox=sandbox)
        self._folder = Path(data) if data is not None else BUNDLED
        self._sites = Sites(self._folder / "sites")
        self._window: Window | None = None
        self._path: Path_ = ()
        self._first = ""

    def load_tasks(self) -> Sequence[Task]:
        """See `ToolEnv.load_tasks`."""
        return read_tasks(self._folder, self.split or "train", strict=self.strict)

    async def begin(self, task: Task) -> None:
        """See `ToolEnv.begin`."""
        self._first, self._path = await self._open(task), ()

    def save(self) -> tuple[str, Path_]:
        """See `ToolEnv.save`."""
        return self._first, self._path

    async def load(self, state: tuple[str, Path_]) -> None:
        """See `ToolEnv.load`.

        Raises:
            StateLost: a page is not what it was.
        """
        first, path = state
        assert self.task is not None
        if self._path != path[: len(self._path)] or first != self._first:
            self._path = ()
            if await self._open(self.task) != first:
                raise StateLost(f"{self.task.id}: its first page is not what it was")
        for played in path[len(self._path) :]:
            seen, _ = await self._do(played.action)
            if seen != played.seen:
                raise StateLost(f"{self.task.id}: a page is not what it was: {seen[:200]!r}")
            self._path += (played,)

    async def end(self) -> None:
        """See `ToolEnv.end`."""
        window, self._window = self._window, None
        if window is not None:
            await window.close()
        if self._sites.shop is not None:
            self._sites.shop.close()

    async def act(self, action: Action) -> Outcome:
        """See `ToolEnv.act`."""
        assert self.task is not None
        if action.tool == FINISH.name:
            reward, wrong = self._graded(self.task, action.arguments.get("answer", ""))
            return Outcome("the task is over", reward, terminated=True, info={"wrong": wrong})
        seen, mistake = await self._do(action)
        self._path += (Played(action, seen),)
        info = {"error": "not_done"} if mistake else {}
        if self._sites.reward is not None:
            return Outcome(seen, self._sites.reward, terminated=True)
        return Outcome(seen, info=info)

    async def _open(self, task: Task) -> str:
        from environments.browser.chromium import Window

        if task.details["shop"] and self._sites.shop is None:
            self._sites.shop = WebShopEnv(split=task.split)
        self._sites.start(shop_task(self._sites.shop, task))
        if self._window is None:
            self._window = Window(self._sites)
        return await self._reached(self._window.open(task.details["start"]))

    async def _do(self, action: Action) -> tuple[str, bool]:
        """Play an action; return the page then, and whether the page did not take it."""
        from environments.browser.chromium import NotDone

        assert self._window is not None
        try:
            return await self._reached(_call(self._window, action)), False
        except NotDone as error:
            return f"error: {error}\n{await self._reached(asyncio.sleep(0))}", True

    async def _reached(self, call: Any) -> str:
        """Await a call of the window; return the page after it."""
        from playwright.async_api import Error

        assert self._window is not None
        try:
            await call
            return await self._window.seen()
        except Error as error:
            await self._window.close()
            first = str(error).strip().splitlines()[0]
            raise SandboxError(f"the browser has gone: {first}") from error

    def _graded(self, task: Task, answer: str) -> tuple[float, str]:
        """Return the reward, and what is wrong ("" if nothing)."""
        right = task.secret.get("answer")
        if right is not None and _plain(answer) not in map(_plain, right):
            return 0.0, "answer"
        wanted = task.secret.get("sent", [])
        sent = [
            {"host": one.host, "path": one.path, "fields": dict(one.fields)}
            for one in self._sites.sent
        ]
        return (0.0, "sent") if sent != wanted or task.details["shop"] else (1.0, "")

    def solution(self, task: Task) -> list[Action] | None:
        """See `Demonstrable.solution`."""
        return actions_of(task.secret.get("solution"))

    def thought(self, task: Task, path: Sequence[Step], action: Action) -> str:
        """See `Demonstrable.thought`. Data of the user's own may bring its thoughts along."""
        own = action.thought if self.data else ""
        return own or thought(task, path, action)

    def mistakes(self, task: Task, action: Action) -> list[Action]:
        """See `Demonstrable.mistakes`: what the task's data gives for this step."""
        calls = task.secret.get("solution") or ()
        right = self.solution(task) or ()
        for call, one in zip(calls, right, strict=True):
            if one.key == action.key:
                return actions_of(call.get("mistakes", ())) or []
        return []


def _call(window: "Window", action: Action) -> Any:
    given: Mapping[str, Any] = action.arguments
    match action.tool:
        case CLICK.name:
            return window.click(_target(given["role"], given))
        case TYPE.name:
            return window.type(_target("", given), given["text"], enter=given.get("enter", False))
        case SELECT.name:
            return window.select(_target("", given), given["option"])
        case _:
            return window.back()


def _target(role: str, given: Mapping[str, Any]) -> "Target":
    from environments.browser.chromium import Target

    return Target(role, given["name"], given.get("number", 1))


def _plain(text: str) -> str:
    """Return an answer without case, punctuation at its ends, and double blanks."""
    return re.sub(r"\s+", " ", text).strip(" .,;:!?\"'").casefold()
