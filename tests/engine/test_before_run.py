"""`engine explore` before its first request: --dry-run and --confirm-above."""

import json
import os
import pty
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support import commands
from tests.support.chat_server import ChatServer, SqlPlayer

PRICES = {"player": {"input": 1000.0, "output": 1000.0}}


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer(SqlPlayer()) as server:
        yield server


def explore(server: ChatServer, folder: Path, *more: object) -> tuple[int, dict[str, Any], str]:
    """The exit code, what was printed as JSON, and what was said."""
    flags = f"--env bird --split train --teacher player --base-url {server.base_url} --output r"
    done = commands.engine("explore", *flags.split(), "--json", *more, cwd=folder)
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


@pytest.mark.parametrize(
    "search",
    [
        "--search=dfsdt",
        "--search=dfsdt --siblings=sample --width=3 --template=react --dialect=lines",
        '--search=cot --tool-noise=rename --sampling={"top_p":0.5}',
    ],
)
def test_a_dry_run_shows_the_first_request_and_sends_nothing(
    search: str, server: ChatServer, tmp_path: Path
) -> None:
    """What it shows is what the run then sends."""
    code, shown, _ = explore(server, tmp_path, *search.split(), "--limit=2", "--dry-run")
    assert code == 0 and (shown["tasks"], shown["done"]) == (2, 0)
    assert not server.targets and not list(tmp_path.iterdir())
    one = ("--limit=1", "--task-budget-calls=1", "--concurrency=1")
    assert explore(server, tmp_path, *search.split(), *one)[0] == 0
    sent, wanted = server.requests[0], shown["request"]
    assert (sent["model"], sent["messages"]) == (wanted["model"], wanted["messages"])
    assert sent.get("tools", []) == wanted["tools"]
    assert wanted["parameters"].items() <= sent.items()
    text = commands.engine(
        *f"explore --env bird --teacher player {search} --output r2 --dry-run".split(), cwd=tmp_path
    ).stdout
    assert wanted["messages"][0]["content"] in text and "requests a task" in text


def test_a_run_that_has_begun_is_estimated_from_its_finished_tasks(
    server: ChatServer, tmp_path: Path
) -> None:
    (tmp_path / "prices.json").write_text(json.dumps(PRICES))
    priced = ("--prices=prices.json", "--limit=6")
    dry = explore(server, tmp_path, *priced, "--dry-run")[1]["estimate"]
    _, run, said = explore(server, tmp_path, *priced)
    for name in ("calls", "prompt_tokens", "completion_tokens", "usd"):
        assert dry[name][0] <= run[name] <= dry[name][1], name
    assert "more than --confirm-above 10; nobody is asked" in said
    received = len(server.targets)
    priced = ("--prices=prices.json", "--limit=18")
    _, shown, _ = explore(server, tmp_path, *priced, "--dry-run")
    found = shown["estimate"]
    assert (shown["tasks"], shown["done"]) == (12, 6)
    assert found["calls"][0] < 2 * run["calls"] < found["calls"][1] < dry["calls"][1]
    assert "means of 6 finished tasks" in found["basis"][0] and "so far" in found["basis"][-1]
    assert len(server.targets) == received
    code, _, said = explore(server, tmp_path, "--width=3", "--dry-run")
    assert code == 2 and "holds another run (--width was 2 and is 3)" in said


@pytest.mark.parametrize(("bound", "most"), [("--budget-usd=3", 3), ("--task-budget-usd=2", 4)])
def test_a_budget_bounds_the_estimate(
    bound: str, most: float, server: ChatServer, tmp_path: Path
) -> None:
    (tmp_path / "prices.json").write_text(json.dumps(PRICES))
    _, shown, _ = explore(server, tmp_path, "--prices=prices.json", "--limit=2", bound, "--dry-run")
    assert shown["estimate"]["usd"][1] == pytest.approx(most)


@pytest.mark.parametrize(
    ("answer", "more", "code"), [("n", "", 1), ("y", "", 0), ("", "--yes", 0), ("\x04", "", 1)]
)
def test_a_dear_run_asks_on_a_terminal(
    answer: str,
    more: str,
    code: int,
    server: ChatServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "prices.json").write_text(json.dumps(PRICES))
    monkeypatch.chdir(tmp_path)
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode() if answer.isalpha() else answer.encode())
    flags = f"--env bird --teacher player --base-url {server.base_url} --output r --prices "
    flags += f"prices.json --limit 1 --confirm-above 0.01 {more}"
    with open(theirs, encoding="utf-8") as reads, open(os.dup(theirs), "w") as writes:
        monkeypatch.setattr("sys.stdin", reads)
        monkeypatch.setattr("sys.stderr", writes)
        assert commands.run("engine explore", *flags.split()) == code
    said = b""
    with suppress(OSError), open(ours, "rb", 0) as terminal:  # ends where the other end is closed
        while part := terminal.read(2**16):
            said += part
    assert (b"Go on?" in said) == (not more)
    started = code == 0
    assert Path("r").exists() == bool(server.targets) == started
    assert (b"not started: nothing was sent or written" in said) == (not started)
