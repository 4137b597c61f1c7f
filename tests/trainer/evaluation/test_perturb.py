"""Robustness: a student that learned looks by heart falls where they change, and only there."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.chat_server import ChatServer
from tests.support.commands import trainer
from trainer.errors import TrainerError
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.metrics import read_report
from trainer.evaluation.options import EvalOptions
from trainer.evaluation.perturbations import NAMES
from trainer.evaluation.reporting.comparison import Comparison

KEYPAD = "examples.keypad:KeypadEnv"
TURNS = ["read_note", "press", "press", "press", "turn"]


def reply(tool: str, **arguments: Any) -> str:
    return f"Thought: on\nAction: {tool}\nAction Input: {json.dumps(arguments)}"


def by_heart(request: dict[str, Any]) -> str:
    """Opens door 1 with the names of tools that it knows; it does not look at what is shown."""
    turn = sum(message["role"] == "assistant" for message in request["messages"])
    digit = {"digit": (4, 8, 1)[turn - 1]} if 0 < turn < 4 else {}
    return reply(TURNS[min(turn, 4)], **digit)


def by_place(request: dict[str, Any]) -> str:
    """Opens door 1 with the first, second and third tool of the list, whatever they are called."""
    system = request["messages"][0]["content"]
    shown = re.findall(r"^- (\w+): .* Arguments: {(?:\"(\w+))?", system, re.MULTILINE)
    turn = sum(message["role"] == "assistant" for message in request["messages"])
    place = {0: 0, 4: 2}.get(turn, 1)
    tool, argument = shown[place] if shown else ("read_note", "")
    return reply(tool, **({argument or "x": (4, 8, 1)[turn % 3 - 1]} if place == 1 else {}))


def raw(request: dict[str, Any]) -> str:
    """Plays as `by_heart` while observations look as they always did."""
    last = request["messages"][-1]["content"]
    styled = re.search(r"\{\"|<result>|This came back", last)
    return "I do not understand." if styled else by_heart(request)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")


def options(server: ChatServer, *perturb: str) -> EvalOptions:
    return EvalOptions(
        env=KEYPAD,
        model="student",
        base_url=server.base_url,
        split="test",
        tasks="keypad-481",
        depth=6,
        sandbox="process",
        perturb=perturb,
    )


@pytest.mark.parametrize(
    ("student", "lost"),
    [
        (by_heart, {"names"}),
        (by_place, {"order", "dialect", "distractors"}),
        (raw, {"names", "observations"}),
    ],
)
def test_a_student_falls_where_what_it_knows_changes(
    student: Any, lost: set[str], tmp_path: Path
) -> None:
    with ChatServer(student) as server:
        report = evaluate(options(server, *NAMES), tmp_path / "run")
        asked = len(server.requests)
        again = evaluate(options(server, *NAMES), tmp_path / "run")
    assert len(server.requests) == asked, "all is paid once"
    kept = read_report(tmp_path / "run").to_dict()
    assert kept == report.to_dict() == again.to_dict()
    assert (report.solved.hits, report.solved.total) == (1, 1)
    assert {name for name, one in report.perturbed.items() if one.lost} == lost
    changes = {name: one.change and one.change.value for name, one in report.perturbed.items()}
    assert changes == {name: -1.0 if name in lost else 0.0 for name in NAMES}
    shown = repr(Comparison([report]))
    assert "solved with one thing changed" in shown and "-100.0 [" in shown


def test_the_command_prints_one_table(tmp_path: Path) -> None:
    with ChatServer(by_heart) as server:
        flags = ["--env", KEYPAD, "--split", "test", "--sandbox", "process", "--unsafe"]
        flags += ["--base-url", server.base_url, "--model", "m", "--output", str(tmp_path / "run")]
        done = trainer("eval", *flags, "--perturb", "names,distractors")
    assert done.returncode == 0, done.stderr
    table = done.stdout[done.stdout.index("solved with one thing changed") :]
    assert re.search(r"none .* 50.0 %", table) and re.search(r"names .* -50.0", table)
    assert re.search(r"distractors .* \+0.0", table)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"perturb": ("colours",)}, "unknown 'colours'; use names, order"),
        ({"perturb": ("names",), "tool_noise": "rename"}, "no --tool-noise"),
        ({"perturb": ("dialect",), "template": "native"}, "native describes no tools"),
        ({"perturb": ("names",), "model": ""}, "--perturb asks a student"),
        ({"tool_noise": "rename", "reference": Path("r")}, "leave out --tool-noise"),
    ],
)
def test_options_that_contradict_each_other_are_told(given: dict[str, Any], says: str) -> None:
    with pytest.raises(TrainerError, match=says):
        EvalOptions(**{"env": "bird", "model": "m", **given})
