"""Recorded tokens against those that the student is trained on."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.export.export import ExportSettings, export_rows
from engine.interop.import_run import import_run
from engine.interop.settings import ImportSettings
from trainer.data.token_drift import token_drift
from trainer.errors import TrainerError
from trainer.tokens.chat_template import ChatTemplate

GOLDEN = Path(__file__).parents[2] / "golden" / "atif_harbor.json"


def steps(*replies: tuple[str, list[int]]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for text, ids in replies:
        made.append({"source": "user", "message": "Go on."})
        made.append({"source": "agent", "message": text, "metrics": {"completion_token_ids": ids}})
    return made


def test_a_message_that_tokenises_otherwise_is_named(
    renderer: ChatTemplate, tmp_path: Path
) -> None:
    def ids(text: str) -> list[int]:
        return list(renderer.tokenizer.encode(text))

    stop = ids("<|im_end|>")
    other = [*ids("s"), *ids("econd"), *ids(" reply")]
    assert other != ids("second reply")
    played = steps(("first reply", [*ids("first reply"), *stop]), ("second reply", other))
    trajectory = json.loads(GOLDEN.read_text()) | {"steps": played, "extra": {"reward": 1}}
    del trajectory["agent"]["tool_definitions"]
    (tmp_path / "one.json").write_text(json.dumps(trajectory))
    import_run("atif", [tmp_path / "one.json"], tmp_path / "run", ImportSettings())
    rows = list(export_rows([tmp_path / "run"], ExportSettings()))
    found = token_drift(renderer, rows)
    assert found and (found.messages, found.drifted) == (2, 1)
    assert found.first.startswith("row 1, messages[3]: token 1 was recorded as ")
    assert "'s' and is " in found.first
    text = list(export_rows([tmp_path / "run"], ExportSettings(templates=("react",))))
    assert text[0]["completion_token_ids"] == [[], []]


def test_rows_without_tokens_have_no_drift_and_bad_ones_are_named(renderer: ChatTemplate) -> None:
    steps_of_chat = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "x"}]
    row: dict[str, Any] = {"messages": steps_of_chat, "tools": []}
    assert token_drift(renderer, [row]) is None
    with pytest.raises(TrainerError, match="row 1: completion_token_ids does not have"):
        token_drift(renderer, [row | {"completion_token_ids": [["x"]]}])
