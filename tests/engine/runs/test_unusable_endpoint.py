"""What no request gets past ends a run in one line, and the corrected command goes on there."""

import io
import socket
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from engine.chat.base import EndpointUnusable
from engine.errors import UsageError
from engine.runs.build_executor import Resources, RunBudget
from engine.runs.explore import Progress
from engine.runs.progress import Bar
from engine.runs.run import Selection
from engine.runs.stats import stats
from engine.runs.store import Store
from environments import Task
from search.policy import PolicyError
from tests.engine.chat.test_chat_faults import player
from tests.support.chat_faults import status
from tests.support.chat_server import ChatServer
from tests.support.configs import make_config, run

MAZES = "tests.engine.chat.test_chat_faults:Mazes"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def explore(server: ChatServer, out: Path, teacher: str = "player", **options: Any) -> Any:
    resources = options.pop("resources", Resources())
    budget = {"depth": 2, "task_budget_calls": 4, "base_url": server.base_url, **options}
    config = make_config(MAZES, teacher=teacher, **budget)
    return run(config, out, resources=resources, selection=Selection(limit=6))


def held(out: Path) -> tuple[int, int]:
    with Store.open(out) as store:
        return len(store.task_ids()), len(store.failures())


@pytest.mark.parametrize("executor", ["local", "processes"])
def test_a_wrong_model_marks_no_task_and_the_right_one_goes_on(
    executor: str, tmp_path: Path
) -> None:
    def wrong(request: Any) -> Any:
        words = f"The model `{request['model']}` does not exist"
        return status(404, message=words) if request["model"] != "player" else None

    workers = {"executor": executor, "workers": 2 if executor == "processes" else None}
    with ChatServer(player, faults=wrong) as server:
        with pytest.raises(EndpointUnusable, match="name a model that the server has"):
            explore(server, tmp_path / "run", "plaier", resources=Resources(**workers))
        assert len(server.requests) <= 8 and held(tmp_path / "run") == (0, 0)
        assert explore(server, tmp_path / "run").complete
        assert held(tmp_path / "run") == (6, 0)
        with pytest.raises(UsageError, match="--teacher was 'player'"):
            explore(server, tmp_path / "run", "other")


def test_n_is_refused_with_its_hint_and_the_hint_works(tmp_path: Path) -> None:
    def one(request: Any) -> Any:
        return status(400, message="n must be 1") if request.get("n", 1) > 1 else None

    with ChatServer(player, faults=one) as server:
        with pytest.raises(EndpointUnusable, match="--siblings diverse"):
            explore(server, tmp_path / "run", siblings="sample")
        assert explore(server, tmp_path / "run", siblings="diverse").complete


def test_a_refused_port_makes_no_folder_unless_the_journal_may_do(tmp_path: Path) -> None:
    with ChatServer(player) as gone:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            dead = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
            with pytest.raises(EndpointUnusable, match="connection refused"):
                explore(gone, tmp_path / "run", base_url=dead)
        assert not list(tmp_path.iterdir())
        explore(gone, tmp_path / "run")
    assert explore(gone, tmp_path / "again").complete, "all its replies are in the journal"


def test_an_error_after_the_first_success_is_its_task_s(tmp_path: Path) -> None:
    seen: list[int] = []

    def revoked(_: Any) -> Any:
        seen.append(1)
        return status(401, message="revoked") if len(seen) > 8 else None

    with ChatServer(player, faults=revoked) as server:
        summary = explore(server, tmp_path / "run", resources=Resources(concurrency=1))
    assert summary.failed and held(tmp_path / "run")[1] == summary.failed


def test_a_student_s_server_without_tools_is_told(tmp_path: Path) -> None:
    def no_tools(request: Any) -> Any:
        refused = status(400, message="student does not support tools")
        return refused if request.get("tools") else None

    def hello(request: Any) -> Any:
        choice = {"message": {"role": "assistant", "content": ""}}
        return {"choices": [choice]}

    with ChatServer(hello, faults=no_tools) as student, ChatServer(player) as teacher:
        named = {"student": f"student@{student.base_url}", "student_template": "native"}
        with pytest.raises(EndpointUnusable, match="--template react"):
            explore(teacher, tmp_path / "run", **named)


def test_the_same_failure_is_printed_once_and_counted() -> None:
    told = io.StringIO()
    with Bar(Console(file=told, width=300)) as bar:
        for number in range(240):
            bar.failure(Task(f"t-{number}", ""), PolicyError("HTTP 401: revoked"))
        bar.failure(Task("x", ""), PolicyError("gave up after 3 attempts in 2 s; the last: no"))
        bar.failure(Task("y", ""), PolicyError("gave up after 3 attempts in 7 s; the last: no"))
    lines = told.getvalue().splitlines()
    assert len(lines) == 4 and lines[0] == "t-0: HTTP 401: revoked"
    assert lines[2] == "239 more tasks failed in the same way: HTTP 401: revoked"


class Shown(Progress):
    """Keeps what it receives."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.unknown: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def prices(self, unknown: Any) -> None:
        self.unknown += unknown


def test_an_unknown_price_is_unknown_everywhere(tmp_path: Path) -> None:
    prices = tmp_path / "prices.json"
    prices.write_text('{"player": {"input": 1, "output": 1}, "free": {"input": 0, "output": 0}}')
    with ChatServer(player) as server:
        config = {"depth": 2, "task_budget_calls": 4, "base_url": server.base_url}
        for name, model, known in (
            ("a", "player", None),
            ("b", "player", prices),
            ("c", "free", prices),
        ):
            shown = Shown()
            run(
                make_config(MAZES, teacher=model, **config),
                tmp_path / name / "run",
                selection=Selection(limit=1),
                resources=Resources(prices=known),
                progress=shown,
            )
            with Store.open(tmp_path / name / "run") as store:
                found = stats(store)
            text, usd = found.usd_text, found.to_dict()["usd"]
            if name == "a":
                assert (text, usd) == ("price unknown", None)
                assert found.to_dict()["unpriced"] == shown.unknown == ["player"]
            else:
                assert text.startswith("$0.0") and shown.unknown == []
                assert (usd > 0) == (name == "b") and "unpriced" not in found.to_dict()


def test_dollars_that_leave_out_the_student_say_so(tmp_path: Path) -> None:
    prices = tmp_path / "prices.json"
    prices.write_text('{"player": {"input": 1, "output": 1}}')
    shown = Shown()
    with ChatServer(player) as server:
        config = make_config(
            MAZES,
            teacher="player",
            base_url=server.base_url,
            student=f"s@{server.base_url}",
            student_threshold=float("-inf"),
        )
        run(
            config,
            tmp_path / "run",
            budget=RunBudget(usd=0.0),
            resources=Resources(prices=prices),
            selection=Selection(limit=1),
            progress=shown,
        )
    assert any("leave out the student's requests" in note for note in shown.notes)
