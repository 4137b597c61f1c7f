"""The web shop for a person: the agent's pages in a browser on this machine.

Each browser has a state of its own, by a cookie; its tabs show the same. No script runs, neither
ours nor the data's.
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from engine.play.recording import Recording
from engine.web import browser_app, read_body
from environments.tools import GIVE_UP
from environments.types import Action, Task
from environments.webshop.env import WebShopEnv
from environments.webshop.pages.html import STYLE, button, document, form, shop_page
from search.tree import Tree

TASKS_PER_PAGE = 50
COOKIE = "treegraft-shop"
MAX_VISITS = 100
"""Browsers whose state is kept; the one that was away longest is forgotten first."""

_MAX_FORM_BYTES = 1 << 16
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src http: https: data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)


@dataclass(slots=True)
class Visit:
    """What one browser does in the shop.

    Attributes:
        recording: the task in play; None before the first.
        notice: what is wrong with the last click; "" for nothing.
    """

    recording: Recording | None = None
    notice: str = ""


class ShopApp:
    """The pages of the shop; each browser plays a task of its own.

    All requests run in the server's event loop, one at a time. They share the environment, which is
    brought to the browser's state first.

    Args:
        keep: called with the tree whenever a path of it ends.
        known: returns what was recorded of a task before, if anything.
        first: the task that each browser starts with; None to choose one.

    Attributes:
        visits: by the cookie of their browser, the last used last.
    """

    def __init__(
        self,
        env: WebShopEnv,
        keep: Callable[[Tree], None],
        known: Callable[[Task], Tree | None],
        first: Task | None = None,
    ) -> None:
        self._env, self._keep, self._known, self._first = env, keep, known, first
        self._trees: dict[str, Tree] = {}  # two browsers that play one task add to one tree
        self.visits: OrderedDict[str, Visit] = OrderedDict()
        self.app: Starlette = browser_app(
            [
                Route("/", self._get_page),
                Route("/tasks", self._get_tasks),
                Route("/style.css", self._get_style),
                Route("/{form}", self._post, methods=["POST"]),
            ],
            _POLICY,
        )

    async def _get_page(self, request: Request) -> Response:
        key, visit = self._visit(request)
        return _with_cookie(_html(self._page(visit)), key)

    async def _get_tasks(self, request: Request) -> Response:
        first = request.query_params.get("from", "")
        return _html(self._tasks(int(first) if first.isdecimal() else 0))

    async def _get_style(self, request: Request) -> Response:
        return Response(STYLE.read_text("utf-8"), media_type="text/css")

    async def _post(self, request: Request) -> Response:
        body = (await read_body(request, _MAX_FORM_BYTES)).decode("utf-8", "replace")
        fields = {name: values[0] for name, values in parse_qs(body).items()}
        key, visit = self._visit(request)
        self._submit(visit, request.path_params["form"], fields)
        return _with_cookie(RedirectResponse("/", 303), key)

    def _visit(self, request: Request) -> tuple[str, Visit]:
        """Return the visit of the browser that asks, and its cookie. The environment is at it."""
        key = request.cookies.get(COOKIE, "")
        if key not in self.visits:
            key = secrets.token_urlsafe(16)
            self.visits[key] = visit = Visit()
            if self._first is not None:
                self._start(visit, self._first)
            if len(self.visits) > MAX_VISITS:
                self.visits.popitem(last=False)
        self.visits.move_to_end(key)
        visit = self.visits[key]
        if visit.recording is not None:
            visit.recording.resume()
        return key, visit

    def _start(self, visit: Visit, task: Task) -> None:
        """Play `task` from its start."""
        known = self._trees.get(task.id) or self._known(task)
        visit.recording = Recording.start(self._env, task, self._keep, known)
        self._trees[task.id] = visit.recording.tree

    def _submit(self, visit: Visit, name: str, fields: Mapping[str, str]) -> None:
        """Do what the form `name` asks for."""
        visit.notice = ""
        recording = visit.recording
        match name:
            case "start":
                self._start(visit, self._task(fields.get("task", "")))
            case "search":
                _play(visit, Action("search", {"query": fields.get("query", "")}))
            case "click":
                _play(visit, Action("click", {"element": fields.get("element", "")}))
            case "give_up":
                _play(visit, Action(GIVE_UP.name, {}))
            case "undo" if recording is not None:
                recording.undo()
            case "restart" if recording is not None:
                recording.restart()
            case _:
                raise HTTPException(404)

    def _task(self, number: str) -> Task:
        tasks = self._env.tasks
        return tasks[int(number) % len(tasks)] if number.isdecimal() else tasks[0]

    def _page(self, visit: Visit) -> str:
        """Return what the person sees now."""
        notices = _notices(visit)
        if visit.recording is None:
            return self._tasks(0, *notices)
        controls = _controls(visit.recording.over)
        return document("Shop", controls, *notices, self._main(visit.recording))

    def _main(self, recording: Recording) -> str:
        if recording.step is not None and recording.step.info.get("gave_up"):
            return '<main class="done"><h2>You gave up.</h2></main>'
        return shop_page(self._env.page, self._env.session, by_title=True)

    def _tasks(self, first: int, *notices: str) -> str:
        """Return the list of tasks from number `first` on."""
        tasks = self._env.tasks
        rows = [
            f"<li>{escape(task.details['instruction'])} "
            + form("/start", button("Shop", name="task", value=str(number), style="start"))
            + "</li>"
            for number, task in enumerate(tasks[first : first + TASKS_PER_PAGE], first)
        ]
        items = f'<ol class="tasks" start="{first + 1}">' + "\n".join(rows) + "</ol>"
        others = [max(first - TASKS_PER_PAGE, 0)] * (first > 0)
        others += [first + TASKS_PER_PAGE] * (first + TASKS_PER_PAGE < len(tasks))
        links = [f'<a href="/tasks?from={n}">Tasks from {n + 1}</a>' for n in others]
        head = f"<nav><h2>{len(tasks)} tasks</h2>" + " ".join(links) + "</nav>"
        return document("Tasks", head, *notices, f"<main>{items}</main>")


def _play(visit: Visit, action: Action) -> None:
    """Act. A click in an old tab may come too late or name a missing element: notice that."""
    if visit.recording is None:
        visit.notice = "Choose a task first."
    elif visit.recording.over:
        visit.notice = "The task is over. Undo a step to try another way, or take another task."
    else:
        step = visit.recording.play(action)
        visit.notice = step.observation.split("\n")[0] if step.info.get("error") else ""


def _notices(visit: Visit) -> list[str]:
    return [f'<p class="note error">{escape(visit.notice)}</p>'] if visit.notice else []


def _with_cookie(response: Response, key: str) -> Response:
    response.set_cookie(COOKIE, key, httponly=True, samesite="strict")
    return response


def _controls(over: bool) -> str:
    buttons = [("/undo", "Undo"), ("/restart", "Start again")]
    buttons += [("/give_up", "Give up")] * (not over)
    forms = [form(to, f'<button class="control">{label}</button>') for to, label in buttons]
    return "<nav>" + "".join(forms) + '<a href="/tasks">All tasks</a></nav>'


def _html(text: str) -> Response:
    """Return `text` as a page; the data may hold characters that UTF-8 cannot encode."""
    return HTMLResponse(text.encode("utf-8", "replace"))
