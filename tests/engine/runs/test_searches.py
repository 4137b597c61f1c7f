"""Every search through the engine: flags, journal, store, export, show, stats; and killed."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner

from engine.config import Config
from engine.errors import UsageError
from engine.executors.build_policy import judge_of
from engine.export.export import ExportSettings, export
from engine.policies.judge import COMPARE, REFLECT, SEARCH_TEXTS, VALUE
from engine.runs.codec import tree_to_dict
from engine.runs.run import Resources, Selection
from engine.runs.stats import stats
from engine.runs.store import Store
from tests.support.chat_server import ChatServer
from tests.support.commands import engine
from tests.support.configs import make_config, run
from tests.support.fakes import Arms
from treegraft.commands import engine_app

ROOT = Path(__file__).parents[3]
MANY = "tests.engine.runs.test_explore:ManyArms"
SEARCHES = {
    "dfsdt": {},
    "ranked": {"search": "dfsdt", "rank": True},
    "react": {"search": "react"},
    "beam": {"search": "beam", "siblings": "sample"},
    "best_first": {"search": "best_first"},
    "lats": {"search": "mcts", "reflections": 2},
    "mcts": {"search": "mcts", "value": "reward", "siblings": "sample"},
}


def player(request: dict) -> list:
    """A policy and a judge that are a pure function of the request, often wrong."""
    rng = Random(sha256(json.dumps(request, sort_keys=True).encode()).hexdigest())
    last = request["messages"][-1]["content"]
    if VALUE in last:
        return [f"Score: {rng.randint(0, 10)}"]
    if COMPARE in last:
        return [f"Better: {rng.choice('AB')}"]
    if REFLECT in last:
        return [f"Lesson {rng.randrange(10**6)}."]
    return [_call(rng.choice((0, 1))) for _ in range(request.get("n", 1))]


def _call(arm: int) -> dict:
    function = {"name": "go", "arguments": json.dumps({"arm": arm})}
    called = {"id": "x", "type": "function", "function": function}
    return {"role": "assistant", "content": "", "tool_calls": [called]}


def flags(how: dict) -> list[str]:
    named = {f"--{name.replace('_', '-')}": value for name, value in how.items()}
    return [
        word
        for flag, value in named.items()
        for word in ([flag] if value is True else [flag, f"{value}"])
    ]


def trees(out: Path) -> list[dict]:
    with Store.open(out) as store:
        return [tree_to_dict(tree) for tree in store.trees()]


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer(player, latency=0.01) as server:
        yield server


@pytest.fixture
def config(server, request) -> Config:
    return make_config(MANY, teacher="t", base_url=server.base_url, **SEARCHES[request.param])


@pytest.mark.parametrize("config", SEARCHES, indirect=True)
def test_every_search_makes_trees_for_export_show_and_stats(config, tmp_path):
    out = tmp_path / "r"
    summary = run(config, out)
    assert summary.complete and summary.solved > 0
    for kind in ("sft", "dpo"):
        counts = export([out], tmp_path / f"{kind}.jsonl", ExportSettings(kind))
        rows = (tmp_path / f"{kind}.jsonl").read_text()
        assert counts.rows == rows.count("\n") and not any(text in rows for text in SEARCH_TEXTS)
        assert "Lesson" not in rows and (counts.rows > 0 or config.search.name == "react")
    with Store.open(out) as store:
        found = stats(store)
        assert found.trees == 8 and found.usage.calls == store.usage().calls
    shown = CliRunner().invoke(engine_app(), ["show", str(out), "--task", "arms-0"])
    assert shown.exit_code == 0 and "go" in shown.output


@pytest.mark.parametrize("name", ["ranked", "beam", "lats"])
def test_a_killed_search_goes_on_to_the_same_tree(name, server, tmp_path):
    """A judge's replies are journaled like the policy's: paid once, and found again."""
    how = SEARCHES[name]
    config = make_config(MANY, teacher="t", base_url=server.base_url, **how)
    four, means = Selection(limit=4), Resources(concurrency=4)
    run(config, tmp_path / "whole" / "r", selection=four, resources=means)
    needed = received(server)
    server.requests.clear()
    out = tmp_path / "killed" / "r"
    command = f"explore --env {MANY} --limit 4 --teacher t --base-url {server.base_url} --out {out}"
    words = [sys.executable, "-m", "engine", *command.split(), "--concurrency", "4", *flags(how)]
    with subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while len(server.requests) < needed.total() // 2:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.002)
        process.kill()
    assert process.returncode == -signal.SIGKILL, "the run was over before it was killed"
    run(config, out, selection=four, resources=means)
    assert trees(out) == trees(tmp_path / "whole" / "r")
    sent = received(server)
    assert sent.keys() == needed.keys() and 0 <= sent.total() - needed.total() <= 4


def received(server: ChatServer) -> Counter[str]:
    return Counter(json.dumps(request, sort_keys=True) for request in server.requests)


@pytest.mark.parametrize("name", SEARCHES)
def test_searches_go_with_the_demonstration_teacher(name, tmp_path):
    how = SEARCHES[name] | ({"reflections": 0} if name == "lats" else {})
    summary = run(make_config(MANY, mistake_rate=0.4, width=2, **how), tmp_path / "r")
    assert summary.complete and summary.solved == (8 if name != "react" else summary.solved)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"search": "astar"}, "dfsdt, react, cot, beam, best_first, mcts"),
        ({"search": "react", "siblings": "sample"}, "--search react takes no --siblings; "),
        ({"search": "beam", "backtrack": 2}, "--search beam takes no --backtrack; it is for dfsdt"),
        ({"beam_size": 3}, "--search dfsdt takes no --beam-size; it is for beam"),
        ({"search": "best_first", "rank": True}, "takes no --rank"),
        ({"value": "reward"}, "takes no --value; it is for mcts"),
        ({"search": "mcts", "value": "hope"}, "--value is 'hope'; use one of judge, reward"),
        ({"search": "beam", "beam_size": 0}, "--beam-size 0: must be at least 1"),
        ({"search": "mcts", "exploration": -1.0}, "--exploration -1.0: must be at least 0"),
        ({"search": "mcts", "exploration": float("nan")}, "--exploration nan: must be a number"),
        ({"rank": True, "backtrack": 2}, "with --backtrack 1"),
        ({"search": "mcts", "reflections": 2}, "--reflections needs a model"),
    ],
)
def test_an_option_that_a_search_does_not_take_is_refused(bad, says):
    with pytest.raises(UsageError, match=says):
        make_config("bird", **bad)


def test_the_command_refuses_in_one_line(tmp_path):
    result = engine(*f"explore --env bird --search beam --rank --out {tmp_path / 'r'}".split())
    assert result.returncode == 2 and "takes no --rank" in result.stderr
    assert "Traceback" not in result.stderr and not (tmp_path / "r").exists()


def test_a_policy_that_judges_nothing_is_refused():
    with pytest.raises(UsageError, match="not a judge"):
        judge_of(Arms())


def test_a_run_takes_a_template_of_the_users_own(server, tmp_path):
    own = str(ROOT / "examples" / "at_sign.toml")
    config = make_config(MANY, teacher="t", base_url=server.base_url, template=own)
    summary = run(config, tmp_path / "r")
    assert summary.failed == 0 and "tools" not in server.requests[0]
    with pytest.raises(UsageError, match=r"--template: .*nope\.toml"):
        make_config(MANY, template="nope.toml")
