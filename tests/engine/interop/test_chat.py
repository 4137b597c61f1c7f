"""Conversations in OpenAI's form become trees, and rows give them back."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from engine.errors import UsageError
from engine.export.export import ExportSettings, export_rows
from engine.interop.import_run import Imported, import_run
from engine.interop.settings import ImportSettings
from engine.interop.turns import calls_of
from engine.runs.stats import stats
from engine.runs.store import Store
from engine.view.reader import RunReader
from treegraft.commands import engine_app

Message = dict[str, Any]

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"{name} it.",
            "parameters": {"type": "object", "properties": {"text": {"type": "string"}}},
        },
    }
    for name in ("look", "submit")
]
OPENING: list[Message] = [
    {"role": "system", "content": "You fix things."},
    {"role": "user", "content": "Mend the clock."},
]


def call(name: str, text: str, id: str, content: str | None = None) -> Message:
    made = {"name": name, "arguments": f'{{"text":"{text}"}}'}
    calls = [{"id": id, "type": "function", "function": made}]
    return {"role": "assistant", "content": content, "tool_calls": calls}


def answer(id: str, text: str) -> Message:
    return {"role": "tool", "tool_call_id": id, "content": text}


def said(text: str) -> Message:
    return {"role": "assistant", "content": text}


GOOD = [
    *OPENING,
    call("look", "clock", "a1", "First I look."),
    answer("a1", "It stands still."),
    call("submit", "wind it", "a2"),
    answer("a2", "ok"),
    said("I wound it."),
]
BAD = [
    *OPENING,
    call("look", "clock", "b1", "First I look."),
    answer("b1", "It stands still."),
    call("submit", "hit it", "b2"),
    answer("b2", "ok"),
    said("I hit it."),
]
OTHER_THOUGHT = [*OPENING, call("look", "clock", "c1", "Hm."), *BAD[3:]]
PARALLEL = [
    {"role": "developer", "content": "Be short."},
    {"role": "user", "content": [{"type": "text", "text": "Look at both."}]},
    {
        "role": "assistant",
        "content": None,
        "reasoning_content": "Two at once.",
        "tool_calls": [
            *call("look", "hand", "d1")["tool_calls"],
            *call("look", "spring", "d2")["tool_calls"],
        ],
    },
    answer("d1", "bent"),
    answer("d2", "broken"),
    said("Both are broken."),
    {"role": "user", "content": "Thanks. And now?"},
    said("Buy a new one."),
]


def lines(file: Path, *records: Any) -> Path:
    file.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return file


def record(messages: list[Message], reward: Any = 1, **columns: Any) -> dict[str, Any]:
    return {"messages": messages, "tools": TOOLS, "reward": reward, **columns}


def imported(folder: Path, *records: Any, **settings: Any) -> tuple[Path, Imported]:
    file, run = lines(folder / "rows.jsonl", *records), folder / "run"
    return run, import_run("chat", [file], run, ImportSettings(**settings))


def test_rows_are_the_conversations(tmp_path: Path) -> None:
    asked = [*OPENING, said("What clock?"), {"role": "user", "content": "Mine."}, *GOOD[2:]]
    told = [*GOOD[:-1], {**said("Done."), "reasoning_content": "It runs."}]
    sent = [GOOD, asked, told, PARALLEL]
    run, found = imported(tmp_path, *map(record, sent), record(BAD, 0.4))
    assert (found.conversations, found.trees, found.successes) == (5, 2, 4)
    rows = list(export_rows([run], ExportSettings()))
    key = json.dumps
    assert sorted(map(key, (row["messages"] for row in rows))) == sorted(map(key, sent))
    assert all(row["tools"] == TOOLS for row in rows)


def test_a_success_and_a_failure_make_a_pair_where_they_part(tmp_path: Path) -> None:
    run, found = imported(tmp_path, record(GOOD), record(BAD, 0), record(OTHER_THOUGHT, 0))
    assert found.merged == 1
    (row,) = export_rows([run], ExportSettings("dpo"))
    assert row["prompt"] == GOOD[:4]
    assert row["chosen"] == [GOOD[4]]
    assert row["rejected"][0]["tool_calls"][0]["function"] == {
        "name": "submit",
        "arguments": '{"text":"hit it"}',
    }
    (pair,) = export_rows([run], ExportSettings("dpo", templates=("react",)))
    assert "You fix things." in pair["prompt"][0]["content"]


def test_other_commands_need_no_world(tmp_path: Path) -> None:
    run, _ = imported(tmp_path, record(GOOD, task_id="clock"), record(BAD, 0, task_id="clock"))
    with Store.open(run) as store:
        counts = stats(store)
        assert (counts.trees, counts.solved, counts.leaves["failed"]) == (1, 1, 1)
        tree = store.tree("clock")
    assert tree.task.prompt == "Mend the clock."
    assert tree.node(1).step.action.arguments == {"text": "clock"}
    assert tree.node(3).step.info["records"][0]["place"].endswith("line 1")
    with RunReader.open(run) as reader:
        assert len(reader.read("clock").detail["pairs"]) == 1
    runner = CliRunner()
    for command in (["stats"], ["show", "--task", "clock"], ["view", "--html", f"{run}.html"]):
        result = runner.invoke(engine_app(), [command[0], str(run), *command[1:]])
        assert result.exit_code == 0, result.output


def test_several_calls_in_one_reply_are_one_action(tmp_path: Path) -> None:
    run, _ = imported(tmp_path, record(PARALLEL))
    with Store.open(run) as store:
        (tree,) = store.trees()
    first, second = calls_of(tree.node(1).step.action)
    assert (first.thought, first.arguments) == ("Two at once.", {"text": "hand"})
    assert (second.thought, second.arguments) == ("", {"text": "spring"})
    assert tree.node(1).step.observation == "bent\n\nbroken"


@pytest.mark.parametrize(
    ("raw", "settings", "reward"),
    [
        (0.5, {}, 0.5),
        (True, {}, 1.0),
        (7, {"success": 10}, 0.7),
        (0.9, {"success": 0.9}, 1.0),
        (-1, {}, 0.0),
        (-1, {"success": 0}, 0.0),
        (None, {"default_reward": 0.0}, 0.0),
    ],
)
def test_rewards(tmp_path: Path, raw: Any, settings: dict[str, Any], reward: float) -> None:
    run, _ = imported(tmp_path, record(GOOD, raw), **settings)
    with Store.open(run) as store:
        (tree,) = store.trees()
    (leaf,) = tree.leaves()
    assert leaf.step.reward == pytest.approx(reward)


def test_without_a_reward_a_path_makes_no_row(tmp_path: Path) -> None:
    file = lines(tmp_path / "rows.jsonl", record(GOOD, None, id="x", judge={"score": 4}))
    arguments = ["import", "chat", str(file), "--output"]
    result = CliRunner().invoke(engine_app(), [*arguments, str(tmp_path / "a")])
    assert result.exit_code == 0
    assert "--default-reward 1" in result.output
    assert not list(export_rows([tmp_path / "a"], ExportSettings()))
    rewards = lines(tmp_path / "rewards.jsonl", {"id": "x", "reward": 1})
    for name, settings in {
        "b": ImportSettings(rewards=rewards),
        "c": ImportSettings(reward="judge.score", success=4),
    }.items():
        import_run("chat", [file], tmp_path / name, settings)
        assert len(list(export_rows([tmp_path / name], ExportSettings()))) == 1


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("{", "line 2: not JSON"),
        ("[]", "line 2: not a JSON object"),
        ({"text": "x"}, "line 2: no column messages (its columns: text)"),
        (record(OPENING), "line 2: no message of the assistant"),
        (record([*OPENING, {"role": "gpt"}]), r"line 2: messages[2] has the role 'gpt'"),
        (record([*OPENING, "hi"]), "line 2: messages[2] is not an object"),
        (record(GOOD, "good"), "line 2: its reward is 'good'"),
        (record(GOOD) | {"tools": [{}]}, "line 2: a tool is no function"),
        (record([said("x") | {"tool_calls": [{}]}]), "tool_calls[0] names no function"),
    ],
)
def test_a_bad_record_is_named_and_nothing_is_written(tmp_path: Path, bad: Any, words: str) -> None:
    text = bad if isinstance(bad, str) else json.dumps(bad)
    (tmp_path / "rows.jsonl").write_text(f"{json.dumps(record(GOOD))}\n{text}\n")
    run = tmp_path / "run"
    with pytest.raises(UsageError) as error:
        import_run("chat", [tmp_path / "rows.jsonl"], run, ImportSettings())
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert not run.exists()


def test_arguments_that_are_not_json_are_kept(tmp_path: Path) -> None:
    broken = call("look", "clock", "a1")
    broken["tool_calls"][0]["function"]["arguments"] = '{"text": '
    sent = [*OPENING, broken, answer("a1", "error: bad arguments"), said("Sorry.")]
    run, _ = imported(tmp_path, record(sent))
    (row,) = export_rows([run], ExportSettings())
    assert row["messages"] == sent
    with pytest.raises(UsageError, match="holds a run"):
        imported(tmp_path, record(sent))
