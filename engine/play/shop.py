"""The web shop for a person: the agent's pages in a browser on this machine.

One shop, one person: every tab shows the same state. No script runs, neither ours nor the data's.
"""

from collections.abc import Callable, Mapping
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

_MAX_FORM_BYTES = 1 << 16
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src http: https: data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)


class ShopApp:
    """The pages of the shop, and the task that the person plays.

    All requests run in the server's event loop, one at a time.

    Args:
        keep: called with the tree whenever a path of it ends.
        known: returns what was recorded of a task before, if anything.

    Attributes:
        recording: the task in play; None before the first.
    """

    def __init__(
        self,
        env: WebShopEnv,
        keep: Callable[[Tree], None],
        known: Callable[[Task], Tree | None],
    ) -> None:
        self._env, self._keep, self._known = env, keep, known
        self._notice = ""
        self.recording: Recording | None = None
        self.app: Starlette = browser_app(
            [
                Route("/", self._get_page),
                Route("/tasks", self._get_tasks),
                Route("/style.css", self._get_style),
                Route("/{form}", self._post, methods=["POST"]),
            ],
            _POLICY,
        )

    def start(self, task: Task) -> None:
        """Play `task` from its start."""
        self.recording = Recording.start(self._env, task, self._keep, self._known(task))

    async def _get_page(self, request: Request) -> Response:
        return _html(self._page())

    async def _get_tasks(self, request: Request) -> Response:
        first = request.query_params.get("from", "")
        return _html(self._tasks(int(first) if first.isdecimal() else 0))

    async def _get_style(self, request: Request) -> Response:
        return Response(STYLE.read_text("utf-8"), media_type="text/css")

    async def _post(self, request: Request) -> Response:
        body = (await read_body(request, _MAX_FORM_BYTES)).decode("utf-8", "replace")
        fields = {name: values[0] for name, values in parse_qs(body).items()}
        self._submit(request.path_params["form"], fields)
        return RedirectResponse("/", 303)

    def _submit(self, name: str, fields: Mapping[str, str]) -> None:
        """Do what the form `name` asks for."""
        self._notice = ""
        match name:
            case "start":
                self.start(self._task(fields.get("task", "")))
            case "search":
                self._play(Action("search", {"query": fields.get("query", "")}))
            case "click":
                self._play(Action("click", {"element": fields.get("element", "")}))
            case "give_up":
                self._play(Action(GIVE_UP.name, {}))
            case "undo" if self.recording is not None:
                self.recording.undo()
            case "restart" if self.recording is not None:
                self.recording.restart()
            case _:
                raise HTTPException(404)

    def _task(self, number: str) -> Task:
        tasks = self._env.tasks
        return tasks[int(number) % len(tasks)] if number.isdecimal() else tasks[0]

    def _play(self, action: Action) -> None:
        """Act. A click in an old tab may come too late or name a missing element: notice that."""
        if self.recording is None:
            self._notice = "Choose a task first."
        elif self.recording.over:
            self._notice = "The task is over. Undo a step to try another way, or take another task."
        else:
            step = self.recording.play(action)
            self._notice = step.observation.split("\n")[0] if step.info.get("error") else ""

    def _page(self) -> str:
        """Return what the person sees now."""
        if self.recording is None:
            return self._tasks(0)
        controls = _controls(self.recording.over)
        return document("Shop", controls, *self._notices(), self._main(self.recording))

    def _main(self, recording: Recording) -> str:
        if recording.step is not None and recording.step.info.get("gave_up"):
            return '<main class="done"><h2>You gave up.</h2></main>'
        return shop_page(self._env.page, self._env.session)

    def _notices(self) -> list[str]:
        return [f'<p class="note error">{escape(self._notice)}</p>'] if self._notice else []

    def _tasks(self, first: int) -> str:
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
        return document("Tasks", head, *self._notices(), f"<main>{items}</main>")


def _controls(over: bool) -> str:
    buttons = [("/undo", "Undo"), ("/restart", "Start again")]
    buttons += [("/give_up", "Give up")] * (not over)
    forms = [form(to, f'<button class="control">{label}</button>') for to, label in buttons]
    return "<nav>" + "".join(forms) + '<a href="/tasks">All tasks</a></nav>'


def _html(text: str) -> Response:
    """Return `text` as a page; the data may hold characters that UTF-8 cannot encode."""
    return HTMLResponse(text.encode("utf-8", "replace"))
