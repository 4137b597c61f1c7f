"""`engine branch`: what it plays, pays, keeps and refuses, and the rows that come of it."""

import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from engine.interop.import_run import import_run
from engine.interop.settings import ImportSettings
from examples.toolbench_answers import convert
from tests.support import exploring
from tests.support.chat_server import ChatServer, Json
from tests.support.commands import engine
from tests.support.toolbench import finish


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Chains of the demonstration teacher, which errs in half of its steps."""
    run = tmp_path_factory.mktemp("shown") / "run"
    flags = "--env kg --limit 12 --mistake-rate 0.6 --search react --width 1 --output"
    assert engine("explore", *flags.split(), run).returncode == 0
    return run


def branched(run: Path, *more: object) -> dict[str, Any]:
    done = engine("branch", run, "--json", *more)
    assert done.returncode in (0, 1), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def rows(run: Path, output: Path, *flags: object) -> list[Json]:
    engine("export", run, "--output", output, *flags)
    return [json.loads(line) for line in output.read_text("utf-8").splitlines()]


def test_failed_paths_become_pairs_and_the_run_stays_as_it_is(shown: Path, tmp_path: Path) -> None:
    before = (shown / "run.db").read_bytes()
    found = branched(shown)
    assert found["complete"] and found["branched"] == found["paths"] > 1
    assert (shown / "run.db").read_bytes() == before
    assert branched(shown) == found  # nothing is played again
    pairs = rows(shown / "branch", tmp_path / "pairs.jsonl", "--to", "dpo")
    assert len(pairs) >= found["branched"]
    by_step = Counter(1 + sum(m["role"] == "assistant" for m in row["prompt"]) for row in pairs)
    for step, paths in found["wrong_steps"].items():
        assert by_step[int(step)] >= paths


def test_values_say_where(shown: Path) -> None:
    engine("credit", shown, "--least", 2, "--most", 4)
    found = branched(shown / "credit", "--at", "low-value")
    assert found["branched"] > 1 and found["refused"] == []


ANSWERS = Path(__file__).parent / "answers.json"


RIGHT = "It is open until 18."


def model(request: Json) -> str:
    """Answer the request at once, or grade an answer to it."""
    seen = json.dumps(request["messages"])
    if "Verdict" in seen:
        return f"Verdict: {'solved' if RIGHT in seen else 'unsolved'}"
    return finish(RIGHT)


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """The imported run of a tree in ToolBench's form; a call in it was answered in two ways."""
    convert([ANSWERS], tmp_path / "toolbench")
    import_run("chat", [tmp_path / "toolbench" / "paths.jsonl"], tmp_path / "run", ImportSettings())
    return tmp_path / "run"


def in_world(run: Path, server: ChatServer, *more: str) -> list[str]:
    flags = f"--env api --data {run.parent / 'toolbench'} --base-url {server.base_url} --policy m"
    return [
        *flags.split(),
        "--template",
        "react",
        "--paths",
        "9",
        "--grader",
        f"m@{server.base_url}",
        *more,
    ]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key")


def test_another_systems_paths_are_played_in_a_world(theirs: Path, tmp_path: Path) -> None:
    with ChatServer(model) as server:
        found = branched(theirs, *in_world(theirs, server))
    assert found["paths"] == 3 and found["branched"] == 2
    (refused,) = found["refused"]
    assert refused["step"] == 2 and "closed" in refused["how"]
    pairs = rows(theirs / "branch", tmp_path / "pairs.jsonl", "--to", "dpo")
    halves = [(str(pair["chosen"]), str(pair["rejected"])) for pair in pairs]
    assert any(RIGHT in chosen and "It opens at 9" in rejected for chosen, rejected in halves)
    assert all("give_up" in rejected or "at 9" in rejected for _, rejected in halves)


def test_a_kill_pays_nothing_twice(theirs: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with ChatServer(lambda _: finish("Never."), latency=0.05, log=log) as server:
        command = ["branch", str(theirs), *in_world(theirs, server, "--concurrency", "1")]
        with exploring.started(command) as process:
            exploring.wait_for_requests(log, 5)
            process.kill()
        assert process.returncode == -signal.SIGKILL
        assert branched(theirs, *command[2:])["complete"]
        sent = exploring.received(log)
        other = ["--output", tmp_path / "other", "--journal", tmp_path / "other.db"]
        branched(theirs, *command[2:], *other)
        needed = exploring.received(log) - sent
    assert needed.total() <= sent.total() <= needed.total() + 1  # the one in flight
    assert sent.keys() == needed.keys()
    shown = [engine("show", folder, "--json") for folder in (theirs / "branch", tmp_path / "other")]
    assert shown[0].stdout == shown[1].stdout


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("--at nowhere", "--at is 'nowhere'; use one of failure, low-value"),
        ("--at low-value", "the run holds no values of states"),
        ("--below 0", "--below 0.0: must be above 0"),
        ("--data x", "need --env, which names it"),
        ("--env nowhere", "nowhere"),
        ("--env bird", "the world has none of the run's"),
        ("--tasks nowhere", "no task 'nowhere'"),
        ("--policy student", "the run has none; name a model"),
        ("--executor processes", "works with --executor local only"),
    ],
)
def test_what_does_not_fit_is_refused(shown: Path, tmp_path: Path, flags: str, told: str) -> None:
    refused = engine("branch", shown, "--output", tmp_path / "out", *flags.split())
    assert refused.returncode == 2 and told in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


def test_an_imported_run_needs_a_world_and_a_policy(tmp_path: Path) -> None:
    message = {"role": "user", "content": "Count."}, {"role": "assistant", "content": "One."}
    (tmp_path / "chat.jsonl").write_text(json.dumps({"messages": message}), "utf-8")
    run = tmp_path / "run"
    import_run("chat", [tmp_path / "chat.jsonl"], run, ImportSettings())
    for flags, told in (("", "name it with --env"), ("--env kg", "name a model with --policy")):
        refused = engine("branch", run, *flags.split())
        assert refused.returncode == 2 and told in refused.stderr


def test_a_run_without_failures_is_refused(tmp_path: Path) -> None:
    flags = "--env kg --limit 1 --mistake-rate 0 --output"
    engine("explore", *flags.split(), tmp_path / "run")
    refused = engine("branch", tmp_path / "run")
    assert refused.returncode == 2 and "no failed path" in refused.stderr
