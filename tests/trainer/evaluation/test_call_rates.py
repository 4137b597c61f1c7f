"""Calls where none was right, and none where one was."""

from dataclasses import replace

from environments import Action, Step
from search import Tree
from tests.support.stored import answer, chain, look, tree
from trainer.evaluation.measures.statistics import Rate
from trainer.evaluation.metrics import measure
from trainer.evaluation.report import Report
from trainer.evaluation.reporting.comparison import Comparison

SAID = Step(Action("say", {"text": "I cannot."}), "said", 1.0, terminated=True)
GAVE_UP = Step(Action("give_up", {}), "", 0.0, terminated=True, info={"gave_up": True})
REFUSED = Step(Action("none", {}), "error", 0.0, terminated=True, info={"error": "unknown_tool"})
GARBLED = Step(Action.malformed("?", "no call"), "error", 0.0, info={"error": "malformed"})


def tagged(id: str, call: str, *steps: Step) -> Tree:
    made = tree(id, *steps)
    made.task = replace(made.task, tags={"call": call} if call else {})
    return made


def test_each_path_counts_once_where_its_task_says_so() -> None:
    two = tagged("c", "none", SAID)
    chain(two, look("a"), SAID)
    trees = [
        tagged("a", "none", SAID),
        tagged("b", "none", REFUSED),
        two,
        tagged("d", "none", GARBLED, GAVE_UP),
        tagged("e", "needed", look("a"), answer("3")),
        tagged("f", "needed", SAID),
        tagged("g", "needed", GARBLED, GAVE_UP),
        tagged("h", "", SAID),
    ]
    report = measure("run", trees)
    assert (report.false_calls, report.missed_calls) == (Rate(2, 5), Rate(2, 3))
    assert Report.from_dict(report.to_dict()).false_calls == Rate(2, 5)
    printed = repr(Comparison([report]))
    assert "false calls" in printed and "40.0 % [12, 77] (2/5)" in printed


def test_tasks_that_say_nothing_have_no_rates() -> None:
    report = measure("run", [tagged("h", "", SAID)])
    assert (report.false_calls, report.missed_calls) == (None, None)
    assert "false calls" not in repr(Comparison([report]))
