"""Tasks from HumanEval, MBPP, GSM8K and our own JSON lines.

A task shows what the original shows: HumanEval's prompt as it is; MBPP's text with all of
`test_list`, as in its paper (Austin et al. 2021, arXiv:2108.07732, section 2.1), so the visible
assertions (`run_tests`) are the graded ones, as upstream; GSM8K's question. MBPP's
`challenge_test_list` is not used, since upstream does not grade by it.

Our own format has one object per line: `prompt` and either `tests` (hidden: a list of assertions or
other code) or `answer` (a number or a text); and, all optional, `visible_tests`, `solution` (code
that solves it, for `tests`; code that computes the answer, for `answer`), `files` (contents by
path), `packages` (that the sandbox must have), `timeout` (seconds for all tests together), `id`,
`group`, `split`.
"""

import ast
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from environments.errors import DataError
from environments.python.values import gold_of
from environments.records import (
    BadRecord,
    Faults,
    Record,
    bundled_split,
    make_tasks,
    of_split,
    read_records,
)
from environments.types import Task

BUNDLED = Path(__file__).parent / "data"
"""The bundled tasks: `train.jsonl` and `test.jsonl`."""

Format = Literal["humaneval", "mbpp", "gsm8k", "jsonl"]

MBPP_SPLITS = {"prompt": 10, "test": 510, "validation": 600, "train": 974}
"""The last `task_id` of each split (its paper, section 2.1)."""
MBPP_SECONDS = 10.0
LONGEST_TIMEOUT = 600.0


def python_tasks(
    data: str | None, split: str | None, format: str | None, *, strict: bool = False
) -> list[Task]:
    """Return the tasks of the file `data`, or bundled ones (by default the train split).

    A record that makes no task is told and left out, unless `strict`.

    Raises:
        DataError: the message names the file and the record.
    """
    faults = Faults(strict)
    if data is None:
        path = bundled_split(BUNDLED, split)
        return make_tasks(read_records(path, faults), lambda record: _own(record, faults), faults)
    path = Path(data)
    records = read_records(path, faults)
    make = MAKERS.get(format or _guess_any(records))
    if make is None:
        raise DataError(f"no format {format!r}; use one of {', '.join(MAKERS)}")
    tasks = make_tasks(records, lambda record: make(record, faults), faults)
    faults.report()
    return of_split(tasks, split, path)


def _guess_any(records: Sequence[Record]) -> str:
    """Return the format of the first record that has one."""
    for record in records:
        with suppress(BadRecord):
            return guess(record)
    return guess(records[0])


def guess(record: Record) -> str:
    """Return the format of a record, by its keys; raise `DataError` if it is unknown."""
    keys = set(record.fields)
    if {"prompt", "entry_point", "test"} <= keys:
        return "humaneval"
    if "test_list" in keys:
        return "mbpp"
    if {"question", "answer"} <= keys:
        return "gsm8k"
    if "prompt" in keys and keys & {"tests", "answer"}:
        return "jsonl"
    raise BadRecord(record.place, "unknown format; name it with the option `format`")


def _humaneval(record: Record, faults: Faults) -> Task:
    prompt, name = record.text("prompt"), record.text("entry_point")
    check, solution = record.text("test"), record.text("canonical_solution")
    for code in (prompt, prompt + solution, check):
        parsed(record, code)
    id = record.id("task_id", faults, f"HumanEval/{record.index}")
    return Task(
        id=id.lower().replace("/", "-"),
        prompt=prompt,
        secret={"check": check, "solution": solution},
        details={"stub": prompt, "entry_point": name},
        group=id,
        split="test",
    )


def _mbpp(record: Record, faults: Faults) -> Task:
    text = record.text("text" if "text" in record.fields else "prompt").strip()
    code, tests = record.text("code"), record.texts("test_list", needed=True)
    setup = [*record.texts("test_imports"), *filter(None, [record.maybe("test_setup_code")])]
    for source in (code, *setup, *tests):
        parsed(record, source)
    id = record.id("task_id", faults, str(record.index + 1))
    number = int(id) if id.isdecimal() else MBPP_SPLITS["train"]
    return Task(
        id=f"mbpp-{id}",
        prompt="\n".join([text, "Your code should pass these tests:", *setup, *tests]),
        secret={"solution": code},
        details={"visible": tests, "setup": setup, "seconds": MBPP_SECONDS},
        group=f"mbpp-{id}",
        split=next((name for name, last in MBPP_SPLITS.items() if number <= last), "train"),
    )


def _gsm8k(record: Record, faults: Faults) -> Task:
    question, answer = record.text("question").strip(), record.text("answer")
    gold = gold_of(answer)
    if gold is None:
        raise BadRecord(record.place, "field 'answer' does not end in '#### ' and a number")
    id = f"gsm8k-{record.index:04d}"
    return Task(id, question, {"answer": gold, "reasoning": answer}, group=id, split="")


def _own(record: Record, faults: Faults) -> Task:
    secret = _secret(record)
    visible, solution = record.texts("visible_tests"), record.maybe("solution")
    for code in (solution, *visible, *secret.get("tests", ())):
        parsed(record, code)
    files = _files(record)
    listed = f"\nFiles: {', '.join(files)}" if files else ""
    details = {
        "visible": visible,
        "files": files,
        "packages": record.texts("packages"),
        "seconds": _timeout(record),
    }
    file = Path(record.place).name.partition(".")[0]
    id = record.id("id", faults, f"{file}-{record.index:04d}")
    return Task(
        id=id,
        prompt=record.text("prompt").strip() + listed,
        secret=secret | ({"solution": solution} if solution else {}),
        details={name: value for name, value in details.items() if value},
        group=record.maybe("group") or id,
        split=record.maybe("split"),
    )


def _secret(record: Record) -> dict[str, Any]:
    if ("tests" in record.fields) == ("answer" in record.fields):
        raise BadRecord(record.place, "needs either 'tests' or 'answer'")
    if "tests" in record.fields:
        return {"tests": record.texts("tests", needed=True)}
    answer = record.fields["answer"]
    if type(answer) not in (int, float, str) or not str(answer).strip():
        raise BadRecord(record.place, "field 'answer' must be a number or a text")
    return {"answer": str(answer)}


def _files(record: Record) -> dict[str, str]:
    files = record.fields.get("files") or {}
    if not isinstance(files, Mapping):
        raise BadRecord(record.place, "field 'files' must be an object of contents by path")
    for path, content in files.items():
        if not is_below(path) or not isinstance(content, str):
            raise BadRecord(record.place, f"file {path!r}: not a text below the directory")
    return dict(files)


def is_below(path: str) -> bool:
    """Return whether `path` is relative and stays below its directory."""
    parts = PurePosixPath(path).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts and "\0" not in path


def _timeout(record: Record) -> float:
    value = record.fields.get("timeout") or 0
    if type(value) not in (int, float) or not 0 <= value <= LONGEST_TIMEOUT:
        raise BadRecord(record.place, f"field 'timeout' must be seconds up to {LONGEST_TIMEOUT}")
    return float(value)


def parsed(record: Record, code: str) -> None:
    """Raise DataError if `code` is not Python."""
    try:
        ast.parse(code)
    except (SyntaxError, ValueError) as error:
        raise BadRecord(record.place, f"not Python: {error}: {code!r:.80}") from error


MAKERS: dict[str, Callable[[Record, Faults], Task]] = {
    "humaneval": _humaneval,
    "mbpp": _mbpp,
    "gsm8k": _gsm8k,
    "jsonl": _own,
}


def task_from(fields: Mapping[str, Any]) -> Task:
    """Return the task of an object in our own format.

    Raises:
        BadRecord: It makes none.
    """
    return _own(Record("the task", 0, dict(fields)), Faults(strict=True))
