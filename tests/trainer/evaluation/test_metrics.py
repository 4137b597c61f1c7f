"""Rates of hand-made trees, intervals against published figures, tables."""

import json
from io import StringIO

import pytest
from rich.console import Console

from environments import Action, Step, Task
from search import Call, Tree, Usage
from trainer.evaluation.measures.statistics import (
    Estimate,
    Rate,
    estimate,
    mean_change,
    solve_rate_change,
)
from trainer.evaluation.metrics import measure
from trainer.evaluation.report import Report
from trainer.evaluation.reporting.comparison import Comparison
from treegraft.intervals import wilson


def tree(id: str, *steps: Step, group: str = "shop", difficulty: str = "simple") -> Tree:
    made = Tree(Task(id, "?", group=group, tags={"difficulty": difficulty}), "student")
    at = 0
    for step in steps:
        made.calls.append(Call(at, "", Usage(1, 100, 10)))
        at = made.add(at, step, len(made.calls) - 1).id
    return made


def look(table: str = "a", thought: str = "") -> Step:
    return Step(Action("look", {"table": table}, thought), "rows")


def wrong(kind: str) -> Step:
    return Step(Action("look", {"x": kind}), "error", info={"error": kind})


def answer(reward: float, **info: object) -> Step:
    return Step(Action("answer", {}), "", reward, terminated=True, info=info)


def text(reports: list[Report]) -> str:
    """What the terminal shows of them."""
    console = Console(width=160, record=True, file=StringIO())
    console.print(Comparison(reports))
    return console.export_text()


TREES = [
    tree("1", look(), look(thought="again"), answer(1.0, strict=True)),
    tree("2", wrong("malformed"), wrong("sql"), answer(1.0, strict=False), difficulty="hard"),
    tree("3", wrong("unknown_tool"), wrong("bad_arguments"), answer(0.0), group="bank"),
    tree("4", Step(Action("give_up", {}), "", terminated=True, info={"gave_up": True})),
]


def test_what_a_run_comes_to() -> None:
    report = measure("run", TREES, failed=["5"])
    assert report.solved == Rate(2, 5)
    assert report.strict == Rate(1, 5)
    assert report.valid == Rate(7, 10)  # the SQL error called a tool as its schema allows
    assert report.format_errors == Rate(1, 10)
    assert report.repeated == Rate(1, 10)
    assert report.gave_up == Rate(1, 5)
    assert (report.failed, report.steps_per_task, report.tokens_per_task) == (1, 2.5, 275.0)
    assert report.groups == {"bank": Rate(0, 1), "shop": Rate(2, 3)}
    assert report.tags == {"difficulty=hard": Rate(1, 1), "difficulty=simple": Rate(1, 3)}
    assert report.outcomes == {"1": True, "2": True, "3": False, "4": False, "5": False}


def test_a_world_without_a_stricter_grade_has_no_strict_rate() -> None:
    assert measure("run", [tree("1", answer(1.0))]).strict is None


def test_partial_rewards_have_a_mean() -> None:
    """A task without a tree earned nothing."""
    shop = [tree("1", answer(1.0)), tree("2", look(), answer(0.5)), tree("3", look())]
    report = measure("run", shop, failed=["4"])
    assert report.solved == Rate(1, 4)
    assert report.reward is not None and report.reward.value == 1.5 / 4
    assert 0.0 <= report.reward.low < 1.5 / 4 < report.reward.high < 1.0
    assert "mean reward" in text([report])
    again = Report.from_dict(report.to_dict()).reward
    assert again is not None and again.value == 1.5 / 4


def test_where_all_is_won_or_lost_the_mean_is_the_solve_rate() -> None:
    report = measure("run", TREES)
    assert report.reward is None and "mean reward" not in text([report])


def test_a_report_goes_to_json_and_back() -> None:
    report = measure("run", TREES, failed=["5"])
    assert Report.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    assert report.to_dict()["solved"]["interval"] == [0.1176, 0.7693]


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    # Newcombe 1998, Statist. Med. 17:857, table I, method 3
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_as_published(hits: int, total: int, low: float, high: float) -> None:
    assert wilson(hits, total) == pytest.approx((low, high), abs=5e-5)


def outcomes(both: int, gained: int, lost: int, neither: int) -> tuple[dict[str, bool], ...]:
    pairs = (
        [(True, True)] * both
        + [(False, True)] * gained
        + [(True, False)] * lost
        + [(False, False)] * neither
    )
    before = {str(n): pair[0] for n, pair in enumerate(pairs)}
    after = {str(n): pair[1] for n, pair in enumerate(pairs)}
    return before, after


def test_paired_difference_as_published() -> None:
    """Newcombe 1998, Statist. Med. 17:2635, table III, method 10: 36, 12, 2 and 0 of 50."""
    before, after = outcomes(36, 12, 2, 0)
    assert solve_rate_change(before, after) == pytest.approx((0.2, 0.0569, 0.3404), abs=1e-4)


def test_paired_difference_turns_with_the_order() -> None:
    before, after = outcomes(5, 9, 2, 14)
    there, back = solve_rate_change(before, after), solve_rate_change(after, before)
    assert there is not None
    assert back == pytest.approx((-there[0], -there[2], -there[1]))


def test_other_tasks_are_not_paired() -> None:
    assert solve_rate_change({"1": True}, {"2": True}) is None
    assert solve_rate_change({}, {}) is None


def test_runs_stand_side_by_side() -> None:
    before = measure("before", [tree(str(n), answer(0.0)) for n in range(20)])
    after = measure("after", [tree(str(n), answer(float(n < 12))) for n in range(20)])
    shown = text([before, after])
    assert "60.0 % [39, 78] (12/20)" in shown
    change = solve_rate_change(before.outcomes, after.outcomes)
    assert change is not None
    low, high = (round(100 * bound) for bound in change[1:])
    assert f"+60.0 [{low:+d}, {high:+d}]" in shown
    assert low > 20


def test_seeds_that_answer_the_same_questions_are_not_more_questions() -> None:
    before = {str(n): 0.0 for n in range(20)}
    after = {str(n): n % 4 / 4 for n in range(20)}
    once, thrice = mean_change([(before, after)]), mean_change([(before, after)] * 3)
    assert once is not None and once == thrice
    assert once.value == pytest.approx(0.375)
    assert 0.2 < once.low < 0.3 and 0.45 < once.high < 0.55
    assert mean_change([(before, after), (before, after | {"20": 1.0})]) is None


def test_what_one_chain_is_worth_is_compared_task_by_task() -> None:
    def played(name: str, won: int) -> Report:
        made = []
        for task in range(20):
            tree_ = Tree(Task(str(task), "?"))
            for chain in range(4):
                tree_.add(0, Step(Action("answer", {"n": chain}), "", float(chain < won), True))
            made.append(tree_)
        return measure(name, made)

    shown = text([played("before", 1), played("after", 3)])
    assert "+50.0 [+50, +50]" in shown  # of each task alike


def test_the_bootstrap_draws_whole_units() -> None:
    alone = estimate((float(n % 2), 1) for n in range(100))
    assert alone is not None
    assert alone.value == 0.5
    assert alone.interval == pytest.approx(wilson(50, 100), abs=0.02)
    # The same values in ten units of ten equal ones: as uncertain as ten values.
    clustered = estimate((10.0 * (n % 2), 10) for n in range(10))
    assert clustered is not None
    assert clustered.value == 0.5
    assert clustered.interval == pytest.approx((0.2, 0.8), abs=0.06)


def test_the_bootstrap_is_the_same_every_time() -> None:
    units = [(n * 0.1, n) for n in range(1, 30)]
    assert estimate(units) == estimate(units)
    assert estimate([(1.0, 1), (0.0, 1), (0.0, 1)]) == Estimate(1 / 3, 0, 1)
    assert estimate([]) is None
    assert estimate([(0.0, 0)]) is None


def test_a_share_of_nothing_or_all_has_an_interval_still() -> None:
    assert estimate([(0.0, 2)] * 3, share=True) == Estimate(0, *wilson(0, 3))
    assert estimate([(4.0, 4)] * 3, share=True) == Estimate(1, *wilson(3, 3))
    assert estimate([(4.0, 2)] * 3) == Estimate(2, 2, 2)


def test_depths_are_of_paths() -> None:
    assert measure("run", TREES).depths == {"1": Rate(0, 1), "3": Rate(2, 3)}
