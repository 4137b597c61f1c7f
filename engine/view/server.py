"""The page of a run that may still be going on: on loopback, the run itself only read.

What a person marks is posted with a token that the page was given, and appended to the marks' file.
"""

import json
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from hmac import compare_digest
from http import HTTPStatus
from pathlib import Path
from threading import Lock, Thread
from urllib.parse import parse_qs, urlsplit

from engine.errors import LeakError, UsageError
from engine.export.pairs import PairKind
from engine.play.loopback import LoopbackHandler, LoopbackServer
from engine.runs.annotations import (
    Annotation,
    annotations_file,
    append_annotations,
    read_annotations,
)
from engine.view.data import Json
from engine.view.html import page_end, page_start
from engine.view.live import Feed
from engine.view.reader import RunReader

LOOK_EVERY = 0.5
"""Seconds between two looks at the run."""
_LONGEST_MARK = 1 << 16
TOKEN = "X-Treegraft-Token"


class ViewServer(LoopbackServer):
    """Serves the run in folder `run`, of which `feed` tells what changes."""

    def __init__(self, run: Path, feed: Feed, port: int = 0) -> None:
        self.run, self.feed = run, feed
        self.token = secrets.token_urlsafe(32)
        self.marking = Lock()
        super().__init__(port, Handler)

    @property
    def marks(self) -> Path:
        return annotations_file(self.run)

    @property
    def pairs(self) -> PairKind:
        return self.feed.reader.pairs

    def page(self) -> str:
        about = self.feed.reader.about
        return page_start(about["name"], live=True) + page_end(
            {"about": about, "token": self.token}
        )

    def changes(self, since: int, marks: int) -> Json:
        """What came after change number `since` and after the first `marks` marks."""
        number, tasks = self.feed.since(since)
        told = [mark.to_dict() for mark in read_annotations(self.marks)[marks:]]
        speed = {"asked": self.feed.asked, "rate": self.feed.rate}
        return {"number": number, "tasks": tasks, "marks": told, **speed}

    def tree(self, task_id: str) -> Json:
        """Raises UsageError or LeakError; a store belongs to the thread that opened it."""
        with RunReader.open(self.run, self.pairs) as reader:
            return reader.read(task_id).detail

    def mark(self, sent: str) -> Json:
        """Keep a mark and say it. Raises UsageError where it is none, or of no node here."""
        mark = Annotation.from_json(sent, at=datetime.now(UTC).isoformat(timespec="seconds"))
        with self.marking, RunReader.open(self.run) as reader:
            if reader.stale([mark]):
                raise UsageError("the tree has changed since; look at it again")
            append_annotations(self.marks, [mark])
        return mark.to_dict()


def serving(server: ViewServer) -> None:
    """Answer, and follow the run, until interrupted.

    The run is read here, on the caller's thread: a defect in it ends the command.
    """
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        while True:
            server.feed.refresh()
            time.sleep(LOOK_EVERY)
    finally:
        server.shutdown()
        thread.join()


class Handler(LoopbackHandler):
    """Requests of one connection."""

    server: ViewServer
    # The page's own policy, in its head, names what may run in it.
    policy = "frame-ancestors 'none'; object-src 'none'"

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        fields = {name: values[0] for name, values in parse_qs(address.query).items()}
        if not self.meant_for_us():
            self.answer(
                "this run is served under its loopback address only", status=HTTPStatus.FORBIDDEN
            )
        elif address.path == "/":
            self.answer(self.server.page(), "text/html")
        elif address.path == "/changes":
            since, marks = (_number(fields, name) for name in ("since", "marks"))
            self._told(lambda: self.server.changes(since, marks))
        elif address.path == "/tree":
            self._told(lambda: self.server.tree(fields.get("task", "")))
        else:
            self.answer("not found", status=HTTPStatus.NOT_FOUND)

    def _told(self, value: Callable[[], Json], failed: HTTPStatus = HTTPStatus.NOT_FOUND) -> None:
        """Answer with `value()`, or with what is wrong."""
        try:
            told = json.dumps(value())
        except (UsageError, LeakError) as error:
            self.answer(str(error), status=failed)
        else:
            self.answer(told, "application/json")

    def do_POST(self) -> None:
        self.close_connection = True  # of a refused post the body is not read
        length = self.headers.get("Content-Length", "")
        token = self.headers.get(TOKEN, "")
        ours = self.meant_for_us() and self.from_us()
        if not (ours and compare_digest(token.encode(), self.server.token.encode())):
            self.answer("marks are taken from this page only", status=HTTPStatus.FORBIDDEN)
        elif self.path != "/marks":
            self.answer("not found", status=HTTPStatus.NOT_FOUND)
        elif not (length.isdecimal() and int(length) <= _LONGEST_MARK):
            self.answer("too long", status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            sent = self.rfile.read(int(length)).decode("utf-8", "replace")
            self._told(lambda: self.server.mark(sent), failed=HTTPStatus.BAD_REQUEST)


def _number(fields: dict[str, str], name: str) -> int:
    text = fields.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 16 else 0
