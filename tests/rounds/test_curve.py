"""The curve over rounds: what is left, when it ends, and how it is drawn."""

from collections.abc import Mapping
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UsageError
from trainer.evaluation.measures.statistics import Rate
from treegraft.rounds.curve import Point, left, points, why_stop
from treegraft.rounds.plot import markdown, plot, table
from treegraft.rounds.report import headline, write_report
from treegraft.rounds.settings import RoundsSettings
from treegraft.rounds.state import FILE, FinishedStep, State, difference

GOLDEN = Path(__file__).parents[1] / "golden" / "runs_of_0_1"
TRAIN = ["a", "b", "c"]


def search(student: list[str], teacher: list[str], tasks: int) -> dict[str, Any]:
    cost = {"calls": 4, "teacher_calls": 1, "tokens": 100, "usd": 0.5}
    return {"tasks": tasks, "student": student, "teacher": teacher, "failed": 0, "why": "", **cost}


def state(folder: Path, done: Mapping[str, Mapping[str, Any]]) -> State:
    steps = {name: FinishedStep({}, result, 1.5) for name, result in done.items()}
    return State(folder, "", 1, {"train": TRAIN, "held_out": ["z"]}, steps)


def measured(hits: int) -> dict[str, Any]:
    return {"hits": hits, "total": 10, "failed": 0}


def test_a_task_is_left_until_the_student_solves_it_alone(tmp_path: Path) -> None:
    found = state(
        tmp_path,
        {
            "1/teacher": search([], ["a", "b"], 3),
            "2/student": search(["b"], [], 3),
            "2/teacher": search([], ["a"], 2),
            "3/both": search(["c"], ["a"], 2),
        },
    )
    assert [left(found, number) for number in (1, 2, 3, 4)] == [TRAIN, TRAIN, ["a", "c"], ["a"]]
    one, two, three = points(found)
    assert (one.tasks, one.student, one.teacher, one.left) == (3, 0, 2, 3)
    assert (two.tasks, two.student, two.teacher, two.left) == (3, 1, 1, 2)
    assert (three.left, two.calls, two.teacher_calls, two.usd) == (1, 8, 2, 1.0)
    assert two.seconds == 3.0


def test_the_trained_tokens_are_those_of_both_trainings(tmp_path: Path) -> None:
    sft = {"used": 4, "tokens": 999, "trained_tokens": 100, "epochs": 2.5}
    dpo = {"used": 4, "tokens": 999, "scored_tokens": 40, "epochs": 1.0}
    found = state(tmp_path, {"1/sft": sft, "1/dpo": dpo, "2/sft": sft, "3/sft": {"used": 4}})
    assert [point.trained for point in points(found)] == [290, 250, None]


def test_a_run_keeps_its_method(tmp_path: Path) -> None:
    State.load(tmp_path).claim(7, {"train": TRAIN}, "rft")
    kept = State.load(tmp_path)
    kept.claim(7, {"train": TRAIN}, "rft")
    assert kept.method == "rft"
    with pytest.raises(UsageError, match="begun with the method rft, and not rft-dpo"):
        kept.claim(7, {"train": TRAIN}, "rft-dpo")


def test_when_no_round_follows() -> None:
    def point(round: int, hits: int, left: int = 5) -> Point:
        return Point(round, left=left, held_out=Rate(hits, 10))

    rounds = RoundsSettings(number=3, least_gain=0.1)
    assert why_stop([point(0, 0)], rounds) == ""
    assert why_stop([point(0, 0), point(1, 1)], rounds) == ""
    assert "rose by 0.000" in why_stop([point(0, 1), point(1, 1)], rounds)
    assert why_stop([point(0, 1), point(1, 1)], RoundsSettings(number=3)) == ""
    assert "rose by -0.200" in why_stop([point(0, 0), point(1, 4), point(2, 2)], rounds)
    assert "every task" in why_stop([point(1, 4, left=0)], rounds)
    assert "3 rounds are done" in why_stop([point(3, 4)], rounds)


def test_the_state_is_kept_whole_and_refuses_other_files(tmp_path: Path) -> None:
    kept = State.load(tmp_path)
    kept.claim(7, {"train": TRAIN, "held_out": []})
    kept.begin("1/sft")
    address = "https://me:secret@teacher.example/v1"
    options = {"output": str(tmp_path / "x"), "base_url": address, "runs": [str(tmp_path)]}
    kept.finish("1/sft", options, {"used": 3}, 1.26)
    again = State.load(tmp_path)
    assert again == kept and again.earlier("1/sft", options) == {"used": 3}
    assert again.done["1/sft"].options["output"] == "OUT/x"
    assert again.done["1/sft"].options["runs"] == ["OUT"]
    assert "secret" not in (tmp_path / FILE).read_text()
    with pytest.raises(UsageError, match="1/sft: base_url was .* and is "):
        again.earlier("1/sft", options | {"base_url": "http://other.example/v1"})
    for text in ("{", "[]", '{"version": 1}', '{"version": 0}'):
        (tmp_path / FILE).write_text(text)
        with pytest.raises(UsageError):
            State.load(tmp_path)


@given(st.integers(0, 40), st.integers(1, 40))
def test_every_rate_can_be_drawn(hits: int, total: int) -> None:
    drawn = plot([Point(12, held_out=Rate(min(hits, total), total))]).splitlines()[1]
    assert drawn.startswith("round 12 ") and drawn.count("●") == 1 and len(drawn) <= 60


def test_the_document_holds_every_round() -> None:
    found = [
        Point(0, left=3, held_out=Rate(0, 4)),
        Point(1, 3, 0, 2, 3, rows=2, pairs=1, held_out=Rate(1, 4), usd=0.25, trained=77),
        Point(2, 3, method="rft", trained=None),
    ]
    text = markdown(found, "2 rounds are done")
    assert found[1].to_dict()["held_out"]["low"] == pytest.approx(0.0456, abs=1e-4)
    assert (
        "| 1 | teacher | 3 | 0 | 2 | 3 | 2 | 1 | 77 | 25.0 % [5, 70] 1/4 | 0 | 0 | 0.25 |" in text
    )
    assert "| 2 | rft | 3 | 0 | 0 | 0 | 0 | 0 | unknown | - |" in text
    assert text.endswith("Stopped: 2 rounds are done.\n")
    assert len({len(line) for line in table(found)}) == 1


def test_how_two_options_differ() -> None:
    before = {"lr": 1, "packing": True, "seed": 3}
    assert difference(before, dict(before)) == ""
    text = "lr was 1 and is 2, packing was True and is not given"
    assert difference(before, {"lr": 2, "seed": 3}) == text


def test_a_run_of_another_version_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    old = '{"version": 1, "now": "", "port": 1, "tasks": {}, "done": {}}'
    (tmp_path / FILE).write_text(old)
    with pytest.raises(UsageError, match="another version of Treegraft"):
        State.load(tmp_path)
    assert (tmp_path / FILE).read_text() == old


def test_the_page_says_what_the_rounds_gained(tmp_path: Path) -> None:
    rates = [Rate(3, 10), Rate(5, 10), Rate(7, 10)]
    found = [Point(number, rows=9, held_out=rate) for number, rate in enumerate(rates)]
    copytree(GOLDEN / "demonstrated", tmp_path / "round-2-held-out")
    write_report(tmp_path, found, "2 rounds are done")
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "After 2 rounds the student solves 7 of 10 held-out tasks (70 %), 4 more than" in page
    assert 'href="report-runs/1-round-2-held-out.html#bird-train-0/' in page
    assert (tmp_path / "report-runs" / "1-round-2-held-out.html").is_file()
    assert page.count("<circle") == 3 and "Stopped: 2 rounds are done." in page
    assert "took 0 calls and 0 tokens, for $0.00." in page
    assert headline(found[:1]) == "Before training the student solves 3 of 10 held-out tasks (30 %)"
    assert headline([Point(1)]) == ""
