"""Runs and rows under tool noise: the models see other tools, trees keep the true calls."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.config import Config
from engine.errors import LeakError, UsageError
from engine.export.export import ExportSettings, export_rows
from engine.runs.fingerprints import fingerprints
from engine.runs.run import Selection
from engine.runs.store import Store
from environments import Action, Step, Task
from search import ROOT, Tree
from tests.support.chat_server import ChatServer
from tests.support.configs import make_config
from tests.support.configs import run as explore
from tests.support.viewed import GOLD, run_of

DESCRIBED = re.compile(r"^type (\w+) = \((?:_: {\n(?:// .*\n)?(\w+):)?", re.MULTILINE)


def player(body: dict[str, Any]) -> str:
    """Opens door 1 after a first try without the code, with the tools that the request shows."""
    (note, _), (press, digit), (turn, _), *_ = DESCRIBED.findall(body["messages"][0]["content"])
    turns = sum(message["role"] == "assistant" for message in body["messages"])
    calls = [(note, {}), *((press, {digit: value}) for value in (4, 8, 1)), (turn, {})]
    failed = "already tried" in body["messages"][-1]["content"]
    tool, given = calls[turns] if turns or failed else (turn, {})
    thought = f"I call {tool} now."
    return f"Thought: {thought}\nAction: {tool}\nAction Input: {json.dumps(given)}"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")


def noisy(server: ChatServer, **more: Any) -> Config:
    options = {"teacher": "m", "base_url": server.base_url, "template": "react"}
    options |= {"dialect": "typescript", "tool_noise": "rename", "sandbox": "process"}
    return make_config("examples.keypad:KeypadEnv", split="test", **(options | more))


def test_a_run_with_noise_is_explored_resumed_and_exported(tmp_path: Path) -> None:
    run, task = tmp_path / "run", {"tasks": "keypad-481"}
    with ChatServer(player) as server:
        explore(noisy(server), run, selection=Selection(**task))
        asked = json.dumps(server.requests)
        number = len(server.requests)
        explore(noisy(server), run, selection=Selection(**task))
        assert len(server.requests) == number, "the same command goes on with the same run"
        with pytest.raises(UsageError, match="--tool-noise was 'rename' and is ''"):
            explore(noisy(server, tool_noise=""), run, selection=Selection(**task))
    assert not any(re.search(rf"\b(?:{name})\b(?! the)", asked) for name in ("read_note", "digit"))
    assert "already tried" in asked
    with Store.open(run) as store:
        (tree,) = store.trees()
    (leaf,) = tree.winners()
    actions = [step.action for step in tree.path(leaf.id)]
    assert [each.tool for each in actions] == ["read_note", "press", "press", "press", "turn"]
    assert actions[1] == Action("press", {"digit": 4}, "I call press now.")

    as_seen, plain = (
        next(iter(export_rows([run], ExportSettings(tool_noise=each)))) for each in ("", "none")
    )
    played = [m["content"] for m in as_seen["messages"] if m["role"] == "assistant"]
    sent = [m["content"] for body in json.loads(asked) for m in body["messages"]]
    assert set(played[:-1]) <= set(sent) and as_seen["messages"][0]["content"] in sent
    assert "namespace functions" in as_seen["messages"][0]["content"]
    assert "Action: press" in json.dumps(plain)
    (pair, *_) = export_rows([run], ExportSettings("dpo"))
    words = json.dumps([pair["prompt"], pair["chosen"], pair["rejected"]])
    assert not re.search(r"Action: (turn|press|read_note)\b", words)
    assert pair["prompt"][0] == as_seen["messages"][0]


def test_noise_at_export_keeps_what_a_path_uses_and_marks_thoughts(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        'system = "{{ tools }}"\ncall = "{{ thought }} @{{ tool }} {{ arguments | json }}"\n'
        'observation = "{{ observation }}"\n'
        "[parse]\nregex = '(?s)\\A(?P<thought>.*) @(?P<tool>\\S+) (?P<arguments>\\{.*\\})\\Z'\n"
    )
    tree = Tree(Task("t1", "Who?", {"sql": GOLD}), "m", stopped="solved")
    look = tree.add(ROOT, Step(Action("look", {"at": "x"}, "I call `look` now."), "seen"))
    tree.add(look.id, Step(Action("answer", {"at": GOLD}, "So."), "ok", 1.0, terminated=True))
    settings = ExportSettings(templates=(str(file),), tool_noise="rename,drop,distract:2")
    (row,) = export_rows([run_of(tmp_path / "run", tree)], settings)
    first = row["messages"][2]
    start, end = first["thought_span"]
    name = re.search(r"@(\w+)", first["content"])[1]  # type: ignore[index]
    assert name != "look" and first["content"][start:end] == f"I call `{name}` now."


def test_noise_hides_no_leak(tmp_path: Path) -> None:
    shown = "\n".join(GOLD.split())
    tree = Tree(Task("t1", "Who?", {"sql": GOLD}), "m", stopped="solved")
    look = tree.add(ROOT, Step(Action("look", {"at": "x"}), shown))
    tree.add(look.id, Step(Action("answer", {"at": "y"}), "ok", 1.0, terminated=True))
    run = run_of(tmp_path / "run", tree)
    assert fingerprints(tree.task.secret)
    for seed in range(4):
        settings = ExportSettings(templates=("react",), tool_noise=f"observe,seed:{seed}")
        with pytest.raises(LeakError):
            list(export_rows([run], settings))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"tool_noise": "colour"}, "--tool-noise: unknown tool noise 'colour'"),
        ({"dialect": "klingon", "template": "react"}, "--dialect: unknown dialect"),
        ({"dialect": "lines"}, "--dialect: native takes no dialect"),
    ],
)
def test_wrong_options_are_told(given: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        make_config("bird", **given)


def test_an_older_run_counts_as_one_without_noise() -> None:
    config = make_config("bird", teacher="m", template="react")
    older = {k: v for k, v in config.to_dict().items() if k not in ("tool_noise", "dialect")}
    assert not config.difference(older)
    assert "--dialect" in replace(config, dialect="lines").difference(older)
