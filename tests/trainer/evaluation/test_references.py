"""The turns of references, from runs and from rows, and what replies at them are worth."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.errors import UsageError
from engine.export.export import ExportSettings, export
from engine.templates import get
from environments import Action
from tests.support.chat_server import ChatServer
from tests.support.rows import dialogue, write
from tests.support.stored import answer, chain, look, store, tree
from trainer.errors import TrainerError
from trainer.evaluation.measures.batch_ask import Asked
from trainer.evaluation.measures.kagentbench import (
    arguments,
    conclusion,
    match,
    planning,
    reflection,
    thought,
    tool,
    tool_use,
)
from trainer.evaluation.measures.references import Turn, reference_turns
from trainer.evaluation.measures.statistics import Estimate
from trainer.evaluation.measures.teacher_forcing import compare, overall, teacher_forcing


def turn(*accepted: Action, **more: Any) -> Turn:
    given = {"before": None, "after_mistake": False, "last": False} | more
    return Turn("1", [], [], get("react"), accepted, **given)


LOOK = Action("look", {"table": "a b"}, "I look first.")
SAY = Action("answer", {"text": "all of the four"}, "")


def test_the_reference_is_the_shortest_success_and_all_that_leads_to_one(tmp_path: Path) -> None:
    made = tree("1", look("loans", "Loans?", error="sql"))
    chain(made, look("books"), look("books"), answer("3"), at=1)
    end = chain(made, look("all", "All."), answer("3"), at=1)
    chain(made, answer("9", reward=0.0), at=end - 1)
    chain(made, look("authors"), answer("9", reward=0.0))
    lost = tree("2", answer("9", reward=0.0))
    found = reference_turns(store(tmp_path / "run", [made, lost]), "react")
    assert [[one.arguments for one in each.accepted] for each in found] == [
        [{"table": "loans"}],
        [{"table": "books"}, {"table": "all"}],
        [{"text": "3"}],
    ]
    assert [each.after_mistake for each in found] == [False, True, False]
    assert [each.last for each in found] == [False, False, True]
    assert found[1].before == Action("look", {"table": "loans"}, "Loans?")
    assert [len(each.messages) for each in found] == [2, 4, 6]
    assert "Observation: rows of loans" in found[1].messages[-1]["content"]


def test_a_repeat_is_a_mistake(tmp_path: Path) -> None:
    made = tree("1", look("a"), look("a"), answer("3"))
    found = reference_turns(store(tmp_path / "run", [made]), "native")
    assert [each.after_mistake for each in found] == [False, False, True]
    assert [tool["function"]["name"] for tool in found[0].tools] == ["look", "answer"]


@pytest.mark.parametrize("template", ["react", "native", "hermes"])
def test_rows_bring_the_same_turns_as_their_run(tmp_path: Path, template: str) -> None:
    made = tree("db/1", look("loans", "Loans?"))
    chain(made, look("books"), look("all"), answer("3"), at=1)
    chain(made, look("all", "All."), answer("3"), at=1)
    run = store(tmp_path / "run", [made])
    export([run], tmp_path / "rows.jsonl", ExportSettings("sft", templates=(template,)))
    ours, theirs = reference_turns(tmp_path / "rows.jsonl", "react"), reference_turns(run, template)
    for one, other in zip(ours, theirs, strict=True):
        assert (one.task, one.messages, one.tools) == ("db/1", other.messages, other.tools)
        assert {action.key for action in one.accepted} == {action.key for action in other.accepted}
        assert (one.last, one.template.name) == (other.last, template)
    assert [one.after_mistake for one in ours] == [False, None, None]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"id": "1", "messages": []}, "line 1: its id must be RUN/TASK/LEAF"),
        (
            {"id": "r/1/2", "messages": dialogue("Well?", "Hm.")},
            "no template parses a tool call",
        ),
        ({"id": "r/1/2", "reward": 0.5, "messages": []}, "holds no successful path"),
    ],
)
def test_rows_that_are_no_reference(tmp_path: Path, row: dict[str, Any], reason: str) -> None:
    with pytest.raises(TrainerError, match=reason):
        reference_turns(write(tmp_path / "rows.jsonl", [row]), "react")


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run in"):
        reference_turns(tmp_path, "react")


def test_the_same_call_is_worth_all() -> None:
    one = turn(LOOK)
    assert tool(one, LOOK) == arguments(one, LOOK) == thought(one, LOOK) == 1
    assert planning(one, LOOK) == tool_use(one, LOOK) == 1
    assert match(one, LOOK, 0.5) == 1.5
    assert conclusion(one, LOOK) is None
    assert reflection(one, LOOK) is None


def test_another_tool_is_worth_its_thought_alone() -> None:
    said = Action("answer", {"table": "a b"}, "I look now.")
    one = turn(LOOK)
    assert (tool(one, said), arguments(one, said)) == (0, None)
    assert thought(one, said) == 0.75  # I look . of I look first . and I look now .
    assert planning(one, said) == tool_use(one, said) == 0
    assert match(one, said, 2.0) == pytest.approx(2 * 10 / 12)


def test_a_reply_that_is_no_call_is_worth_nothing() -> None:
    said = Action.malformed("I look first.", "no call")
    one = turn(LOOK, after_mistake=True, last=True)
    assert tool(one, said) == thought(one, said) == planning(one, said) == 0
    assert tool_use(one, said) == reflection(one, said) == conclusion(one, said) == 0


def test_the_best_of_several_references_counts() -> None:
    said = Action("look", {"table": "a c"}, "Hm.")
    one = turn(Action("answer", {}, "Hm."), LOOK, Action("look", {"table": "c"}, ""))
    assert arguments(one, said) == tool_use(one, said) == pytest.approx(2 / 3)
    assert (tool(one, said), thought(one, said)) == (1, 1)
    assert planning(one, said) == pytest.approx(1 / 3)  # the full stop alone


def test_after_a_mistake_the_same_call_again_is_worth_nothing() -> None:
    one = turn(LOOK, after_mistake=True, before=Action("look", {"table": "x"}))
    half = Action("look", {"table": "a z"}, "I look first.")
    assert reflection(one, half) == pytest.approx(0.3 + 0.7 * 0.5)
    assert reflection(one, Action("look", {"table": "x"}, "I look first.")) == 0
    silent = turn(Action("look", {"table": "a b"}), after_mistake=True)
    assert reflection(silent, half) == 0.5


def test_the_last_call_is_compared_by_what_it_says() -> None:
    one = turn(SAY, last=True)
    assert conclusion(one, Action("answer", {"other": "all four"})) == pytest.approx(4 / 6)
    assert conclusion(one, Action("look", {"text": "all of the four"})) == 0
    assert conclusion(turn(Action("answer", {}), last=True), SAY) is None


def test_parts_without_a_reference_leave_their_weight_to_the_others() -> None:
    half = Estimate(0.5, 0, 1)
    parts = {"planning": half, "tool_use": Estimate(1, 1, 1), "reflection": None,
             "conclusion": half, "profile": None}  # fmt: skip
    assert overall(parts) == pytest.approx((0.25 * 0.5 + 0.35 + 0.2 * 0.5) / 0.8)
    assert overall(dict.fromkeys(parts)) == 0
    whole = dict.fromkeys(parts, half)
    assert overall(whole) == pytest.approx(0.5)


def test_means_are_over_turns_and_say_what_is_left_out() -> None:
    asked = [turn(LOOK), turn(LOOK), turn(SAY, last=True)]
    found = compare(asked, [LOOK, SAY, SAY], without=2)
    assert found.tool is not None and found.tool.value == pytest.approx(2 / 3)
    assert found.planning is not None and found.planning.value == pytest.approx(0.5)
    assert found.arguments is not None and found.arguments.value == 1
    assert (found.reflection, found.left_out) == (None, ["reflection", "profile"])
    assert (found.turns, found.tasks, found.without) == (3, 1, 2)


def test_the_student_is_asked_with_the_references_prefix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    made = tree("1", look("loans", "Loans?"), look("books"), answer("3"))
    asked = reference_turns(store(tmp_path / "run", [made]), "react")

    def student(request: dict[str, Any]) -> Any:
        said = sum(message["role"] == "assistant" for message in request["messages"])
        if said == 2:
            return {"choices": [], "error": {"message": "too long", "code": "400"}}
        call = [("look", {"table": "loans"}), ("answer", {"text": "3"})][said]
        return f"Thought: Loans?\nAction: {call[0]}\nAction Input: {json.dumps(call[1])}"

    with ChatServer(student) as server:
        whom = Asked(tmp_path / "journal.db", server.base_url)
        first = teacher_forcing(whom, "student", 64, asked, 1.0, 0)
        again = teacher_forcing(whom, "student", 64, asked[:2], 1.0, 0)
    assert len(server.requests) == 3, "what was answered is not asked twice"
    assert server.requests[0]["temperature"] == 0
    assert server.requests[0]["stop"] == ["\nObservation:"]
    assert sorted(len(request["messages"]) for request in server.requests) == [2, 4, 6]
    assert first.tool is not None and first.tool.value == pytest.approx(1 / 3)
    assert (first.unanswered, again.unanswered) == (1, 0)
    assert again.tool is not None and again.tool.value == 0.5
