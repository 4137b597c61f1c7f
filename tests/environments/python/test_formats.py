"""Tasks as the formats have them, and what is said of a malformed record."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.runs.fingerprints import contains_secret, fingerprints
from environments import Action, DataError, Task, make
from environments.python.formats import python_tasks

HUMANEVAL = {
    "task_id": "HumanEval/7",
    "prompt": 'def f(x):\n    """Twice.\n    >>> f(2)\n    4\n    """\n',
    "entry_point": "f",
    "canonical_solution": "    return 2 * x\n",
    "test": "def check(candidate):\n    assert candidate(4) == 8\n    assert candidate(0) == 0\n",
}
MBPP = {
    "task_id": 602,
    "text": "Write a function to double.",
    "code": "class P:\n    pass\n\ndef f(x):\n    return 2 * x\n",
    "test_setup_code": "p = P()\np.n = 4",
    "test_list": ["assert f(p.n) == 8", "assert f(1) == 2"],
    "challenge_test_list": ["assert f(0) == 1"],
}
SANITIZED = {
    "task_id": 2,
    "prompt": "Write a function to double.",
    "code": "def f(x):\n    return 2 * x\n",
    "test_imports": ["import math"],
    "test_list": ["assert math.isclose(f(2), 4)"],
}
GSM8K = {
    "question": "Ann has 48 pens and half as many pencils. How many in all?",
    "answer": "48/2=<<48/2=24>>24 pencils.\n24+48 = <<24+48=72>>72.\n#### 72",
}
OWN = {
    "id": "own-1",
    "group": "doubles",
    "split": "dev",
    "prompt": "Write f that doubles what number.txt holds.",
    "visible_tests": ["assert f(1) == 14"],
    "tests": ["assert f(2) == 28"],
    "solution": "def f(n):\n    return n * 2 * int(open('number.txt').read())\n",
    "files": {"number.txt": "7"},
    "packages": ["json"],
    "timeout": 5,
}
VALUE = {"prompt": "Six times seven?", "answer": 42}
FORMATS = {
    "humaneval": HUMANEVAL,
    "mbpp": MBPP,
    "mbpp-sanitized": SANITIZED,
    "gsm8k": GSM8K,
    "jsonl": OWN,
    "jsonl-value": VALUE,
}

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write records as JSON lines; the path."""

    def written(*records: Any, name: str = "tasks.jsonl") -> str:
        path = tmp_path / name
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return str(path)

    return written


def one(path: str, format: str | None = None) -> Task:
    (task,) = python_tasks(path, None, format)
    return task


def test_prompts_show_what_the_originals_show(write: Write) -> None:
    assert one(write(HUMANEVAL)).prompt == HUMANEVAL["prompt"]
    assert one(write(MBPP)).prompt.splitlines() == [
        "Write a function to double.",
        "Your code should pass these tests:",
        "p = P()",
        "p.n = 4",
        "assert f(p.n) == 8",
        "assert f(1) == 2",
    ]
    assert one(write(GSM8K)).prompt == GSM8K["question"]
    assert one(write(OWN)).prompt == f"{OWN['prompt']}\nFiles: number.txt"


@pytest.mark.parametrize("record", FORMATS.values(), ids=list(FORMATS))
def test_no_prompt_holds_a_secret(write: Write, record: dict[str, Any]) -> None:
    task = one(write(record))
    assert (
        task.secret and task.group and not contains_secret(task.prompt, fingerprints(task.secret))
    )


@pytest.mark.parametrize("record", FORMATS.values(), ids=list(FORMATS))
def test_every_format_is_guessed_played_and_graded(write: Write, record: dict[str, Any]) -> None:
    env = make("python", data=write(record))
    try:
        (task,) = env.tasks
        for actions, reward in ((env.solution(task), 1.0), (env.noop(task), 0.0)):
            env.reset(options={"task": task})
            steps = [env.step(action) for action in actions]
            assert [step[1] for step in steps] == [0.0] * (len(steps) - 1) + [reward]
            assert all("error" not in step[4] for step in steps), steps
        wrong = env.mistakes(task, env.solution(task)[-1])
        assert wrong
        env.reset(options={"task": task})
        assert env.step(wrong[0])[1] == 0.0
    finally:
        env.close()


def test_gsm8k_solutions_show_their_calculations(write: Write) -> None:
    env = make("python", data=write(GSM8K))
    cell, answer = env.solution(env.tasks[0])
    assert cell.arguments["code"] == "print(48/2)\nprint(24+48)"
    assert answer == Action("answer", {"value": "72"}, answer.thought)


def test_ids_and_splits(write: Write) -> None:
    assert one(write(HUMANEVAL)).id == "humaneval-7"
    assert (one(write(MBPP)).id, one(write(MBPP)).split) == ("mbpp-602", "train")
    assert one(write(SANITIZED)).split == "prompt"
    assert one(write(OWN)).split == "dev"
    path = write(MBPP, SANITIZED)
    assert [task.id for task in python_tasks(path, "train", None)] == ["mbpp-602"]
    with pytest.raises(DataError, match="no task of split 'test'; the splits there: prompt, train"):
        python_tasks(path, "test", None)


def test_lists_and_packed_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps([MBPP, SANITIZED]))
    assert len(python_tasks(str(path), None, None)) == 2
    packed = tmp_path / "tasks.jsonl.gz"
    packed.write_bytes(gzip.compress(json.dumps(HUMANEVAL).encode()))
    assert one(str(packed)).id == "humaneval-7"


def without(record: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != name}


@pytest.mark.parametrize(
    ("format", "record", "said"),
    [
        ("humaneval", without(HUMANEVAL, "test"), "no field 'test'"),
        ("humaneval", without(HUMANEVAL, "entry_point"), "no field 'entry_point'"),
        ("humaneval", HUMANEVAL | {"canonical_solution": "return ("}, "not Python"),
        ("mbpp", without(MBPP, "code"), "no field 'code'"),
        ("mbpp", MBPP | {"test_list": []}, "field 'test_list' is empty"),
        ("mbpp", MBPP | {"test_list": "assert f(1)"}, "must be a list of texts"),
        ("mbpp", MBPP | {"test_list": ["assert f("]}, "not Python"),
        ("mbpp", MBPP | {"task_id": [7]}, "field 'task_id' must be a name or a number"),
        ("gsm8k", GSM8K | {"answer": "It is 72."}, "does not end in '#### ' and a number"),
        ("gsm8k", without(GSM8K, "question"), "no field 'question'"),
        ("jsonl", without(OWN, "prompt"), "no field 'prompt'"),
        ("jsonl", OWN | {"prompt": " "}, "field 'prompt' must be text"),
        ("jsonl", without(OWN, "tests"), "needs either 'tests' or 'answer'"),
        ("jsonl", OWN | {"answer": 1}, "needs either 'tests' or 'answer'"),
        ("jsonl", VALUE | {"answer": [1]}, "field 'answer' must be a number or a text"),
        ("jsonl", OWN | {"files": {"../x": ""}}, "not a text below the directory"),
        ("jsonl", OWN | {"files": {"/x": ""}}, "not a text below the directory"),
        ("jsonl", OWN | {"files": {"x": 1}}, "not a text below the directory"),
        ("jsonl", OWN | {"timeout": "5s"}, "field 'timeout' must be seconds"),
        ("jsonl", OWN | {"packages": "numpy"}, "field 'packages' must be a list"),
        (None, {"text": "?"}, "unknown format; name it with the option `format`"),
        (None, "no object", "must be an object, not str"),
    ],
)
def test_malformed_records_are_named(
    write: Write, format: str | None, record: Any, said: str
) -> None:
    path = write(FORMATS[format], record, name="t.jsonl") if format else write(record)
    with pytest.raises(DataError) as found:
        python_tasks(path, None, format, strict=True)
    assert said in str(found.value)
    assert str(found.value).startswith(f"{path}: line {2 if format else 1}: ")


def test_files_that_cannot_be_read_are_named(tmp_path: Path, write: Write) -> None:
    with pytest.raises(DataError, match=r"none\.jsonl: cannot be read"):
        python_tasks(str(tmp_path / "none.jsonl"), None, None)
    (tmp_path / "bad.gz").write_bytes(b"no gzip")
    with pytest.raises(DataError, match=r"bad\.gz: cannot be read"):
        python_tasks(str(tmp_path / "bad.gz"), None, None)
    (tmp_path / "bad.jsonl").write_text('{"question": "?"\n')
    with pytest.raises(DataError, match=r"bad\.jsonl: line 1: not JSON"):
        python_tasks(str(tmp_path / "bad.jsonl"), None, None)
    with pytest.raises(DataError, match="holds no record"):
        python_tasks(write(), None, None)
    with pytest.raises(DataError, match="no format 'xml'; use one of humaneval, mbpp"):
        python_tasks(write(VALUE), None, "xml")
    with pytest.raises(DataError, match="line 2: a second task"):
        python_tasks(write(OWN, OWN), None, None, strict=True)
    with pytest.raises(DataError, match="no split 'dev' of the bundled tasks"):
        python_tasks(None, "dev", None)
