"""Runs with a student: what they may spend, how they go on, what they are."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from math import inf
from pathlib import Path
from random import Random
from typing import Any

import pytest

from engine.errors import UsageError
from engine.policies.probe import probe
from engine.policies.student_endpoint import StudentEndpoint
from engine.runs.build_executor import Resources, RunBudget
from engine.runs.store import Store
from tests.support.chat_server import ChatServer, Json, SqlPlayer
from tests.support.configs import make_config
from tests.support.exploring import engine, started
from tests.support.student_first import ARMS, Pair, acted, calls, depth, is_probe, pair


def test_a_run_s_calls_are_those_of_both(tmp_path: Path) -> None:
    with pair(tmp_path, lambda _: "Hm.") as both:
        assert both.explore(RunBudget(calls=4)).stopped == 1
        assert len(both.asked) + len(both.teacher.requests) == 4
        assert acted(both.tree) == ["malformed", "malformed"]
        assert both.explore().solved == 1
        assert len(both.asked) == len(both.teacher.requests) == 3, "paid twice"


def test_the_teachers_own_parameters_are_not_the_students(tmp_path: Path) -> None:
    with pair(tmp_path, lambda _: "Hm.") as both:
        both.explore(RunBudget(calls=4), sampling={"top_k": 3, "max_tokens": None})
        assert both.asked and both.teacher.requests
        assert all("top_k" not in one and one["max_tokens"] for one in both.asked)
        assert all(one["top_k"] == 3 and "max_tokens" not in one for one in both.teacher.requests)


def test_dollars_are_counted_apart(tmp_path: Path) -> None:
    prices = tmp_path / "prices.json"
    prices.write_text('{"t": {"input": 1e5, "output": 0}, "s": {"input": 1e4, "output": 0}}')
    with pair(tmp_path, lambda r: calls(1) if depth(r) else "Hm.") as both:
        both.explore(resources=Resources(prices=prices))
        found = both.stats
    assert (found["student_first"]["teacher_usd"], found["student_first"]["student_usd"]) == (
        1.0,
        0.3,
    )
    assert found["usd"] == pytest.approx(1.3)


def test_the_config_keeps_the_address_without_its_password(tmp_path: Path) -> None:
    def at(secret: str) -> str:
        return both.student.base_url.replace("//", f"//me:{secret}@")

    with pair(tmp_path, lambda _: calls(1)) as both:
        both.explore(student=f"s@{at('hunter22')}")
        files = [file for file in tmp_path.rglob("*") if file.is_file()]
        assert files and not any(b"hunter22" in file.read_bytes() for file in files)
        with Store.open(tmp_path / "run") as store:
            assert store.meta()["config"]["student"] == f"s@{both.student.base_url}"
        assert both.explore(student=f"s@{at('hunter23')}").skipped == 1
        with pytest.raises(UsageError, match="--student-threshold was -0.5 and is -0.25"):
            both.explore(student_threshold=-0.25)
        with pytest.raises(UsageError, match="--student was"):
            both.explore(student="")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"student": "s"}, "my-student@http"),
        ({"student": "@http://a/v1"}, "my-student@http"),
        ({"student_threshold": -1.0}, "are for --student"),
        (
            {"student": "s@http://a/v1", "student_threshold": float("nan")},
            "--student-threshold nan: must",
        ),
        (
            {"student": "s@http://a/v1", "student_template": "nope"},
            "--student-template: unknown template",
        ),
    ],
)
def test_flags_that_do_not_go_together_are_refused(given: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make_config(ARMS, teacher="t", **given)


def test_a_run_from_before_there_were_students_has_none() -> None:
    old = {k: v for k, v in make_config(ARMS).to_dict().items() if not k.startswith("student")}
    assert not make_config(ARMS).difference(old)
    assert make_config(ARMS, student="s@http://a/v1").difference(old).startswith("--student was ''")


def test_a_config_is_json_whatever_the_threshold() -> None:
    config = make_config(ARMS, student="s@http://a/v1", student_threshold=-inf)
    kept = json.loads(json.dumps(config.to_dict(), allow_nan=False))
    assert not config.difference(kept)


@cache
def player() -> SqlPlayer:
    return SqlPlayer()


def plays_sql(request: Json) -> tuple[str, list[float]]:
    """As `SqlPlayer`, more or less sure of itself."""
    text = player()(request)[0]["content"]
    return text, [-Random(text + str(depth(request))).random()]


TASKS = 5


def command(both: Pair, out: Path, *more: str) -> list[str]:
    flags = (
        f"--env bird --split train --limit {TASKS} --template react --depth 5 --concurrency 4 "
        f"--teacher t --base-url {both.teacher.base_url} --student s@{both.student.base_url} "
        "--student-threshold -0.5"
    )
    return ["explore", *flags.split(), "--out", str(out), *more]


def sent(both: Pair) -> Counter[tuple[str, bytes]]:
    """How often each request was received, and by whom; but for the probes."""
    servers = {"student": both.student, "teacher": both.teacher}
    return Counter(
        (name, sha256(body).digest())
        for name, server in servers.items()
        for request, body in zip(server.requests, server.bodies, strict=False)
        if not is_probe(request)
    )


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Pair, str, Counter[Any]]]:
    """Two servers that play, the trees of a run that nobody disturbed, and its requests."""
    folder = tmp_path_factory.mktemp("sql")
    with pair(folder, plays_sql, plays_sql) as both:
        both.student.latency = both.teacher.latency = 0.02
        engine(*command(both, folder / "run"))
        yield both, engine("show", str(folder / "run"), "--json"), sent(both)


def test_a_killed_run_goes_on_and_pays_nothing_twice(sql: Any, tmp_path: Path) -> None:
    both, trees, needed = sql
    before, out = sent(both), tmp_path / "run"
    assert {name for name, _ in needed} == {"student", "teacher"}
    for part in (1, 2):
        with started(command(both, out)) as process:
            deadline = time.monotonic() + 60
            while (sent(both) - before).total() < part * needed.total() // 3:
                assert time.monotonic() < deadline, "the engine sends nothing"
                time.sleep(0.005)
            os.kill(process.pid, signal.SIGKILL)
    engine(*command(both, out))
    assert engine("show", str(out), "--json") == trees
    again = sent(both) - before
    assert again.keys() == needed.keys()
    assert again.total() - needed.total() <= 2 * 4, "paid twice"


def test_several_processes_grow_the_same_trees(sql: Any, tmp_path: Path) -> None:
    both, trees, needed = sql
    before, out = sent(both), tmp_path / "run"
    workers = ("--executor", "processes", "--workers", "2")
    engine(*command(both, out, *workers))
    assert engine("show", str(out), "--json") == trees
    assert sent(both) - before == needed


@pytest.mark.parametrize("text", ["", "Hi."])
async def test_only_a_server_that_speaks_and_tells_no_log_probabilities_is_refused(
    text: str,
) -> None:
    """A trained student may answer a greeting by ending its reply: there is no token to tell of."""
    choice = {"message": {"role": "assistant", "content": text}, "logprobs": {"content": []}}
    with ChatServer(lambda _: {"choices": [choice], "usage": {}}) as server:
        asked = probe(StudentEndpoint("s", server.base_url), -0.1)
        if text:
            with pytest.raises(UsageError, match="returns no log-probabilities"):
                await asked
        else:
            await asked
