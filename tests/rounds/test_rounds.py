"""`engine rounds` as a user meets it: real steps on bundled tasks, killed, resumed and refused."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy
import pytest
from safetensors.numpy import load_file

from engine.errors import UsageError
from engine.export.export import ExportSettings, export
from engine.runs.codec import tree_to_dict
from engine.runs.store import Store
from tests.support import commands
from tests.support.exploring import chat_server, engine, explore, received, started
from trainer.training.options import SftOptions
from treegraft.rounds.held_out import LeakedTask
from treegraft.rounds.run import read_status, rounds
from treegraft.rounds.settings import Settings, read
from treegraft.rounds.state import FILE, State

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:transformers")

TASKS = 8
SETTINGS = f"""
[tasks]
env = "bird"
train_limit = {TASKS}
held_out_limit = 4
[student]
model = "MODEL"
[teacher]
model = "player"
base_url = "TEACHER"
[explore]
depth = 6
concurrency = 2
[explore.student]
depth = 2
max_reply_tokens = 8
[train]
least_pairs = 2
[sft]
max_steps = 2
gradient_accumulation_steps = 1
learning_rate = 0.01
bf16 = false
[dpo]
max_steps = 1
gradient_accumulation_steps = 1
bf16 = false
[eval]
base = false
depth = 2
max_reply_tokens = 8
concurrency = 2
[rounds]
number = 2
"""

MIDDLE: dict[str, Callable[[Path], bool]] = {
    "1/teacher": lambda out: searched(out / "round-1-teacher"),
    "1/pairs": lambda out: (out / "round-1-pairs.out").exists(),
    "1/sft": lambda out: (out / "round-1-sft" / "treegraft.json").exists(),
    "1/evaluate": lambda out: searched(out / "round-1-held-out"),
    "2/teacher": lambda out: searched(out / "round-2-teacher"),
}
"""Whether a step is in its middle, for a search, an export, a training, a step that needs the
student's server, and a search in a later round."""


def searched(run: Path) -> bool:
    """Whether some of its tasks have a tree."""
    try:
        with Store.open(run) as store:
            return bool(store.task_ids())
    except UsageError:
        return False


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a teacher, and the log of what it was asked."""
    log = tmp_path_factory.mktemp("teacher") / "log"
    with chat_server(log) as base_url:
        yield base_url, log


@pytest.fixture(scope="module")
def settings(
    long_tiny: Path, teacher: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    text = SETTINGS.replace("MODEL", str(long_tiny)).replace("TEACHER", teacher[0])
    file = tmp_path_factory.mktemp("settings") / "small.toml"
    file.write_text(text)
    return file


@pytest.fixture(scope="module")
def long_tiny(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, for rows longer than what it takes by itself."""
    folder = tmp_path_factory.mktemp("long") / "tiny"
    folder.mkdir()
    for file in tiny.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 2048}))
    return folder


def kill_in(step: str, settings: Path, out: Path) -> None:
    """Run until `step` is in its middle; then kill -9, and see that no child lives on."""
    with started(["rounds", str(settings), "--out", str(out)]) as process:
        deadline = time.monotonic() + 600
        while not (now(out) == step and MIDDLE[step](out)):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline, f"{step} does not begin"
            time.sleep(0.005)  # the middle of a step may be short
        children = descendants(process.pid)
        process.kill()
    while any(map(alive, children)):
        assert time.monotonic() < deadline, "a child outlives its parent"
        time.sleep(0.01)


def now(out: Path) -> str:
    file = out / FILE
    return str(json.loads(file.read_text("utf-8"))["now"]) if file.exists() else ""


def descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *descendants(child)]
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(scope="module")
def killed(
    settings: Path, teacher: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run that was killed in the middle of every kind of step, and before it was done."""
    out = tmp_path_factory.mktemp("killed") / "out"
    for step in MIDDLE:
        kill_in(step, settings, out)
        if step == "1/sft":  # which would have written it, had it lived a little longer
            assert not (out / "round-1-sft" / "config.json").exists()
    return out


@pytest.fixture(scope="module")
def alone(teacher: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the first round's teacher brings when nobody disturbs it."""
    out = tmp_path_factory.mktemp("alone") / "round-1-teacher"
    engine(*explore(out, teacher[0], TASKS))
    return out


def trees(run: Path) -> list[dict[str, object]]:
    with Store.open(run) as store:
        return [tree_to_dict(tree) for tree in store.trees()]


def test_killed_runs_come_to_the_same_end(
    killed: Path, alone: Path, long_tiny: Path, tmp_path: Path
) -> None:
    assert trees(killed / "round-1-teacher") == trees(alone)
    rows = tmp_path / "rows.jsonl"
    export([alone], rows, ExportSettings("sft", templates=("react",)))
    assert (killed / "round-1-sft.jsonl").read_text() == rows.read_text()
    undisturbed = SftOptions(
        model=str(long_tiny),
        dataset=rows,
        output_dir=tmp_path / "model",
        max_steps=2,
        gradient_accumulation_steps=1,
        learning_rate=0.01,
        bf16=False,
    )
    from trainer.training.sft import sft  # not above: every worker of pytest collects this file

    sft(undisturbed)
    expected = load_file(tmp_path / "model" / "model.safetensors")
    found = load_file(killed / "round-1-sft" / "model.safetensors")
    assert all(numpy.array_equal(tensor, found[name]) for name, tensor in expected.items())
    assert not list(killed.glob("round-1-*/checkpoint-*"))


def test_no_reply_is_paid_for_twice(killed: Path, alone: Path, teacher: tuple[str, Path]) -> None:
    """But for those that were under way when the kill came: 2 at once."""
    again = Counter({request: times - 1 for request, times in received(teacher[1]).items()})
    with Store.open(alone) as store:
        lone = store.usage().calls
    # `alone` asks with a journal of its own what the first round asked.
    assert again.total() - lone <= 2


def test_what_was_done_stands_in_the_state(killed: Path, settings: Path) -> None:
    state = State.load(killed)
    first = ["teacher", "rows", "pairs", "sft", "dpo", "evaluate"]
    assert list(state.done) == [*(f"1/{step}" for step in first), "2/student"]
    assert state.done["1/teacher"].result["teacher_calls"] > TASKS
    assert state.done["1/pairs"].result["rows"] >= 2
    assert state.done["2/student"].result["teacher_calls"] == 0
    missed = (killed / "round-2-missed.txt").read_text().split()
    student = state.done["2/student"].result["student"]
    assert set(missed) == set(state.tasks["train"]) - set(student)
    status = read_status(read(settings), killed)
    assert (status.now, status.stopped) == ("2/teacher", "")
    one, two = status.points
    assert one.tasks == two.tasks == one.left == TASKS and two.left == len(missed)
    assert one.held_out and one.held_out.total == 4 and two.held_out is None


def test_status_does_nothing(killed: Path, settings: Path) -> None:
    done = commands.engine("rounds", settings, "--out", killed, "--status")
    assert done.returncode == 0, done.stderr
    assert "round 2: teacher is next" in done.stderr
    assert "held-out solve rate" in done.stdout and "round 1" in done.stdout


def changed(settings: Path, folder: Path, old: str, new: str) -> Settings:
    text = settings.read_text()
    assert old in text
    file = folder / "changed.toml"
    file.write_text(text.replace(old, new, 1))
    return read(file)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("rate = 0.01", "rate = 0.02", "1/sft: learning_rate was 0.01 and is 0.02"),
        ("depth = 6", "depth = 5", "1/teacher: depth was 6 and is 5"),
        ("least_pairs = 2", "least_pairs = 0", "did not ask for"),
        ("train_limit = 8", "train_limit = 7", "other train tasks .8 then, 7 now."),
    ],
)
def test_other_settings_are_refused_with_what_changed(
    killed: Path, settings: Path, tmp_path: Path, old: str, new: str, says: str
) -> None:
    before = (killed / FILE).read_text()
    with pytest.raises(UsageError, match=says):
        rounds(changed(settings, tmp_path, old, new), killed)
    assert (killed / FILE).read_text() == before


def test_a_leak_is_refused_before_anything_is_trained(
    killed: Path, settings: Path, tmp_path: Path
) -> None:
    """A row of a held-out task that somebody put among the others."""
    state = json.loads((killed / FILE).read_text())
    state["done"] = {name: state["done"][name] for name in ("1/teacher", "1/rows", "1/pairs")}
    (tmp_path / FILE).write_text(json.dumps(state))
    text = (killed / "round-1-sft.jsonl").read_text()
    row = json.loads(text.splitlines()[0])
    question = "How many artworks does the museum own?\nDatabase: city_museum"
    row["messages"][1]["content"] = f"Task: {question}"
    (tmp_path / "round-1-sft.jsonl").write_text(text + json.dumps(row) + "\n")
    with pytest.raises(LeakedTask, match="asks what the held-out task bird-test-240 asks"):
        rounds(read(settings), tmp_path)
    assert not (tmp_path / "round-1-sft").exists()


def test_a_group_on_both_sides_is_refused_before_anything_is_searched(
    settings: Path, tmp_path: Path
) -> None:
    both = '[tasks]\nheld_out = "train"\nheld_out_tasks = "bird-train-9"'
    with pytest.raises(LeakedTask, match="is of group"):
        rounds(changed(settings, tmp_path, "[tasks]", both), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_mistake_in_the_file_is_one_line_and_exit_code_2(settings: Path, tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(settings.read_text().replace("least_pairs", "least_pears"))
    done = commands.engine("rounds", file, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and "did you mean 'least_pairs'?" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_step_that_fails_is_told_and_done_again(settings: Path, tmp_path: Path) -> None:
    changed(settings, tmp_path, "/v1", "/nowhere")
    rounds_of = ["rounds", str(tmp_path / "changed.toml"), "--out", str(tmp_path / "out")]
    with started(rounds_of) as process:
        _, said = process.communicate(timeout=300)
    assert process.returncode == 1, said
    assert "the step ended with code 2" in said, said
    assert "then run the same command" in said
    assert not State.load(tmp_path / "out").done
