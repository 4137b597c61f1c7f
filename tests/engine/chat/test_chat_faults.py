"""Runs against a faulty server: nothing is lost, retries end, and every failure is reported."""

import asyncio
import json
import threading
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import pytest

from engine.chat.budget import Budget, BudgetedChat
from engine.chat.endpoint import Endpoint
from engine.chat.journal import CachedChat, Journal
from engine.chat.retry import Retries
from engine.executors.local import Local
from engine.runs.codec import tree_to_dict
from engine.runs.explore import Summary, explore
from engine.runs.store import Store
from environments import Task
from tests.support.chat_faults import Plan, passing
from tests.support.chat_server import ChatServer, Fault, Json, status
from tests.support.configs import make_config
from tests.support.fakes import ArmsEnv

TASKS = 12
QUICK = Retries(attempts=8, seconds=30, first=0.01, longest=0.04, patience=0.1)
"""As the defaults, with seconds for minutes."""
BROKEN = [
    "{",
    "[0]",
    "",
    '{"arm": "left"}',
    '{"arm": 7, "arm": 0}',
    5,
    [0],
    {"arm": 1},
    None,
    "\ud800",
]


class Mazes(ArmsEnv):
    """Tasks with different winning leaves."""

    def load_tasks(self) -> Sequence[Task]:
        draw = Random(0)
        paths = [[draw.randrange(2) for _ in range(self.depth)] for _ in range(TASKS)]
        return [Task(f"maze-{n:02}", f"Go {n}.", {"path": path}) for n, path in enumerate(paths)]


def player(request: Json) -> Json:
    """A pure function of the request: mostly good calls, some whose arguments are broken, some
    words, some calls of what is no tool."""
    draw = Random(sha256(json.dumps(request, sort_keys=True).encode()).hexdigest())
    arguments: Any = json.dumps({"arm": draw.randrange(2)})
    name: Any = "go"
    if draw.random() < 0.2:
        arguments = draw.choice(BROKEN)
    elif draw.random() < 0.1:
        name = draw.choice(["fly", "", None])
    call = {"id": "1", "type": "function", "function": {"name": name, "arguments": arguments}}
    words = {"role": "assistant", "content": "I wonder."}
    return words if draw.random() < 0.05 else {**words, "tool_calls": [call]}


async def _explore(out: Path, base_url: str, retries: Retries, timeout: float) -> Summary:
    config = make_config(f"{__name__}:Mazes", teacher="player", depth=3, task_budget_calls=12)
    endpoint = Endpoint(base_url, retries=retries, timeout=timeout, concurrency=4)
    endpoint.base_url = "http://model/v1"  # one journal for servers on several ports
    with Journal(out / "journal.db") as journal:
        chat = CachedChat(BudgetedChat(endpoint, Budget()), journal)
        try:
            return await explore(config, Mazes().tasks, out / "run", Local(chat, 4))
        finally:
            await endpoint.aclose()


def run(out: Path, server: ChatServer, retries: Retries = QUICK, timeout: float = 0.5) -> Summary:
    return asyncio.run(_explore(out, server.base_url, retries, timeout))


def kept(out: Path) -> tuple[dict[str, Json], dict[str, tuple[str, str]]]:
    """Trees and failures, by task."""
    with Store.open(out / "run") as store:
        return {tree.task.id: tree_to_dict(tree) for tree in store.trees()}, store.failures()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Json], int]:
    """The trees of a run without faults, and how many requests they took."""
    out = tmp_path_factory.mktemp("undisturbed")
    with ChatServer(player) as server:
        assert run(out, server).complete
    trees, failures = kept(out)
    assert len(trees) == TASKS and not failures
    errors = {node["info"].get("error") for tree in trees.values() for node in tree["nodes"]}
    assert len(errors) > 2, "the player should make mistakes"
    return trees, len(server.requests)


@pytest.mark.parametrize("seed", range(3))
def test_faults_that_pass_change_nothing(undisturbed, tmp_path, seed):
    trees, needed = undisturbed
    plan = Plan(seed, passing())
    with ChatServer(player, faults=plan) as server:
        summary = run(tmp_path, server)
    assert summary.complete and kept(tmp_path) == (trees, {})
    assert len(plan.dealt) > 8, plan.dealt
    slow = plan.dealt["slow 200"]
    assert len(server.requests) == needed + plan.dealt.total() - slow  # asked again, once each
    assert summary.usage.calls == needed  # an attempt that failed is no reply that was paid


def final(words: str) -> Fault:
    return status(400, message=words, type="invalid_request_error", code="context_length_exceeded")


def test_failures_are_reported_in_the_servers_words_and_repaired_by_the_next_run(
    undisturbed, tmp_path
):
    trees, needed = undisturbed
    words = {
        "Go 1.": final("maximum context length is 8 tokens"),
        "Go 4.": status(503, message="overloaded, come back"),
        "Go 7.": status(401, message="no such key"),
        "Go 9.": status(429, message="you are poor", code="insufficient_quota"),
    }

    def trouble(request: Json) -> Fault | None:
        return (
            words.get(request["messages"][1]["content"]) if len(request["messages"]) > 2 else None
        )

    with ChatServer(player, faults=trouble) as server:
        summary = run(tmp_path, server)
    found, failures = kept(tmp_path)
    assert summary.failed == 4 and len(found) == TASKS - 4
    assert all(tree == trees[task] for task, tree in found.items())
    said = {task: message for task, (kind, message) in failures.items() if kind == "PolicyError"}
    assert said["maze-01"] == "HTTP 400: maximum context length is 8 tokens"
    assert said["maze-04"].startswith("gave up after 8 attempts in ")
    assert said["maze-04"].endswith("HTTP 503: overloaded, come back")
    assert said["maze-07"] == "HTTP 401: no such key"
    assert said["maze-09"] == "HTTP 429: you are poor"
    with ChatServer(player) as later:
        assert run(tmp_path, later).complete
    assert kept(tmp_path) == (trees, {})
    refused = 1 + QUICK.attempts + 1 + 1
    assert len(server.requests) + len(later.requests) == needed + refused  # none was paid twice


def test_a_server_that_never_recovers_ends_every_task(tmp_path):
    brief = Retries(attempts=3, seconds=5, first=0.001, longest=0.002)
    with ChatServer(player, faults=lambda _: status(500, message="on fire")) as server:
        summary = run(tmp_path, server, brief)
    trees, failures = kept(tmp_path)
    assert summary.failed == TASKS == len(failures) and not trees
    assert all("HTTP 500: on fire" in message for _, message in failures.values())
    assert len(server.requests) == 3 * TASKS


def test_a_server_that_dies_and_comes_back_costs_nothing_but_time(undisturbed, tmp_path):
    trees, needed = undisturbed
    patient = Retries(attempts=10, seconds=60, first=0.05, longest=0.5)  # defaults over ten
    with ChatServer(player, latency=0.01) as server:

        def fell() -> None:
            while len(server.requests) < needed // 3:
                time.sleep(0.005)
            server.down(2.0)

        outage = threading.Thread(target=fell)
        outage.start()
        began = time.monotonic()
        summary = run(tmp_path, server, patient)
        outage.join()
    assert time.monotonic() - began > 2.0
    assert summary.complete and kept(tmp_path) == (trees, {})
    assert len(server.requests) <= needed + 4  # those under way when it died
