"""ToolEval's pass rate and win rate of runs, paid once, bounded, and kept in the report."""

from pathlib import Path

import pytest

from environments import Action, Step
from search import Tree
from tests.support.chat_server import ChatServer, Json
from tests.support.stored import answer, look, store, tree
from tests.support.toolbench import Judge
from trainer.errors import TrainerError
from trainer.evaluation.judgements import add_judgements
from trainer.evaluation.metrics import read_report
from trainer.evaluation.options import JudgementOptions
from trainer.evaluation.report import Report
from trainer.evaluation.reporting.comparison import Comparison

GAVE_UP = Step(Action("give_up", {}), "gave up", terminated=True, info={"gave_up": True})
CUT = Step(Action("look", {}), "rows", truncated=True)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")


def run_of(folder: Path, answers: dict[str, Step], prompts: dict[str, str]) -> Path:
    trees: list[Tree] = [
        tree(id, look("News" if id == "2" else "a"), step, prompt=prompts.get(id, "What is on?"))
        for id, step in answers.items()
    ]
    return store(folder, trees)


@pytest.fixture
def runs(tmp_path: Path) -> list[tuple[Path, Report]]:
    prompts = {"3": "an impossible thing", "4": "another impossible thing"}
    ours = {"1": "News", "2": "maybe", "3": "sorry", "5": "News, well said"}
    theirs = {"1": "nothing", "2": "maybe", "3": "sorry", "5": "News"}
    folders = (
        run_of(tmp_path / "theirs", {k: answer(v, 0.0) for k, v in theirs.items()}, prompts),
        run_of(
            tmp_path / "ours",
            {k: answer(v, 0.0) for k, v in ours.items()} | {"4": GAVE_UP, "6": CUT},
            prompts,
        ),
    )
    return [(folder, read_report(folder)) for folder in folders]


class Both(Judge):
    """Judges, and prefers what is said well."""

    def __call__(self, request: Json) -> str:
        if "compare" not in request["messages"][0]["content"]:
            return super().__call__(request)
        self.asked["compare"] += 1
        first, _, second = request["messages"][-1]["content"].partition("</A-")
        return f"Better: {'A' if 'well' in first else 'B' if 'well' in second else 'neither'}"


def test_runs_are_judged_compared_and_paid_once(runs: list[tuple[Path, Report]]) -> None:
    judge = Both()
    with ChatServer(judge) as server:
        asked = JudgementOptions(tooleval=f"m@{server.base_url}")
        add_judgements(asked, runs)
        paid = len(server.requests)
        add_judgements(asked, runs)
        assert len(server.requests) == paid
    theirs, ours = (report.tooleval for _, report in runs)
    assert ours is not None and theirs is not None
    assert ours.answers == {"solved": 3, "unsure": 0, "unsolved": 3}
    assert ours.tasks == {"unsolvable": 2}, "what was cut off fails without a question"
    assert ours.passed is not None and round(ours.passed.value, 3) == round(5 / 6, 3)
    assert ours.solved is not None and ours.solved.value == 0.5
    assert (ours.wins, ours.losses, ours.ties, ours.against) == (2, 0, 2, "theirs")
    assert ours.won is not None and ours.won.value == 0.75
    assert theirs.against == "" and judge.asked["compare"] == 2


def test_the_figures_are_kept_and_shown(runs: list[tuple[Path, Report]]) -> None:
    with ChatServer(Both()) as server:
        add_judgements(JudgementOptions(tooleval=f"m@{server.base_url}"), runs)
    folder, report = runs[-1]
    report.keep(folder)
    kept = read_report(folder).tooleval
    assert kept is not None and report.tooleval is not None
    assert (kept.answers, kept.statuses) == (report.tooleval.answers, report.tooleval.statuses)
    shown = repr(Comparison([report for _, report in runs]))
    for part in ("pass rate", "83.3 %", "win rate", "75.0 %", "2 won, 0 lost, 2 tied"):
        assert part in shown, part


def test_the_budget_ends_it_in_one_line_and_more_goes_on(runs: list[tuple[Path, Report]]) -> None:
    with ChatServer(Both()) as server:
        options = JudgementOptions(tooleval=f"m@{server.base_url}", judge_budget_calls=5)
        with pytest.raises(TrainerError, match=r"calls are spent: 5; what was paid is kept"):
            add_judgements(options, runs)
        assert len(server.requests) == 5
        add_judgements(JudgementOptions(tooleval=f"m@{server.base_url}"), runs)
        bodies = [str(body) for body in server.requests]
    assert len(bodies) == len(set(bodies))


def test_both_graders_ask_equally_often() -> None:
    from engine.policies.answer_grader import VOTES

    assert JudgementOptions().tooleval_votes == VOTES
