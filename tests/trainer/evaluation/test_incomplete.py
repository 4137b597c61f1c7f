"""Replies that are not complete: what the measures of a student and of its judges make of them."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.chat_server import ChatServer
from tests.support.stored import answer, look, store, tree
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.measures.batch_ask import Asked
from trainer.evaluation.measures.llm_judge import judge
from trainer.evaluation.measures.references import reference_turns
from trainer.evaluation.measures.teacher_forcing import teacher_forcing
from trainer.evaluation.measures.trajectories import trajectories
from trainer.evaluation.options import EvalOptions
from trainer.evaluation.reporting.comparison import Comparison

READ = "Thought: on\nAction: read_note\nAction Input: {}"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")


def says(text: str, finish: Sequence[str]) -> Callable[[Any], Any]:
    """Answer `text`, ended for these reasons in turn; the last one goes on."""
    left = list(finish)

    def reply(request: Any) -> Any:
        reason = left.pop(0) if len(left) > 1 else left[0]
        return {"choices": [{"message": {"content": text}, "finish_reason": reason}]}

    return reply


def measured(server: ChatServer, out: Path, **more: Any) -> Any:
    options = EvalOptions(
        env="examples.keypad:KeypadEnv",
        model="m",
        base_url=server.base_url,
        limit=1,
        depth=1,
        sandbox="process",
        **more,
    )
    return evaluate(options, out)


def test_a_student_that_is_cut_off_is_asked_again_and_it_is_reported(tmp_path: Path) -> None:
    with ChatServer(says(READ, ["length", "stop"])) as server:
        report = measured(server, tmp_path / "a")
    assert (len(server.requests), report.valid.hits, report.incomplete) == (2, 1, {"length": 1})
    with ChatServer(says(READ, ["length"])) as server:
        report = measured(server, tmp_path / "b")
    assert (len(server.requests), report.valid.hits, report.incomplete) == (3, 0, {"length": 3})
    assert report.mistakes["incomplete reply (length)"].steps.hits == 1
    assert json.loads((tmp_path / "b" / "report.json").read_text())["incomplete"] == {"length": 3}
    report.save(tmp_path / "report.md")
    assert "replies that were not complete" in (tmp_path / "report.md").read_text()
    assert "not complete" in Comparison([report])._repr_html_()


def test_a_reply_at_a_references_turn_that_stays_cut_off_counts_0(tmp_path: Path) -> None:
    made = store(tmp_path / "run", [tree("1", look("loans"), answer("3"))])
    turns = reference_turns(made, "react")[:1]
    call = 'Thought: x\nAction: look\nAction Input: {"table": "loans"}'
    found = []
    for finish in (["length", "stop"], ["length"]):
        with ChatServer(says(call, finish)) as server:
            asked = Asked(tmp_path / f"{len(found)}.db", server.base_url)
            found.append(teacher_forcing(asked, "m", 64, turns, 1.0, 0))
    assert [(one.tool.value, one.incomplete) for one in found if one.tool] == [(1.0, 0), (0.0, 1)]
    assert [one.unanswered for one in found] == [0, 0]


def test_half_a_judgement_is_no_score(tmp_path: Path) -> None:
    shown = list(trajectories(store(tmp_path / "run", [tree("1", answer("3"))])))
    found = []
    for finish in (["content_filter", "stop"], ["length"]):
        with ChatServer(says("Score: 5", finish)) as server:
            found.append(judge("m", Asked(tmp_path / f"{len(found)}.db", server.base_url), shown))
    assert [(one.usable.hits, one.unread) for one in found] == [(1, 0), (0, 1)]
