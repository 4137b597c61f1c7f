"""The web shop for a person: the same pages as the agent's, on loopback, in a browser.

One shop, one person: every tab shows the same moment. Whoever can open a connection to this
machine's loopback can look; what acts must come from our own page: requests under another host name
(DNS rebinding) and forms of another origin are refused. No script runs, ours or the data's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from http import HTTPStatus
from threading import Lock
from urllib.parse import parse_qs, urlsplit

from engine.play.loopback import LoopbackHandler, LoopbackServer
from engine.play.recording import Recording
from environments.tools import GIVE_UP
from environments.types import Action, Task
from environments.webshop.env import WebShopEnv
from environments.webshop.pages.html import STYLE, button, document, form, shop_page
from search.tree import Tree

LISTED = 50
"""Tasks a page of the list."""

_LONGEST_FORM = 1 << 16
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src http: https: data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)

Fields = Mapping[str, str]


@dataclass
class Counter:
    """Where the person stands: which task is played, and what to tell on the next page.

    keep: is given the tree of each finished path.   known: finds a tree of an earlier day.
    """

    env: WebShopEnv
    keep: Callable[[Tree], None]
    known: Callable[[Task], Tree | None]
    recording: Recording | None = None
    notice: str = ""
    lock: Lock = field(default_factory=Lock)

    def start(self, task: Task) -> None:
        self.recording = Recording.start(self.env, task, self.keep, self.known(task))

    def do(self, what: str, fields: Fields) -> bool:
        """Do what a form asks; False where there is no such form."""
        self.notice = ""
        match what:
            case "/start":
                self.start(self._task(fields.get("task", "")))
            case "/search":
                self._play(Action("search", {"query": fields.get("query", "")}))
            case "/click":
                self._play(Action("click", {"element": fields.get("element", "")}))
            case "/give_up":
                self._play(Action(GIVE_UP.name, {}))
            case "/back" | "/again" if self.recording is not None:
                self.recording.back() if what == "/back" else self.recording.again()
            case _:
                return False
        return True

    def _task(self, number: str) -> Task:
        tasks = self.env.tasks
        return tasks[int(number) % len(tasks)] if number.isdecimal() else tasks[0]

    def _play(self, action: Action) -> None:
        """A click on an old tab may come too late, or name what is not there; that is told."""
        if self.recording is None:
            self.notice = "Choose a task first."
        elif self.recording.over:
            self.notice = "The task is over. Go back to try another way, or take another task."
        else:
            step = self.recording.play(action)
            self.notice = step.observation.split("\n")[0] if step.info.get("error") else ""

    def page(self) -> str:
        """What the person sees now."""
        if self.recording is None:
            return self.tasks(0)
        controls = _controls(self.recording.over)
        return document("Shop", controls, *self._told(), self._main(self.recording))

    def _main(self, recording: Recording) -> str:
        if recording.step is not None and recording.step.info.get("gave_up"):
            return '<main class="done"><h2>You gave up.</h2></main>'
        return shop_page(self.env.page, self.env.session)

    def _told(self) -> list[str]:
        return [f'<p class="note error">{escape(self.notice)}</p>'] if self.notice else []

    def tasks(self, first: int) -> str:
        """The list of tasks from number `first` on."""
        tasks = self.env.tasks
        rows = [
            f"<li>{escape(task.details['instruction'])} "
            + form("/start", button("Shop", name="task", value=str(number), style="start"))
            + "</li>"
            for number, task in enumerate(tasks[first : first + LISTED], first)
        ]
        listed = f'<ol class="tasks" start="{first + 1}">' + "\n".join(rows) + "</ol>"
        ways = [max(first - LISTED, 0)] * (first > 0)
        ways += [first + LISTED] * (first + LISTED < len(tasks))
        links = [f'<a href="/tasks?from={n}">Tasks from {n + 1}</a>' for n in ways]
        head = f"<nav><h2>{len(tasks)} tasks</h2>" + " ".join(links) + "</nav>"
        return document("Tasks", head, *self._told(), f"<main>{listed}</main>")


def _controls(over: bool) -> str:
    ways = [("/back", "Undo"), ("/again", "Start again")] + [("/give_up", "Give up")] * (not over)
    forms = [form(to, f'<button class="control">{label}</button>') for to, label in ways]
    return "<nav>" + "".join(forms) + '<a href="/tasks">All tasks</a></nav>'


class Handler(LoopbackHandler):
    """Requests of one connection."""

    server: "ShopServer"
    policy = _POLICY

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if not self.meant_for_us():
            self._refuse("this shop is served under its loopback address only")
        elif address.path == "/style.css":
            self.answer(STYLE.read_text("utf-8"), "text/css")
        elif address.path in ("/", "/tasks"):
            with self.server.counter.lock:
                self.answer(self._page(address.path, address.query), "text/html")
        else:
            self.answer("not found", status=HTTPStatus.NOT_FOUND)

    def _page(self, path: str, query: str) -> str:
        first = parse_qs(query).get("from", ["0"])[0]
        if path == "/":
            return self.server.counter.page()
        return self.server.counter.tasks(int(first) if first.isdecimal() else 0)

    def do_POST(self) -> None:
        self.close_connection = True  # of a refused form the body is not read
        length = self.headers.get("Content-Length", "")
        if not (self.meant_for_us() and self.from_us()):
            self._refuse("forms are taken from this shop's own pages only")
        elif not (length.isdecimal() and int(length) <= _LONGEST_FORM):
            self.answer("too long", status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            sent = parse_qs(self.rfile.read(int(length)).decode("utf-8", "replace"))
            fields = {name: values[0] for name, values in sent.items()}
            with self.server.counter.lock:
                done = self.server.counter.do(self.path, fields)
            status = HTTPStatus.SEE_OTHER if done else HTTPStatus.NOT_FOUND
            self.answer("" if done else "not found", status=status)

    def _refuse(self, why: str) -> None:
        self.answer(why, status=HTTPStatus.FORBIDDEN)


class ShopServer(LoopbackServer):
    """Serves `counter` on loopback; `port` 0 takes a free one.

    Raises:
        UsageError: the port is taken.
    """

    def __init__(self, counter: Counter, port: int = 0) -> None:
        self.counter = counter
        super().__init__(port, Handler)
