"""Which steps a round has, by its method: every step is finished, so none is done here."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from treegraft.rounds.curve import points
from treegraft.rounds.held_out import held_out
from treegraft.rounds.loop import Loop
from treegraft.rounds.serving import base_url
from treegraft.rounds.settings import parse
from treegraft.rounds.state import State
from treegraft.rounds.step_options import LEFT, StepOptions
from treegraft.rounds.subprocesses import StepFailed
from treegraft.rounds.tasks import ChosenTasks

TRAIN = ["a", "b", "c"]
RFT = ["0/evaluate", "1/student", "1/rows", "1/sft", "1/evaluate"]
RFT_DPO = [*RFT[:3], "1/pairs", "1/sft", "1/dpo", "1/evaluate"]


def finished(folder: Path, steps: list[str], more: str, rows: int = 4) -> Loop:
    """A run in whose round 1 the student has solved task b, with all its steps but the search of
    round 2 finished."""
    text = f'[tasks]\nenv = "bird"\n[student]\nmodel = "m"\n[train]\nleast_pairs = 3\n{more}'
    options = StepOptions(parse(tomllib.loads(text)), folder)
    state = State.load(folder)
    method = options.settings.rounds.method
    state.claim(7, {"train": TRAIN, "held_out": ["z"]}, method)
    both = "1/dpo" in steps
    search = options.search(1, "student", options.path(1, LEFT), base_url(7))
    runs = [options.path(1, "credit" if "1/credit" in steps else "student")]
    cost = {"failed": 0, "why": "", "calls": 4, "tokens": 100, "usd": 0.5}
    solved = {"tasks": 3, "student": ["b"] if rows else [], "teacher": [], "teacher_calls": 0}
    trained = {"used": 4, "trained_tokens": 50, "epochs": 2.0, "failed": 0}
    sft = str(options.path(1, "sft"))
    last = str(options.path(1, "dpo")) if both else sft
    done: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
        "0/evaluate": (options.evaluate(0, "m"), {"hits": 1, "total": 9, "failed": 0}),
        "1/student": (search, solved | cost),
        "1/credit": (options.credit(1, search), {"states": 9, **cost}),
        "1/rows": (options.export(1, "sft", runs), {"rows": rows}),
        "1/pairs": (options.export(1, "dpo", runs), {"rows": 4}),
        "1/sft": (options.train(1, "sft", "m", both=both), trained),
        "1/dpo": (options.train(1, "dpo", sft, both=True), trained),
        "1/evaluate": (options.evaluate(1, last), {"hits": 5, "total": 9, "failed": 0}),
    }
    for name in steps:
        state.finish(name, dict(done[name][0]), done[name][1], 1.0)
    known = held_out([], [], groups=False, questions=False)
    return Loop(options, state, ChosenTasks(TRAIN, ["z"], known))


@pytest.mark.parametrize(
    ("more", "steps", "calls", "trained"),
    [
        ('[rounds]\nmethod = "rft"', RFT, 4, 100),
        ('[rounds]\nmethod = "rft-dpo"', RFT_DPO, 4, 200),
        ('[rounds]\nmethod = "rft"\n[credit]\n', [*RFT[:2], "1/credit", *RFT[2:]], 8, 100),
    ],
)
def test_without_a_teacher_only_the_student_searches(
    tmp_path: Path, more: str, steps: list[str], calls: int, trained: int
) -> None:
    loop = finished(tmp_path, steps, more)
    loop.play(0)
    loop.play(1)
    assert loop.passed == set(steps)
    _, one = points(loop.state)
    assert (one.method, one.student, one.teacher, one.left) == (more.split('"')[1], 1, 0, 2)
    assert (one.calls, one.trained) == (calls, trained)
    assert (tmp_path / "round-1-left.txt").read_text().split() == TRAIN
    assert not (tmp_path / "round-1-missed.txt").exists()


def test_a_round_that_solves_nothing_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = finished(tmp_path, RFT[:3], '[rounds]\nmethod = "rft"', rows=0)
    loop.play(0)
    with pytest.raises(StepFailed, match="round 1: no task was solved, .*, or examples"):
        loop.play(1)
    assert "round 1: the student solved none of the 3 tasks left" in capsys.readouterr().err
