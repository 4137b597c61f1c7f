"""The live page: access control, following a run in a real Chromium, marks."""

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from engine.errors import UsageError
from engine.runs.annotations import FILE, append_annotations, read_annotations
from engine.runs.store import Store
from engine.view.live import Feed
from engine.view.reader import RunReader
from engine.view.server import TOKEN, ViewApp
from engine.web import HOST, WebServer, listen
from tests.engine.view.test_annotations import mark
from tests.support.exploring import engine, started
from tests.support.viewed import run_of, searched
from tests.support.viewer_page import choose, window_on_pages

ROOT_FOLDER = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def window() -> Iterator[Page]:
    with window_on_pages() as page:
        yield page


@dataclass(frozen=True)
class View:
    """A live page and its server."""

    page: ViewApp
    server: WebServer


@contextmanager
def served(run: Path) -> Iterator[View]:
    with RunReader.open(run) as reader:
        page = ViewApp(run, Feed(reader))
        with WebServer(page.app, listen(HOST, 0)) as server:
            page.feed.refresh()
            yield View(page, server)


def ask(
    view: View, method: str, path: str, headers: Mapping[str, str], body: str = ""
) -> tuple[int, str]:
    """Status and text of one request, with just these headers."""
    connection = http.client.HTTPConnection("127.0.0.1", view.server.port, timeout=10)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        connection.putheader(name, value)
    connection.endheaders(body.encode())
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def own(view: View) -> dict[str, str]:
    """The headers of our own page."""
    host = f"127.0.0.1:{view.server.port}"
    return {"Host": host, "Origin": f"http://{host}", TOKEN: view.page.token}


def test_it_answers_its_own_page_only(tmp_path):
    run = run_of(tmp_path / "run", searched())
    with served(run) as view:
        sent, ours = json.dumps(mark(verdict="bad").to_dict()), own(view)
        assert view.server.host == "127.0.0.1"
        for host in ("evil.example", f"evil.example:{view.server.port}", "127.0.0.1", ""):
            posts = (("POST", "/marks"), ("POST", "/corrections"))
            for method, path in (("GET", "/"), ("GET", "/tree?task=t1"), *posts):
                assert ask(view, method, path, ours | {"Host": host}, sent)[0] == 403
        for wrong in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {TOKEN: "x"}):
            for _, path in posts:
                assert ask(view, "POST", path, ours | wrong, sent)[0] == 403
        without = {name: value for name, value in ours.items() if name != TOKEN}
        assert ask(view, "POST", "/marks", without, sent)[0] == 403
        assert not (run / FILE).exists()
        with pytest.raises(UsageError, match="try another --port"):
            listen(HOST, view.server.port)


def test_odd_requests_are_answered(tmp_path):
    run = run_of(tmp_path / "run", searched())
    with served(run) as view:
        ours = own(view)
        for path in ("/../run.db", "/tree", "/tree?task=gone", "/nowhere"):
            assert ask(view, "GET", path, ours)[0] == 404
        assert ask(view, "GET", "/changes?since=x&marks=-1", ours)[0] == 200
        assert ask(view, "POST", "/nowhere", ours)[0] == 404
        assert ask(view, "POST", "/marks", ours | {"Content-Length": "99999999"})[0] == 413
        strange = mark(6, searched("gone")).to_dict()
        for body in ("", "[]", "{}", json.dumps(strange)):
            assert ask(view, "POST", "/marks", ours, body)[0] == 400
        assert read_annotations(run / FILE) == []
        (run / FILE).write_text("broken\n")
        assert ask(view, "GET", "/changes", ours) == (
            404,
            "not a mark: 'broken' (Expecting value: line 1 column 1 (char 0))",
        )


def test_the_live_page_follows_a_run_and_keeps_marks(window, tmp_path):
    run = tmp_path / "run"
    explore = ["explore", "--env", "bird", "--split", "train", "--sandbox", "process", "--unsafe"]
    explore += ["--out", str(run), "--limit"]
    engine(*explore, "2")
    window.context.set_offline(False)
    with served(run) as view:
        window.goto(view.server.address)
        expect(window.locator(".task")).to_have_count(2)
        with Store.create(run) as store:
            store.set_meta({"asked": 8})
        view.page.feed.refresh()
        expect(window.locator("#counters")).to_contain_text("remaining 6")
        with started([*explore, "6"], stdout=subprocess.DEVNULL) as process:
            while process.poll() is None:
                view.page.feed.refresh()
                time.sleep(0.1)
        view.page.feed.refresh()
        expect(window.locator(".task")).to_have_count(6)
        expect(window.locator("#counters")).to_contain_text("solved 6")
        expect(window.locator("#counters")).to_contain_text("remaining 0")
        choose(window, 1)
        window.locator('[data-scope="node"]').get_by_role("button", name="good").click()
        expect(window.locator("#here")).to_contain_text("[good]")
        why = window.locator('[data-scope="node"]').get_by_role("textbox")
        why.fill("half a wo")
        append_annotations(
            run / FILE, [replace(read_annotations(run / FILE)[0], node=0, signature="")]
        )
        with window.expect_response("**/changes?since=*&marks=2"):
            pass
        assert why.input_value() == "half a wo"
        kept, _ = read_annotations(run / FILE)
        assert (kept.node, kept.verdict, kept.task) == (1, "good", "bird-train-0") and kept.at
        window.locator(".correcting summary").click()
        window.get_by_label("Corrected thought").fill("I look at the tables first.")
        window.get_by_role("button", name="Play the corrected path").click()
        expect(window.locator(".correcting [role=status]")).to_contain_text(
            "solved, reward 1, in run-corrected", timeout=30_000
        )
        with Store.open(run.with_name("run-corrected")) as store:
            made = store.tree("bird-train-0")
        assert made.nodes[0].step.action.thought == "I look at the tables first."
        window.reload()
        expect(window.locator('.node[data-node="1"]')).to_contain_text("[good]")
        window.goto("about:blank")


def test_the_command_serves_until_ctrl_c(tmp_path):
    run = run_of(tmp_path / "run", searched())
    line = [sys.executable, "-m", "engine", "view", str(run), "--serve", "--json"]
    with subprocess.Popen(
        line, cwd=ROOT_FOLDER, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            port = json.loads(process.stdout.readline())["address"].split(":")[2].strip("/")
            connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=20)
            told: list[str] = []
            while not told:
                connection.request("GET", "/changes?since=0")
                told = [t["id"] for t in json.loads(connection.getresponse().read())["tasks"]]
            assert told == ["t1"]
            connection.close()
            process.send_signal(2)
            assert "nothing was marked" in process.communicate(timeout=20)[1]
        finally:
            process.kill()
    assert process.returncode == 0
