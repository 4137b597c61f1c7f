"""Whatever file or folder a flag names, a command works or says in one line what is wrong.

The flags come from the commands' own tables: a new flag that takes a path needs a row here.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import commands
from tests.support.command_flags import all_flags
from tests.support.stored import answer, store, tree
from treegraft import text_files

IN, OUT, RUN, FOLDER, DATA = "file to read", "file to write", "run", "folder to write", "task data"
SETTINGS = '[tasks]\nenv = "bird"\n[student]\nmodel = "smollm2"\n'

TEXTS = {"data", "tasks", "template", "student_template", "deepspeed", "shots_from", "like"}
"""Flags whose text may name a file."""

BIRD = "--env=bird --output={out}"
ASKED = f"{BIRD} --tasks=bird-train-0 --teacher=m --base-url=http://127.0.0.1:9/v1"
ASKING = "--model=m --base-url=http://127.0.0.1:9/v1"
MADE = "--env=kg --output={out} --how=derive --model=m --base-url=http://127.0.0.1:9/v1"
BRANCHED = "{run} --policy=m --base-url=http://127.0.0.1:9/v1"
EVAL = "--env=bird --model=m --output={out} --limit=1"
SERVED = f"{EVAL} --base-url=http://127.0.0.1:9/v1"
TRAINED = "--model={tiny} --dataset={rows}"

FLAGS: dict[str, tuple[str, str]] = {
    "engine explore --output": (FOLDER, "--env=bird --tasks=bird-train-0 --output={bad}"),
    "engine explore --data": (DATA, f"{BIRD} --data={{bad}}"),
    "engine explore --task-file": (IN, f"{BIRD} --task-file={{bad}}"),
    "engine explore --template": (IN, f"{BIRD} --template={{bad}}"),
    "engine explore --student-template": (
        IN,
        f"{BIRD} --student=m@http://127.0.0.1:9/v1 --student-template={{bad}}",
    ),
    "engine explore --tasks": (IN, f"{BIRD} --tasks=@{{bad}}"),
    "engine explore --shots-from": (IN, f"{ASKED} --shots=1 --shots-from={{bad}}"),
    "engine explore --quarantine": (IN, f"{BIRD} --quarantine={{bad}}"),
    "engine explore --journal": (OUT, f"{ASKED} --journal={{bad}}"),
    "engine explore --prices": (IN, f"{ASKED} --prices={{bad}}"),
    "engine explore --config": (IN, f"{BIRD} --config={{bad}}"),
    "engine rounds FILE": (IN, "{bad} --output={out}"),
    "engine rounds --output": (FOLDER, "{settings} --output={bad}"),
    "engine stats RUN": (RUN, "{bad}"),
    "engine show RUN": (RUN, "{bad}"),
    "engine show --graphml": (OUT, "{run} --task=a --graphml={bad}"),
    "engine view RUNS": (RUN, "{bad}"),
    "engine view --values": (RUN, "{run} --values={bad}"),
    "engine view --html": (OUT, "{run} --html={bad}"),
    "engine view --tasks": (IN, "{run} --tasks=@{bad}"),
    "engine view --import-marks": (IN, "{run} --import-marks={bad}"),
    "engine export RUNS": (RUN, "{bad} --output={out}"),
    "engine export --output": (OUT, "{run} --output={bad}"),
    "engine export --template": (IN, "{run} --output={out} --template={bad}"),
    "engine correct RUN": (RUN, "{bad} --task=a --node=1"),
    "engine correct --task-file": (IN, "{run} --task=a --node=1 --task-file={bad}"),
    "engine benchmark RUNS": (RUN, "{bad} --output={out}"),
    "engine benchmark --output": (OUT, "{run} --output={bad}"),
    "engine benchmark --template": (IN, "{run} --output={out} --template={bad}"),
    "engine credit RUN": (RUN, "{bad}"),
    "engine credit --output": (FOLDER, "{run} --output={bad}"),
    "engine credit --task-file": (IN, "{run} --task-file={bad}"),
    "engine credit --tasks": (IN, "{run} --tasks=@{bad}"),
    "engine credit --template": (
        IN,
        "{run} --policy=m --base-url=http://127.0.0.1:9/v1 --template={bad}",
    ),
    "engine credit --shots-from": (IN, "{run} --shots-from={bad}"),
    "engine credit --journal": (
        OUT,
        "{run} --policy=m --base-url=http://127.0.0.1:9/v1 --journal={bad}",
    ),
    "engine credit --prices": (
        IN,
        "{run} --policy=m --base-url=http://127.0.0.1:9/v1 --prices={bad}",
    ),
    "engine judge RUN": (RUN, "{bad}"),
    "engine judge --task-file": (IN, "{run} --task-file={bad}"),
    "engine judge --journal": (OUT, f"{{run}} {ASKING} --journal={{bad}}"),
    "engine judge --prices": (IN, f"{{run}} {ASKING} --prices={{bad}}"),
    **{
        f"engine make {kind} --{name}": (role, f"{flags} --{name}={{bad}}")
        for kind in ("queries", "negatives")
        for name, role, flags in (
            ("data", DATA, f"{BIRD} --n=1"),
            ("task-file", IN, f"{BIRD} --n=1"),
            ("output", OUT, "--env=bird --n=1"),
            ("journal", OUT, f"{BIRD} --n=1 {ASKING}"),
            ("prices", IN, f"{BIRD} --n=1 {ASKING}"),
        )
    },
    "engine make thoughts RUN": (RUN, "{bad} --output={out}"),
    "engine make thoughts --output": (FOLDER, "{run} --output={bad}"),
    "engine make thoughts --journal": (OUT, f"{{run}} --output={{out}} {ASKING} --journal={{bad}}"),
    "engine make thoughts --prices": (IN, f"{{run}} --output={{out}} {ASKING} --prices={{bad}}"),
    "engine make templates --data": (DATA, f"{BIRD} --n=1 --data={{bad}}"),
    "engine make templates --task-file": (IN, f"{BIRD} --n=1 --task-file={{bad}}"),
    "engine make templates --queries": (IN, f"{BIRD} --n=1 --queries={{bad}}"),
    "engine make templates --output": (FOLDER, "--env=bird --n=1 --output={bad}"),
    "engine make templates --journal": (OUT, f"{BIRD} {ASKING} --journal={{bad}}"),
    "engine make templates --prices": (IN, f"{BIRD} {ASKING} --prices={{bad}}"),
    "engine branch RUN": (RUN, "{bad}"),
    "engine branch --output": (FOLDER, "{run} --output={bad}"),
    "engine branch --data": (DATA, "{run} --env=bird --data={bad} --output={out}"),
    "engine branch --task-file": (IN, "{run} --task-file={bad} --output={out}"),
    "engine branch --tasks": (IN, "{run} --tasks=@{bad} --output={out}"),
    "engine branch --template": (IN, f"{BRANCHED} --template={{bad}} --output={{out}}"),
    "engine branch --shots-from": (IN, "{run} --shots-from={bad} --output={out}"),
    "engine branch --journal": (OUT, f"{BRANCHED} --journal={{bad}} --output={{out}}"),
    "engine branch --prices": (IN, f"{BRANCHED} --prices={{bad}} --output={{out}}"),
    "engine import PATHS": (IN, "chat {bad} --output={out}"),
    "engine import --output": (FOLDER, "chat {rows} --output={bad}"),
    "engine import --rewards": (IN, "chat {rows} --rewards={bad} --output={out}"),
    "engine make tasks --data": (DATA, f"{BIRD} --n=1 --data={{bad}}"),
    "engine make tasks --task-file": (IN, f"{BIRD} --how=derive --n=1 --task-file={{bad}}"),
    "engine make tasks --output": (OUT, "--env=kg --n=1 --output={bad}"),
    "engine make tasks --journal": (OUT, f"{MADE} --journal={{bad}}"),
    "engine make tasks --prices": (IN, f"{MADE} --prices={{bad}}"),
    "engine audit SOURCES": (IN, "{bad}"),
    "engine audit --output": (OUT, "{rows} --output={bad}"),
    "engine audit --card": (OUT, "{rows} --card={bad}"),
    "engine audit --sheet": (OUT, "{rows} --sheet={bad}"),
    "engine audit --labels": (IN, "{rows} --labels={bad}"),
    "engine audit --held-out": (IN, "{rows} --held-out={bad}"),
    "engine push SOURCE": (IN, "{bad} --repo-id=me/x --dry-run --output={out}"),
    "engine push --output": (FOLDER, "{rows} --repo-id=me/x --dry-run --output={bad}"),
    "engine push --held-out": (
        IN,
        "{rows} --repo-id=me/x --dry-run --output={out} --held-out={bad}",
    ),
    "engine export --shots-from": (IN, "{run} --output={out} --shots=1 --shots-from={bad}"),
    "engine validate --data": (DATA, "--env=bird --limit=1 --data={bad} --quarantine={out}"),
    "engine validate --task-file": (IN, "--env=bird --task-file={bad} --quarantine={out}"),
    "engine validate --quarantine": (OUT, "--env=bird --limit=1 --quarantine={bad}"),
    "engine validate --proof": (
        OUT,
        "--env=kg --limit=1 --quarantine={out} --proof={bad}",
    ),
    "engine validate --verify": (IN, "--verify={bad}"),
    "engine bench-env --data": (DATA, "--env=bird --data={bad}"),
    "engine bench-env --task-file": (IN, "--env=bird --task-file={bad}"),
    "engine serve-env --task-file": (IN, "bird --task-file={bad}"),
    "engine serve-env --data": (DATA, "bird --data={bad}"),
    "engine new-env --folder": (FOLDER, "cavern --folder={bad}"),
    "engine cache list --journal": (RUN, "--journal={bad}"),
    "engine cache prune --journal": (RUN, "--all --journal={bad}"),
    "engine proxy --journal": (OUT, "--base-url=http://127.0.0.1:9/v1 --port=0 --journal={bad}"),
    "engine proxy --prices": (
        IN,
        "--base-url=http://127.0.0.1:9/v1 --port=0 --journal={out} --prices={bad}",
    ),
    "engine shop serve --data": (DATA, "--data={bad}"),
    "engine shop serve --output": (FOLDER, "--output={bad}"),
    "trainer data FILES": (IN, "{bad}"),
    "trainer mask --dataset": (IN, "--model={tiny} --dataset={bad}"),
    "trainer gguf --like": (IN, "{tiny} --like={bad} --output={out}"),
    "trainer gguf --output": (OUT, "{tiny} --like=smollm2 --output={bad}"),
    "trainer mask --trainer-config": (
        IN,
        "--model={tiny} --dataset={rows} --for=axolotl --trainer-config={bad}",
    ),
    "trainer eval --data": (DATA, f"{SERVED} --data={{bad}}"),
    "trainer eval --task-file": (IN, f"{SERVED} --task-file={{bad}}"),
    "trainer eval --tasks": (IN, f"{SERVED} --tasks=@{{bad}}"),
    "trainer eval --quarantine": (IN, f"{SERVED} --quarantine={{bad}}"),
    "trainer eval --format-only": (
        IN,
        "--model=m --base-url=http://127.0.0.1:9/v1 --format-only={bad}",
    ),
    "trainer eval --shots-from": (IN, f"{SERVED} --shots=1 --shots-from={{bad}}"),
    "trainer eval --template": (IN, f"{SERVED} --template={{bad}}"),
    "trainer eval --reference": (IN, f"{SERVED} --reference={{bad}}"),
    "trainer eval --general-data": (IN, f"{EVAL} --general-data={{bad}}"),
    "trainer eval --sheet": (OUT, "--compare={run} --sheet={bad}"),
    "trainer eval --scores": (IN, "--compare={run} --scores={bad}"),
    "trainer eval --compare": (RUN, "--compare={bad}"),
    "trainer eval --report": (OUT, "--compare={run} --report={bad}"),
    "trainer eval --output": (FOLDER, "--env=bird --model=m --limit=1 --output={bad}"),
}
TRAININGS = {name: TRAINED for name in ("sft", "dpo", "kto")}
TRAININGS["distill"] = f"{TRAINED} --teacher={{tiny}}"
for name, trained in TRAININGS.items():
    other = trained.replace("--dataset={rows}", "")
    FLAGS |= {
        f"trainer {name} --dataset": (IN, f"{other} --dataset={{bad}} --output={{out}}"),
        f"trainer {name} --output": (FOLDER, f"{trained} --output={{bad}}"),
        f"trainer {name} --eval-dataset": (
            IN,
            f"{trained} --output={{out}} --eval-dataset={{bad}}",
        ),
        f"trainer {name} --held-out": (IN, f"{trained} --output={{out}} --held-out={{bad}}"),
        f"trainer {name} --deepspeed": (IN, f"{trained} --output={{out}} --deepspeed={{bad}}"),
        f"trainer {name} --config": (IN, f"{trained} --output={{out}} --config={{bad}}"),
    }
for name in ("sft", "distill"):
    FLAGS[f"trainer {name} --general-data"] = (
        IN,
        f"{TRAININGS[name]} --output={{out}} --general-data={{bad}}",
    )

SLOW = {
    f"trainer {name} --{flag}"
    for name in TRAININGS
    for flag in ("dataset", "eval-dataset", "general-data", "held-out", "deepspeed")
    if (name, flag) not in (("sft", "dataset"), ("sft", "held-out"), ("sft", "deepspeed"))
}
"""Flags that are read by the same code as others, once a model is loaded."""


def missing(place: Path) -> None:
    """Nothing is there."""


def below_a_file(place: Path) -> None:
    place.parent.rmdir()
    place.parent.write_text("a file")


def folder(place: Path) -> None:
    place.mkdir()


def empty(place: Path) -> None:
    place.touch()


def binary(place: Path) -> None:
    place.write_bytes(b"\xff\xfa\x80\x00\x81abc" * 100)


def truncated(place: Path) -> None:
    place.write_text('{"messages": [{"role": "user", "conte')


def pipe(place: Path) -> None:
    os.mkfifo(place)


def endless_or_full(place: Path) -> None:
    place.symlink_to("/dev/full")


def dangling(place: Path) -> None:
    place.symlink_to("nothing")


def circle(place: Path) -> None:
    place.symlink_to(place.with_name("other"))
    place.with_name("other").symlink_to(place.name)


def long_name(place: Path) -> Path:
    return place.with_name("x" * 300 + place.name)


def nul(place: Path) -> Path:
    return place.with_name(f"a\0b{place.name}")


Maker = Callable[[Path], Path | None]
ALWAYS: list[Maker] = [below_a_file, circle, long_name, nul]
REFUSED: dict[str, list[Maker]] = {
    IN: [*ALWAYS, missing, folder, empty, binary, truncated, pipe, endless_or_full, dangling],
    DATA: [*ALWAYS, missing, folder, empty, binary, truncated, pipe, endless_or_full, dangling],
    RUN: [*ALWAYS, missing, empty, binary, truncated, pipe, endless_or_full, dangling],
    OUT: [*ALWAYS, folder, pipe, endless_or_full],
    FOLDER: [*ALWAYS, empty, binary, pipe, endless_or_full],
}
ALLOWED = {
    ("engine make templates --queries", truncated),  # any lines of text are queries
    ("trainer eval --scores", empty),  # a sheet without scores
    *((f"engine cache {name} --journal", empty) for name in ("list", "prune")),
    ("engine explore --config", empty),
    *((f"trainer {name} --config", empty) for name in TRAININGS),
}
CASES = [
    pytest.param(flag, make, id=f"{flag} {make.__name__}")
    for flag, (role, _) in FLAGS.items()
    for make in REFUSED[role]
    if (flag, make) not in ALLOWED and (make in (missing, binary) or flag not in SLOW)
]


def test_every_flag_that_takes_a_path_is_tried() -> None:
    found = {str(flag) for flag in all_flags() if flag.type is Path or flag.name in TEXTS}
    assert found == set(FLAGS)


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    here = tmp_path_factory.mktemp("things")
    (here / "rounds.toml").write_text(SETTINGS)
    row = {"messages": [{"role": role, "content": "Yes?"} for role in ("user", "assistant")]}
    (here / "rows.jsonl").write_text(f"{json.dumps(row)}\n")
    run = store(here / "run", [tree("a", answer("x"))])
    return {"run": run, "settings": here / "rounds.toml", "rows": here / "rows.jsonl"}


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setattr(text_files, "PATIENCE_SECONDS", 0.02)
    return tmp_path


@pytest.mark.parametrize(("flag", "make"), CASES)
def test_a_path_that_cannot_be_used_is_told_in_one_line(
    flag: str,
    make: Maker,
    things: dict[str, Path],
    own_folder: Path,
    request: pytest.FixtureRequest,
    capfd: pytest.CaptureFixture[str],
) -> None:
    tmp_path = own_folder
    _, template = FLAGS[flag]
    ending = next((e for e in ("toml", "md", "yaml") if e in _endings(flag)), "jsonl")
    place = tmp_path / "folder" / f"bad.{ending}"
    place.parent.mkdir()
    bad = make(place) or place
    before = sorted(tmp_path.rglob("*"))
    if "{tiny}" in template:
        things = {**things, "tiny": request.getfixturevalue("tiny")}
    filled = [part.format(bad=bad, out=tmp_path / "out", **things) for part in template.split()]
    code = commands.run(" ".join(flag.split()[:-1]), *filled)
    told = capfd.readouterr().err
    errors = [line for line in told.splitlines() if line.startswith("error: ")]
    usage = "Usage:" in told and make is nul  # typer itself looks at the name
    assert code == 2 and len(errors) == (not usage) and "Traceback" not in told, (code, told)
    assert sorted(tmp_path.rglob("*")) == before or flag.startswith(MAY_BEGIN), "left something"


MAY_BEGIN = (
    *("engine explore --journal", "engine explore --prices", "trainer eval --output"),
    *("engine make thoughts --journal", "engine make thoughts --prices"),
)


def _endings(flag: str) -> str:
    return {"template": "toml", "FILE": "toml", "report": "md", "config": "yaml"}.get(
        flag.split("-")[-1].split()[-1], ""
    )
