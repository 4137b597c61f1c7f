"""Web pages in a real Chromium: what is done, what is graded, and what cannot be reached."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from environments import Action, DataError, ToolEnv, make
from sandbox import SandboxError
from sandbox.errors import StateLost
from tests.support.browser import chromium

Step = tuple[str, float, bool, str]


@pytest.fixture(scope="module")
def train() -> Iterator[ToolEnv]:
    chromium()
    env = make("browser")
    yield env
    env.close()


def start(env: ToolEnv, id: str) -> list[Action]:
    task = next(task for task in env.tasks if task.id == id)
    env.reset(options={"task": task})
    solution = env.solution(task)
    assert solution
    return solution


def play(env: ToolEnv, action: Action) -> Step:
    observation, reward, over, _, info = env.step(action)
    return observation, reward, over, str(info.get("error") or info.get("wrong") or "")


def click(name: str, role: str = "link", **more: int) -> Action:
    return Action("click", {"role": role, "name": name, **more})


@pytest.mark.parametrize("id", ["museum-tickets-0", "town-waste-0", "shop-human-0"])
def test_a_solution_solves_and_its_mistakes_do_not(train: ToolEnv, id: str) -> None:
    solution = start(train, id)
    *before, last = [play(train, action) for action in solution]
    assert not any(reward or over or error for _, reward, over, error in before)
    assert last[1:3] == (1.0, True)
    at, wrong = next(
        (at, wrong)
        for at, action in reversed(list(enumerate(solution)))
        for wrong in train.mistakes(train.task, action)  # type: ignore[arg-type]
        if wrong.tool in ("select", "finish", "type") or "shop" in id
    )
    start(train, id)
    reward = 0.0
    for action in [*solution[:at], wrong, *solution[at + 1 :]]:
        _, reward, over, _ = play(train, action)
        if over:
            break
    assert reward < 1.0, wrong


def test_splits_share_no_group_and_hold_every_site(train: ToolEnv) -> None:
    test = make("browser", split="test").tasks
    assert len(train.tasks) + len(test) >= 40
    assert not {task.group for task in train.tasks} & {task.group for task in test}
    for tasks in (train.tasks, test):
        assert {task.tags["site"] for task in tasks} == {"museum.test", "town.test", "shop.test"}
        for task in tasks:
            answers = task.secret.get("answer", ())
            assert not any(answer in task.prompt for answer in answers), task.id


def test_a_state_returns_with_what_the_page_holds(train: ToolEnv) -> None:
    """A half-filled form, after other pages and another task."""
    solution = start(train, "museum-tickets-0")
    for action in solution[:4]:
        play(train, action)
    half = train.snapshot()
    rest = [play(train, action) for action in solution[4:]]
    assert rest[-1][1] == 1.0
    play_other = start(train, "town-waste-0")
    play(train, play_other[0])
    for _ in range(2):
        train.restore(half)
        assert [play(train, action) for action in solution[4:]] == rest
    train.release(half)


NOT_TAKEN = (
    (click("No such page"), "the page has no link 'No such page' number 1"),
    (click("Home", number=2), "number 2"),
    (click("Home", role="button"), "the page has no button"),
    (Action("type", {"name": "Adults", "text": "many"}), "does not take it"),
    (Action("select", {"name": "Day", "option": "Friday 1 May"}), "does not take it"),
    (Action("type", {"name": "nothing", "text": ""}), "the page has no field"),
)


def test_what_the_page_does_not_take_is_an_observation(train: ToolEnv) -> None:
    start(train, "museum-tickets-0")
    play(train, click("TICKETS"))  # names are compared without case
    for action, words in NOT_TAKEN:
        observation, reward, over, error = play(train, action)
        assert observation.startswith("error: ") and words in observation and error == "not_done"
        assert "museum.test/tickets.html" in observation and not (reward or over)


def test_back_returns_to_the_page_before(train: ToolEnv) -> None:
    start(train, "museum-exhibition-0")
    assert play(train, Action("back", {}))[3] == "not_done"
    play(train, click("Opening hours"))
    assert play(train, Action("back", {}))[0].startswith("museum.test/: Welcome")


def test_a_form_that_was_sent_twice_or_wrongly_is_not_right(train: ToolEnv) -> None:
    solution = start(train, "town-report-1")
    for action in [*solution[:-1], *solution[:-1]]:
        play(train, action)
    assert play(train, solution[-1])[1:] == (0.0, True, "sent")


def own_sites(folder: Path, page: str, *records: dict) -> Path:
    """A folder of a user's: one site of one page."""
    (folder / "sites" / "own.test").mkdir(parents=True)
    (folder / "sites" / "own.test" / "index.html").write_text(page)
    lines = [
        json.dumps({"id": "a", "prompt": "?", "start": "http://own.test/", **r}) for r in records
    ]
    (folder / "tasks.jsonl").write_text("\n".join(lines))
    return folder


ESCAPES = """<title>Own</title><p id=told>-</p>
<a href="http://museum.test/">Museum</a> <a href="https://example.com/">Outside</a>
<a href="/../../tasks.jsonl">Up</a> <a href="file:///etc/passwd">File</a>
<button onclick="alert('Hello')">Ask</button>
<button onclick="window.open('/', '_blank')">Open</button>
<button onclick="told.textContent = Date.now() + ' ' + Math.random()">Chance</button>
<button onclick="fetch('http://127.0.0.1:1/').then(() => told.textContent = 'reached',
  () => told.textContent = 'refused')">Fetch</button>"""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[ToolEnv]:
    chromium()
    env = make("browser", data=str(own_sites(tmp_path, ESCAPES, {"answer": ["x"]})))
    env.reset(options={"task": env.tasks[0]})
    yield env
    env.close()


def test_pages_reach_nothing_else(own: ToolEnv) -> None:
    assert "refused" in play(own, click("Fetch", role="button"))[0]
    assert "Hello" in play(own, click("Ask", role="button"))[0]
    assert play(own, click("Open", role="button"))[0].startswith("own.test/: Own")
    first = play(own, click("Chance", role="button"))[0]
    own.reset(options={"task": own.task})
    play(own, click("Fetch", role="button"))
    assert play(own, click("Chance", role="button"))[0] == first
    assert "root:" not in play(own, click("File"))[0]
    own.reset(options={"task": own.task})
    assert "no such page" in play(own, click("Up"))[0]
    for outside in ("Museum", "Outside"):
        own.reset(options={"task": own.task})
        assert "Harbour" not in play(own, click(outside))[0]


def test_a_page_that_changes_by_itself_loses_its_state(tmp_path: Path) -> None:
    chromium()
    page = "<title>Own</title><p id=n></p><button>Go</button>"
    folder = own_sites(tmp_path, page, {"answer": ["x"]})
    env = make("browser", data=str(folder))
    env.reset(options={"task": env.tasks[0]})
    play(env, click("Go", role="button"))
    state = env.snapshot()
    (folder / "sites" / "own.test" / "index.html").write_text(page.replace("Go", "Went"))
    env.reset(options={"task": env.tasks[0]})
    with pytest.raises(StateLost, match="its first page is not what it was"):
        env.restore(state)
    env.close()


def test_a_browser_that_dies_is_trouble_of_the_sandbox_and_starts_again(own: ToolEnv) -> None:
    os.kill(newest_chromium(os.getpid()), signal.SIGKILL)
    with pytest.raises(SandboxError):
        for _ in range(5):
            play(own, click("Ask", role="button"))
    own.reset(options={"task": own.task})
    assert "Hello" in play(own, click("Ask", role="button"))[0]


def test_nothing_outlives_a_killed_engine(tmp_path: Path) -> None:
    chromium()
    program = (
        "import time; from environments import make; env = make('browser'); "
        "env.reset(options={'task': env.tasks[0]}); print('open', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline()
        browser = newest_chromium(process.pid)
        process.kill()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{browser}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not Path(f"/proc/{browser}").exists()


def newest_chromium(ancestor: int) -> int:
    """The main process of the last Chromium below `ancestor`."""
    parents, names = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = stat.read_text().split(" (", 1)
        except OSError:
            continue
        name, fields = rest.rsplit(") ", 1)
        parents[int(pid)], names[int(pid)] = int(fields.split()[1]), name
    found = [pid for pid in parents if "chrom" in names[pid] and ancestor in lineage(pid, parents)]
    mains = [pid for pid in found if "chrom" not in names.get(parents[pid], "")]
    return max(mains)


def lineage(pid: int, parents: dict[int, int]) -> list[int]:
    line = []
    while pid in parents:
        pid = parents[pid]
        line.append(pid)
    return line


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({}, "needs one of answer, sent and shop"),
        ({"answer": "x"}, "'answer' must be a list"),
        ({"sent": [{"host": "own.test"}]}, "must be an object of host, path and fields"),
        ({"answer": ["x"], "solution": [{"arguments": {}}]}, "'solution' must be a list of calls"),
    ],
)
def test_bad_records_are_told(tmp_path: Path, record: dict, words: str) -> None:
    folder = own_sites(tmp_path, ESCAPES, record)
    with pytest.raises(DataError, match=words):
        _ = make("browser", data=str(folder)).tasks


def test_a_folder_without_sites_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no folder sites"):
        _ = make("browser", data=str(tmp_path)).tasks
