"""The command `trainer data`."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.terminal import guarded
from tests.support.rows import GENERAL, PAIRS, dialogue, write
from trainer.cli.mask_view import CLOSE, OPEN
from treegraft.commands import trainer_app


def run(*arguments: object) -> int:
    """The exit status of `trainer data`."""
    call = [*map(str, arguments)]
    return guarded(lambda: trainer_app()(["data", *call], standalone_mode=False))


ROWS: list[dict[str, Any]] = [
    {
        "conversations": [{"from": "human", "loss": None, "value": "Who?"}]
        + [{"from": "gpt", "loss": loss, "value": f"I {loss}."}]
    }
    for loss in (True, False)
] + [
    {"messages": [{"role": "assistant"}]},
    {"messages": dialogue("q", "a " * 300), "split": "test"},
]


def test_it_says_what_a_file_is_and_what_would_be_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, pairs = write(tmp_path / "a.jsonl", ROWS), write(tmp_path / "b.jsonl", PAIRS)
    assert run(file, pairs, "--model", "smollm2", "--max-length", 200) == 0
    out = capsys.readouterr().out
    assert f"{file}: 4 rows, taken for AgentInstruct 2, messages 2" in out
    assert "1 of the assistant are context only" in out
    assert "  left out: 3\n" in out
    for reason in ("nothing in it is trained", "over --max-length 200", "it begins with"):
        assert f"    1: {reason}" in out
    assert "of the test split: 1; refused" in out
    assert f"assistant\n{OPEN}I True.<|im_end|>{CLOSE}" in out
    assert f"{pairs}: 3 rows, taken for preferences 3" in out
    assert "row 1 (line 1), rejected" in out


def test_without_a_model_it_counts_characters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps([*GENERAL, {"instruction": "x", "output": None}]), "utf-8")
    assert run(file, "--row", 2) == 0
    out = capsys.readouterr().out
    assert "length in characters: least 13, median 19, 95 % 42, most 42" in out
    assert "    1: output is missing" in out
    assert f"row 2 (record 2), messages\nuser: Add.\n1 and 2\nassistant: {OPEN}3{CLOSE}\n" in out
    assert run(file, "--json") == 0
    (said,) = json.loads(capsys.readouterr().out)
    assert (said["formats"], said["left_out"]) == ({"Alpaca": 4}, {"output is missing": 1})
    assert said["row"]["messages"] == dialogue("Name a colour.", "Blue.")
    assert run(file, "--row", 5) == 2
    assert "has 4 rows; there is no row 5" in capsys.readouterr().err
