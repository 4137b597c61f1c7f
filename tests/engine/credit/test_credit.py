"""`engine credit`: what it pays, keeps and refuses."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.runs.store import Store
from search import Tree
from search.tree import SPLICED
from search.values import Values
from tests.support.chat_server import ChatServer, SqlPlayer
from tests.support.commands import engine

TASKS = "bird-train-0,bird-train-3"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the demonstration teacher, which errs half of the time."""
    run = tmp_path_factory.mktemp("shown") / "run"
    flags = f"--env bird --tasks {TASKS} --mistake-rate 0.5 --search best_first --output {run}"
    made = engine("explore", *flags.split())
    assert made.returncode == 0, made.stderr
    return run


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer(SqlPlayer()) as running:
        yield running


def credit(run: Path, *more: object) -> dict[str, Any]:
    done = engine("credit", run, "--json", *more)
    assert done.returncode in (0, 1), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def trees(run: Path) -> list[Tree]:
    with Store.open(run) as store:
        return list(store.trees())


def test_every_state_gets_a_value_and_the_run_stays_as_it_is(shown: Path) -> None:
    before = (shown / "run.db").read_bytes()
    found = credit(shown)
    assert found["complete"] and found["states"] == found["valued"] > 4
    assert found["continuations"] >= found["states"] and sum(found["means"].values()) > 4
    assert (shown / "run.db").read_bytes() == before
    for tree, valued in zip(trees(shown), trees(shown / "credit"), strict=True):
        assert [n.step for n in valued.nodes[: valued.searched]] == [n.step for n in tree.nodes]
        values = Values(valued)
        right = [node for leaf in tree.winners() for node in tree.lineage(leaf.id)]
        gains = [values.advantage(node) for node in right]
        assert None not in gains and max(gain or 0 for gain in gains) > 0
    assert credit(shown) == found  # nothing is played again
    again = engine("credit", shown / "credit")
    assert again.returncode == 2 and "holds continuations already" in again.stderr


def test_a_successful_path_is_played_on_after_a_wrong_turn(shown: Path, tmp_path: Path) -> None:
    flags = ["--splice", "--least", "1", "--most", "1", "--output"]
    credit(shown, *flags, tmp_path / "spliced")
    played = [
        (tree, leaf)
        for tree in trees(tmp_path / "spliced")
        for leaf in tree.leaves()
        if leaf.why == SPLICED
    ]
    assert any(leaf.step.solved for _, leaf in played)
    for tree, leaf in played:
        wrong = next(node for node in tree.lineage(leaf.id) if node.why == SPLICED).parent
        assert 0 < wrong <= tree.searched and not tree.node(wrong).step.solved


def test_a_budget_ends_it_and_no_reply_is_paid_twice(tmp_path: Path, server: ChatServer) -> None:
    run, url = tmp_path / "run", f"--base-url={server.base_url}"
    engine(*f"explore --env bird --tasks {TASKS} --teacher player --output {run}".split(), url)
    explored = len(server.requests)
    small = ["--least", "6", "--most", "6"]
    cut = engine("credit", run, url, *small, "--budget-calls", 4)
    assert cut.returncode == 1 and "the budget is spent: " in cut.stderr
    first = len(server.requests)
    found = credit(run, url, *small)
    assert found["complete"] and found["valued"] == found["states"]
    sent = Counter(json.dumps(request, sort_keys=True) for request in server.requests[explored:])
    replies = {tree.task.id: len(tree.calls) for tree in trees(run / "credit")}
    # Equal requests are independent draws, and none was sent again after the budget was raised.
    assert first - explored == 4
    assert len(server.requests) - explored <= sum(replies.values())
    assert sent.most_common(1)[0][1] <= 6


def test_a_student_plays_on_and_gets_its_own_key(
    shown: Path, server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "teacher")
    monkeypatch.setenv("STUDENT_API_KEY", "student")
    flags = f"--policy small@{server.base_url} --template react --temperature 0 --limit 1".split()
    found = credit(shown, *flags, "--output", tmp_path / "credit")
    assert {one["authorization"] for one in server.headers} == {"Bearer student"}
    # The same request would bring the same reply, so each state is played on once.
    assert found["continuations"] <= found["states"]
    with Store.open(tmp_path / "credit") as store:
        config = store.meta()["config"]
    assert (config["teacher"], config["template"], config["most"]) == ("small", "react", 1)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("--policy student", "--policy student: the run has none; name a model, or MODEL@URL"),
        ("--executor processes", "works with --executor local only"),
        ("--tasks nowhere", "no task 'nowhere'"),
        ("--shots-from x", "--shots-from is for --shots"),
    ],
)
def test_what_does_not_fit_is_refused(shown: Path, tmp_path: Path, flags: str, told: str) -> None:
    refused = engine("credit", shown, "--output", tmp_path / "out", *flags.split())
    assert refused.returncode == 2 and told in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
