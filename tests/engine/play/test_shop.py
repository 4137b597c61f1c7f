"""Human play: recorded in any environment; the web shop over HTTP and in a real Chromium."""

import http.client
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from engine.errors import UsageError
from engine.play.recording import SOURCE, Recording, RecordingStore
from engine.play.shop import ShopApp
from engine.runs.store import Store
from engine.web import HOST, WebServer, listen
from environments import Action
from environments.tools import GIVE_UP
from environments.webshop.env import WebShopEnv
from examples.keypad import KeypadEnv
from search.tree import ROOT
from tests.engine.test_cli import engine
from tests.support.browser import browser_page
from tests.support.configs import make_config

CONFIG = make_config("webshop", teacher=SOURCE)


@dataclass(frozen=True)
class Shop:
    """A shop and its server."""

    page: ShopApp
    server: WebServer


@contextmanager
def served(out: Path | None = None, env: WebShopEnv | None = None) -> Iterator[Shop]:
    env = env or WebShopEnv()
    with RecordingStore.open(out, CONFIG, env) as store:
        page = ShopApp(env, store.keep, store.known)
        with WebServer(page.app, listen(HOST, 0)) as server:
            yield Shop(page, server)


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with served() as shop:
        yield shop


def ask(
    shop: Shop, method: str, path: str, headers: Mapping[str, str], **fields: str
) -> tuple[int, str, Message]:
    """Status, text and headers of one request, with just these headers."""
    connection = http.client.HTTPConnection("127.0.0.1", shop.server.port, timeout=10)
    body = urlencode(fields) if method == "POST" else None
    length = {"Content-Length": str(len(body))} if body is not None else {}
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in {**length, **headers}.items():
        connection.putheader(name, value)
    connection.endheaders(body.encode() if body else None)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text, answer.headers


def own(shop: Shop) -> dict[str, str]:
    """The headers of a new browser that is on our page."""
    page = {"Host": f"127.0.0.1:{shop.server.port}", "Origin": shop.server.address.rstrip("/")}
    cookie = ask(shop, "GET", "/", page)[2]["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie
    return page | {"Cookie": cookie.partition(";")[0]}


def test_it_listens_on_loopback_only_and_a_taken_port_is_an_error(shop):
    assert shop.server.host == "127.0.0.1"
    with pytest.raises(UsageError, match="try another --port"):
        listen(HOST, shop.server.port)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", ""])
def test_another_host_name_is_refused(shop, host):
    headers = own(shop) | {"Host": host.format(port=shop.server.port)}
    for method in ("GET", "POST"):
        assert ask(shop, method, "/start", headers)[0] == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", ""])
def test_a_form_of_another_origin_is_refused(shop, origin):
    headers = own(shop) | {"Origin": origin.format(port=shop.server.port)}
    if not origin:
        del headers["Origin"]
    assert ask(shop, "POST", "/start", headers, task="0")[0] == 403
    assert next(reversed(shop.page.visits.values())).recording is None


def test_pages_forbid_scripts_and_frames(shop):
    _, text, headers = ask(shop, "GET", "/tasks", own(shop))
    assert "<script" not in text and "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_odd_requests_are_answered(shop):
    assert ask(shop, "GET", "/tasks?from=999999", own(shop))[0] == 200
    assert ask(shop, "GET", "/tasks?from=x", own(shop))[0] == 200
    assert ask(shop, "GET", "/../run.db", own(shop))[0] == 404
    assert ask(shop, "POST", "/nowhere", own(shop))[0] == 404
    assert ask(shop, "POST", "/start", own(shop) | {"Content-Length": "99999999"})[0] == 413
    assert ask(shop, "POST", "/start", own(shop), task="-1x")[0] == 303


def test_a_click_that_comes_too_late_gets_a_notice(shop):
    browser = own(shop)
    ask(shop, "POST", "/start", browser, task="0")
    ask(shop, "POST", "/click", browser, element="<b>Buy Now</b>")
    page = ask(shop, "GET", "/", browser)[1]
    assert "has nothing called" in page and "&lt;b&gt;" in page
    ask(shop, "POST", "/give_up", browser)
    assert "You gave up" in ask(shop, "GET", "/", browser)[1]
    ask(shop, "POST", "/search", browser, query="more")
    assert "The task is over" in ask(shop, "GET", "/", browser)[1]


def test_each_browser_has_its_own_state_and_one_tree_of_a_task(tmp_path):
    env = WebShopEnv()
    with served(tmp_path / "run", env) as shop:
        one, other, third = (own(shop) for _ in range(3))
        for browser in (one, other):
            ask(shop, "POST", "/start", browser, task="0")
        ask(shop, "POST", "/start", third, task="1")
        for action in env.solution(env.tasks[0]):
            ask(shop, "POST", f"/{action.tool}", one, **action.arguments)
            assert "Buy Now" not in ask(shop, "GET", "/", other)[1]
        assert "Thank you" in ask(shop, "GET", "/", one)[1]
        ask(shop, "POST", "/give_up", other)
        assert "You gave up" in ask(shop, "GET", "/", other)[1]
        assert env.tasks[1].details["instruction"] in ask(shop, "GET", "/", third)[1]
    with Store.open(tmp_path / "run") as store:
        rewards = [leaf.step.reward for leaf in store.tree(env.tasks[0].id).leaves()]
    assert rewards == [1.0, 0.0]


def test_undo_branches_and_a_repeated_step_does_not():
    env = WebShopEnv()
    kept = []
    recording = Recording.start(env, env.tasks[0], kept.append)
    first, *rest = env.solution(env.tasks[0])
    recording.play(first)
    recording.play(Action("click", {"element": "no such thing"}))
    recording.play(Action(GIVE_UP.name, {}))
    recording.undo()
    for action in rest:
        recording.play(action)
    assert recording.over and recording.step and recording.step.solved
    recording.restart()
    assert recording.at == ROOT and not recording.over
    recording.play(first)
    tree = recording.tree
    assert recording.at == 1 and len(tree.nodes) == 2 + len(rest)
    assert [leaf.step.reward for leaf in tree.leaves()] == [0.0, 1.0]
    assert kept == [tree, tree] and (tree.source, tree.stopped) == ("human", "solved")


def test_any_environment_can_be_recorded(tmp_path):
    env = KeypadEnv()
    config = make_config("examples.keypad:KeypadEnv", teacher=SOURCE)
    task = env.tasks[0]
    with RecordingStore.open(tmp_path / "run", config, env) as store:
        recording = Recording.start(env, task, store.keep, store.known(task))
        note, *presses, turn = env.solution(task)
        recording.play(note)
        recording.play(turn)
        recording.undo()
        for action in (*presses, turn):
            recording.play(action)
    with Store.open(tmp_path / "run") as run:
        leaves = run.tree(task.id).leaves()
    assert [(leaf.parent, leaf.step.reward) for leaf in leaves] == [(1, 0.0), (5, 1.0)]


def test_a_run_of_another_configuration_is_not_written_into(tmp_path):
    env = WebShopEnv()
    with RecordingStore.open(tmp_path / "run", CONFIG, env) as store:
        Recording.start(env, env.tasks[0], store.keep).play(Action(GIVE_UP.name, {}))
    other = make_config("webshop", split="test", teacher=SOURCE)
    with (
        pytest.raises(UsageError, match="--split"),
        RecordingStore.open(tmp_path / "run", other, env),
    ):
        pass


def test_an_earlier_recording_is_continued(tmp_path):
    env = WebShopEnv()
    for times in (1, 2):
        with RecordingStore.open(tmp_path / "run", CONFIG, env) as store:
            task = env.tasks[0]
            recording = Recording.start(env, task, store.keep, store.known(task))
            actions = env.solution(task) if times == 2 else [Action(GIVE_UP.name, {})]
            for action in actions:
                recording.play(action)
    with Store.open(tmp_path / "run") as store:
        tree = store.tree(task.id)
    assert [leaf.step.reward for leaf in tree.leaves()] == [0.0, 1.0]


def test_what_a_person_buys_in_chromium_becomes_a_row(tmp_path):
    """As a person does: read the task, search, choose, undo a wrong turn, buy, see the reward."""
    env = WebShopEnv()
    search, *clicks = env.solution(env.tasks[1])
    with served(tmp_path / "run", env) as shop, browser_page() as page:
        page.goto(shop.server.address)
        page.get_by_role("button", name="Shop").nth(1).click()
        assert env.tasks[1].details["instruction"] in page.inner_text("main")
        page.get_by_role("searchbox").fill(search.arguments["query"])
        page.get_by_role("button", name="Search").click()
        assert "Total results" in page.inner_text("main")
        page.get_by_role("button", name="Next >").click()
        page.get_by_role("button", name="Undo").click()
        result, *clicks = clicks
        product = page.locator(f'button[value="{result.arguments["element"]}" i]')
        assert len(product.inner_text().split()) > 1  # its title
        product.click()
        for click in clicks:
            element = click.arguments["element"]
            page.get_by_role("button", name=re.compile(f"^{re.escape(element)}$", re.I)).click()
        assert "1.0" in page.inner_text("main") and "Thank you" in page.inner_text("main")
    done = engine("export", tmp_path / "run", "--output", tmp_path / "rows.jsonl")
    assert done.returncode == 0, done.stderr
    row = json.loads((tmp_path / "rows.jsonl").read_text())
    assert (row["source"], row["reward"]) == ("human", 1.0)
    calls = [m["tool_calls"][0]["function"] for m in row["messages"] if m.get("tool_calls")]
    assert [call["name"] for call in calls] == ["search"] + ["click"] * (1 + len(clicks))


def hostile_shop(folder: Path) -> str:
    """The bundled shop, with a script wherever the data has a text."""
    data = Path(__file__).parents[3] / "environments" / "webshop" / "data"
    shutil.copytree(data, folder)
    attack = "<script>document.title='owned'</script><img src=x onerror=document.title='owned'>"
    file = folder / "items_shuffle.json"
    products = json.loads(file.read_text())
    for product in products:
        product["name"] += attack
        product["full_description"] += attack
        product["images"] = ["javascript:document.title='owned'"]
        product["small_description"] = [attack]
    file.write_text(json.dumps(products))
    return str(folder)


def test_nothing_in_the_data_runs_in_chromium(tmp_path):
    env = WebShopEnv(data=hostile_shop(tmp_path / "shop"), goals="human")
    search, product, *_ = env.solution(env.tasks[0])
    with served(env=env) as shop, browser_page() as page:
        page.goto(shop.server.address)
        page.get_by_role("button", name="Shop").first.click()
        page.get_by_role("searchbox").fill(search.arguments["query"])
        page.get_by_role("button", name="Search").click()
        page.locator(f'button[value="{product.arguments["element"].upper()}"]').click()
        assert "<script>" in page.inner_text("main")
        page.get_by_role("button", name="Features").click()
        assert "onerror" in page.inner_text("main")
        assert page.title() == "Shop" and page.locator("main img").count() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_a_task_until_a_signal(tmp_path, number):
    command = [sys.executable, "-m", "engine", "shop", "serve", "--task", "human-0", "--port", "0"]
    with subprocess.Popen(
        [*command, "--split", "original-test", "--out", str(tmp_path / "run")],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        try:
            address = process.stderr.readline().split()[0]
            with urlopen(address, timeout=10) as answer:
                assert "Instruction" in answer.read().decode()
            process.send_signal(number)
            output = process.communicate(timeout=10)[1]
        finally:
            process.kill()
    assert process.returncode == 0 and "recorded into" in output


def test_wrong_flags_are_errors_of_one_line(tmp_path):
    done = engine("shop", "serve", "--data", tmp_path, "--port", 0)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    done = engine("shop", "serve", "--task", "human-x", "--port", 0)
    assert done.returncode == 2 and "no task" in done.stderr
