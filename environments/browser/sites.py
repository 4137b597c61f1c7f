"""What the browser is answered: files of static sites, and the web shop. There is no network.

A host is a folder of files, and every request is answered from it. What forms send is noted.
"""

import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from environments.types import Action, Task
from environments.webshop.env import WebShopEnv
from environments.webshop.pages.html import STYLE, document, shop_page

SHOP = "shop.test"
"""The host of the web shop."""

Fields = dict[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """A response."""

    body: bytes
    status: int = 200
    content_type: str = "text/html; charset=utf-8"


GO_ON = Answer(b"<script>location.replace('/')</script>")
"""A redirection, as a page: Playwright answers no request that a redirection made."""
NOT_FOUND = Answer(b"<h1>404: there is no such page</h1>", 404)


@dataclass(frozen=True, slots=True)
class Submission:
    """What a form sent: to which path of which host, and its fields."""

    host: str
    path: str
    fields: Mapping[str, str]


@dataclass(slots=True)
class Sites:
    """All hosts, and what was sent to them since the task began.

    Attributes:
        folder: has a folder of files for each host.
        shop: answers for `SHOP`; None if no task is about it.
        sent: the submissions, in order.
        reward: what was earned by a purchase; None before it.
    """

    folder: Path
    shop: WebShopEnv | None = None
    sent: list[Submission] = field(default_factory=list)
    reward: float | None = None

    def start(self, shop_task: Task | None) -> None:
        """Forget what was sent; start a task of the shop."""
        self.sent, self.reward = [], None
        if self.shop is not None and shop_task is not None:
            self.shop.reset(options={"task": shop_task})

    def answer(self, url: str, method: str, body: str) -> Answer | None:
        """Return the answer to a request; None if it leaves these sites."""
        parts = urlsplit(url)
        host, path = parts.hostname or "", unquote(parts.path)
        if self.shop is not None and host == SHOP:
            return self._shop_page(path, _fields(body))
        root = (self.folder / host).resolve()
        if root.parent != self.folder.resolve() or not root.is_dir():
            return None
        sent = _fields(body if method == "POST" else parts.query)
        if sent:
            self.sent.append(Submission(host, path, sent))
        file = (root / (path.lstrip("/") or "index.html")).resolve()
        if not file.is_relative_to(root) or not file.is_file():
            return NOT_FOUND
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        charset = "; charset=utf-8" if kind.startswith("text/") else ""
        return Answer(file.read_bytes(), content_type=kind + charset)

    def _shop_page(self, path: str, sent: Fields) -> Answer:
        assert self.shop is not None
        if path == "/style.css":
            return Answer(STYLE.read_bytes(), content_type="text/css")
        actions = {"/search": ("search", "query"), "/click": ("click", "element")}
        if path in actions and self.reward is None:
            tool, argument = actions[path]
            _, reward, over, _, _ = self.shop.step(Action(tool, {argument: sent.get(argument, "")}))
            self.reward = reward if over else None
            return GO_ON
        if path != "/":
            return NOT_FOUND
        page = shop_page(self.shop.page, self.shop.session)
        return Answer(document("Shop", page).encode())


def _fields(text: str) -> Fields:
    return {name: ", ".join(v) for name, v in parse_qs(text, keep_blank_values=True).items()}
