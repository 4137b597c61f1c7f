"""The `engine` command as a user meets it: its output, its exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import engine

ROOT = Path(__file__).parents[2]


def process(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "engine", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cli") / "run"
    done = engine("explore", "--env", "bird", "--split", "train", "--limit", 30, "--out", out)
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("engine --help", "explore"),
        ("engine ex", "explore\nexport\n"),
        ("engine make ta", "tasks\n"),
        ("trainer ", "gguf\nserve\n"),
        ("trainer mask --mod", "--model\n"),
    ],
)
def test_help_and_completion_are_right_and_import_nothing_heavy(words, found):
    """They must answer at once; `benchmarks/startup.py` measures it."""
    program, *rest = words.split()
    code = (
        f"import sys\nsys.argv = {[program, *rest]}\nfrom treegraft.commands import {program}\n"
        f"try:\n    {program}()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'transformers', 'gymnasium', 'numpy', 'openai', 'networkx', 'sqlglot'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    asked = {f"_{program.upper()}_COMPLETE": "complete_bash", "COMP_WORDS": words}
    asked = {} if "--help" in rest else asked | {"COMP_CWORD": str(words.count(" "))}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | asked,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and found in done.stdout, done.stderr


def test_explore_prints_one_json_object_and_says_which_sandbox(tmp_path):
    done = engine("explore", "--env", "bird", "--limit", 3, "--out", tmp_path / "r", "--json")
    found = json.loads(done.stdout)
    assert (found["trees"], found["solved"], found["complete"]) == (3, 3, True)
    assert "sandbox: " in done.stderr


def test_stats_show_and_graphml(run, tmp_path):
    assert json.loads(engine("stats", run, "--json").stdout)["trees"] == 30
    assert "solve rate" in engine("stats", run).stdout
    listed = engine("show", run).stdout.splitlines()
    assert len(listed) == 30 and "solved" in listed[0]
    shown = engine("show", run, "--task", "bird-train-0", "--graphml", tmp_path / "t.graphml")
    assert shown.returncode == 0 and "<graphml" in (tmp_path / "t.graphml").read_text()
    assert "list_tables" in engine("show", run, "--task", "bird-train-0").stdout


def test_a_users_own_environment_is_found_in_the_current_folder(tmp_path):
    (tmp_path / "mine.py").write_text((ROOT / "examples" / "keypad.py").read_text())
    done = process("explore", "--env", "mine:KeypadEnv", "--out", "r", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["solve_rate"] > 0
    assert process("export", "r", "--output", "o.jsonl", cwd=tmp_path).returncode == 0


def test_validate_writes_a_quarantine_that_explore_honours(tmp_path):
    questions = json.loads((ROOT / "environments/sql/data/test.json").read_text())[:3]
    questions[1]["SQL"] = "SELECT nothing FROM nowhere"
    data = tmp_path / "data"
    data.mkdir()
    (data / "test.json").write_text(json.dumps(questions))
    (data / "test_databases").symlink_to(ROOT / "environments/sql/data/test_databases")
    flags = ["--env", "bird", "--data", data, "--split", "test"]
    done = engine("validate", *flags, "--json", cwd=tmp_path)
    report = json.loads(done.stdout)
    assert (report["tasks"], report["sound"]) == (3, 2)
    (unsound,) = report["unsound"]
    assert unsound["kind"] == "suspect" and "the gold query fails" in unsound["reason"]
    explored = engine("explore", *flags, "--out", "r", "--json", cwd=tmp_path)
    assert json.loads(explored.stdout)["tasks"] == 2 and "1 tasks are left out" in explored.stderr


def test_the_bundled_tasks_are_all_sound():
    for split, tasks in (("train", 240), ("test", 60)):
        done = engine("validate", "--env", "bird", "--split", split, "--json")
        report = json.loads(done.stdout)
        assert (report["tasks"], report["unsound"]) == (tasks, [])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["explore", "--env", "nope", "--out", "r"], "no environment 'nope'"),
        (["explore", "--env", "no.such:Env", "--out", "r"], "cannot load 'no.such:Env'"),
        (["explore", "--env", "spider", "--out", "r"], "--data"),
        (["explore", "--env", "bird", "--split", "x", "--out", "r"], "train"),
        (["explore", "--env", "bird", "--data", "gone", "--out", "r"], "gone"),
        (["explore", "--env", "bird", "--tasks", "x", "--out", "r"], "no task 'x'"),
        (["explore", "--env", "bird", "--search", "x", "--out", "r"], "--search is 'x'"),
        (["explore", "--env", "bird", "--sandbox", "x", "--out", "r"], "no sandbox 'x'"),
        (["explore", "--env", "bird", "--teacher", "gpt-4o", "--out", "r"], "OPENAI_API_KEY"),
        (
            ["explore", "--env", "bird", "--sampling", "x", "--out", "r"],
            "--sampling: not valid JSON",
        ),
        (["explore", "--env", "bird", "--sampling", "[1]", "--out", "r"], "must be a JSON object"),
        (
            ["explore", "--env", "bird", "--sampling", '{"n": 2}', "--out", "r"],
            "--sampling cannot hold n",
        ),
        (["explore", "--env", "bird", "--sampling", '{"a": NaN}', "--out", "r"], "not valid JSON"),
        (["stats", "gone"], "no run in gone"),
        (["show", "gone"], "no run in gone"),
        (["export", "gone", "--output", "o"], "no run in gone"),
        (["export", "gone", "--output", "o", "--to", "x"], "--to is 'x'"),
        (["cache", "prune"], "say what to delete"),
        (["cache", "list", "--journal", "gone.db"], "gone.db"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, says, tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    done = engine(*arguments, cwd=tmp_path)
    assert done.returncode == 2 and says in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(said) == 1


def test_an_export_without_rows_says_so(run, tmp_path):
    done = engine("export", run, "--output", tmp_path / "o", "--to", "sft", "--per-task", 1)
    assert done.returncode == 0 and "30 rows" in done.stderr
    done = engine("show", run, "--graphml", tmp_path / "x")
    assert done.returncode == 2 and "--task" in done.stderr


def test_version():
    done = process("--version")
    assert done.returncode == 0 and done.stdout.startswith("treegraft ")


def test_envs_lists_the_options_of_an_environment():
    done = engine("envs", "bird", "--json")
    assert [option["name"] for option in json.loads(done.stdout)["bird"]] == ["schema"]


def test_doctor_says_what_is_there_and_how_to_get_the_rest():
    done = engine("doctor", "--json")
    found = {one["name"]: one for one in json.loads(done.stdout)["findings"]}
    assert done.returncode == 0 and found["torch"]["found"] and found["disk"]["detail"]
    for one in found.values():
        assert one["found"] != bool(one["hint"]), one


def test_flags_of_version_0_1_are_accepted_and_not_listed(tmp_path):
    old = ("--max-usd", "1", "--solved", "1", "--repeats", "2", "--task-max-calls", "9")
    bird = ("explore", "--env", "bird", "--limit", 1, "--schema", "prompt")
    done = engine(*bird, *old, "--out", tmp_path / "r", "--json")
    assert done.returncode == 0, done.stderr
    new = ("--budget-usd", "1", "--max-solutions", "1", "--retries", "2")
    bird = ("explore", "--env", "bird", "--limit", 1, "--env-arg", "schema=prompt")
    again = engine(*bird, *new, "--task_budget_calls", "9", "--output", tmp_path / "r", "--json")
    assert again.returncode == 0, again.stderr
    listed = engine("explore", "--help").stdout
    assert "--budget-usd" in listed and not any(flag in listed for flag in old[::2])
