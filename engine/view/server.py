"""The live page of a run: served on loopback while the run goes on. The run is only read.

A person's marks are posted with a token from the page and appended to the file of marks.
"""

import json
import secrets
from asyncio import Lock, to_thread
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hmac import compare_digest
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from engine.errors import UsageError
from engine.export.pairs import PairKind
from engine.play.correction import Correction, correct, corrected_run
from engine.runs.annotations import (
    Annotation,
    annotations_file,
    append_annotations,
    read_annotations,
)
from engine.runs.codec import json_value
from engine.view.data import Json
from engine.view.html import page_end, page_start
from engine.view.live import Feed
from engine.view.reader import RunReader
from engine.web import HOST, WebServer, browser_app, listen, read_body, stop_event

REFRESH_SECONDS = 0.5
"""Seconds between two looks at the run."""
TOKEN = "X-Treegraft-Token"
_MAX_MARK_BYTES = 1 << 16
# The page itself declares, in its head, which scripts may run.
_POLICY = "frame-ancestors 'none'; object-src 'none'"


class ViewApp:
    """The page of the run in folder `run`, and the changes that `feed` reports.

    Attributes:
        token: what the page sends with each mark.
    """

    def __init__(self, run: Path, feed: Feed) -> None:
        self.run, self.feed = run, feed
        self.token = secrets.token_urlsafe(32)
        self._playing = Lock()
        self.app: Starlette = browser_app(
            [
                Route("/", self._page),
                Route("/changes", self._changes),
                Route("/tree", self._tree),
                Route("/marks", self._mark, methods=["POST"]),
                Route("/corrections", self._correct, methods=["POST"]),
            ],
            _POLICY,
        )

    # Starlette runs the methods that are not coroutines in worker threads.

    def _page(self, request: Request) -> Response:
        about = self.feed.reader.about
        return HTMLResponse(
            page_start(about["name"], live=True) + page_end({"about": about, "token": self.token})
        )

    def _changes(self, request: Request) -> Response:
        """What changed after change number `since`, and the marks after the first `marks`."""
        number, tasks = self.feed.since(_number(request, "since"))
        lines = read_annotations(annotations_file(self.run))[_number(request, "marks") :]
        marks = [mark.to_dict() for mark in lines]
        speed = {"asked": self.feed.asked, "rate": self.feed.rate}
        return _json({"number": number, "tasks": tasks, "marks": marks, **speed})

    def _tree(self, request: Request) -> Response:
        # SQLite: a store belongs to the thread that opened it.
        with RunReader.open(self.run, self.feed.reader.pairs) as reader:
            return _json(reader.read(request.query_params.get("task", "")).detail)

    async def _mark(self, request: Request) -> Response:
        """Append a mark and return it. The event loop runs one at a time."""
        text = await self._posted(request)
        mark = Annotation.from_json(text, at=datetime.now(UTC).isoformat(timespec="seconds"))
        with RunReader.open(self.run) as reader:
            if reader.stale([mark]):
                raise UsageError("the tree has changed since; look at it again")
        append_annotations(annotations_file(self.run), [mark])
        return _json(mark.to_dict())

    async def _correct(self, request: Request) -> Response:
        """Play a corrected path; return how it ended, and the run that keeps it."""
        correction = Correction.from_json(await self._posted(request))
        async with self._playing:  # one world at a time
            last = await to_thread(correct, self.run, correction)
        return _json(
            {
                "run": corrected_run(self.run).name,
                "status": last.status,
                "reward": last.step.reward,
                "observation": last.step.observation,
            }
        )

    async def _posted(self, request: Request) -> str:
        """Return the body of a request that this page has sent."""
        token = request.headers.get(TOKEN, "")
        if not compare_digest(token.encode(), self.token.encode()):
            raise HTTPException(403, "marks and corrections are taken from this page only")
        return (await read_body(request, _MAX_MARK_BYTES)).decode("utf-8", "replace")


@contextmanager
def follow(run: Path, pairs: PairKind, port: int) -> Iterator[WebServer]:
    """Serve the run's page on loopback; after the block, follow the run until Ctrl-C or SIGTERM."""
    with (
        RunReader.open(run, pairs) as reader,
        WebServer(ViewApp(run, feed := Feed(reader)).app, listen(HOST, port)) as server,
        stop_event() as stop,
    ):
        yield server
        feed.refresh()
        while not stop.wait(REFRESH_SECONDS):
            feed.refresh()


def _json(value: Json) -> Response:
    """Return `value` as ASCII: a model's text may hold characters that UTF-8 cannot encode."""
    return Response(json.dumps(json_value(value)), media_type="application/json")


def _number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 16 else 0
