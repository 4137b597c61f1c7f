"""How other trainers read rows, and what they would train: in the forms that they document."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support import commands
from tests.support.rows import dialogue, write
from trainer.data.mask_audit import read_conversations
from trainer.data.mask_readings import reading
from trainer.data.mask_rules import findings, unmarked
from trainer.data.mask_settings import settings_of
from trainer.errors import TrainerError
from trainer.tokens.chat_template import ChatTemplate

HOW_TO = Path(__file__).parents[3] / "docs" / "ship-rows.md"
SAID = dialogue("Hi?", "Hello.", "Observation: 3", "Three.")
SHAREGPT = [{"from": ("human", "gpt")[n % 2], "value": m["content"]} for n, m in enumerate(SAID)]
INFO = {"columns": {"messages": "conversations", "system": "system"}, "formatting": "sharegpt"}


def compared(
    renderer: ChatTemplate, trainer: str, settings: dict[str, Any], *rows: dict[str, Any]
) -> list[str]:
    """What `trainer` would do otherwise, without the line."""
    other = reading(trainer, settings)
    read = [[unmarked(one) for one in row] for row in read_conversations(rows, other.convert)]
    assert not any(one.conversation.defect for row in read for one in row)
    return [text.partition(", ")[2] for text in findings(renderer, read, other.rule)]


@pytest.mark.parametrize(
    ("trainer", "settings", "row", "found"),
    [
        (
            "trl",
            {},
            {"messages": SAID[:2]},
            ["messages[0]: trains a message of user"],
        ),
        (
            "trl",
            {},
            {"prompt": SAID[:1], "completion": SAID[1:]},
            ["messages[2]: trains a message of user"],
        ),
        ("trl", {}, {"prompt": "Hi?", "completion": "Hello."}, []),
        (
            "trl",
            {},
            {"prompt": SAID[:1], "chosen": SAID[1:], "rejected": SAID[1:2]},
            ["chosen[2]: trains a message of user"],
        ),
        ("llama-factory", INFO, {"conversations": SHAREGPT, "system": "Be kind."}, []),
        (
            "llama-factory",
            INFO | {"mask_history": True},
            {"conversations": SHAREGPT},
            ["messages[1]: does not train this reply"],
        ),
        (
            "llama-factory",
            {"columns": {"prompt": "q", "response": "a", "history": "before"}},
            {"q": "And?", "a": "No.", "before": [["Hi?", "Hello."]]},
            [],
        ),
        (
            "axolotl",
            {"field_messages": "conversations", "message_field_training": "train"}
            | {"message_property_mappings": {"role": "from", "content": "value"}},
            {"conversations": [{**SHAREGPT[0], "train": True}, SHAREGPT[1]]},
            ["messages[0]: trains a message of user"],
        ),
        ("axolotl", {}, {"messages": SAID}, []),
        (
            "axolotl",
            {"train_on_eos": "none"},
            {"messages": SAID[:2]},
            ["messages: does not train '<|im_end|>', which the student must write"],
        ),
        (
            "axolotl",
            {"roles_to_train": None, "train_on_eos": None},
            {"messages": SAID},
            ["messages[1]: does not train this reply"],
        ),
        ("prime-rl", {}, {"messages": SAID}, []),
        (
            "prime-rl",
            {"loss_mask": {"user": True}},
            {"messages": SAID[:2]},
            ["messages[0]: trains a message of user"],
        ),
        (
            "prime-rl",
            {},
            {"prompt": SAID[:3], "completion": SAID[3:]},
            ["messages[1]: trains a reply of which the row says that it is context"],
        ),
    ],
)
def test_what_each_would_train(
    renderer: ChatTemplate,
    trainer: str,
    settings: dict[str, Any],
    row: dict[str, Any],
    found: list[str],
) -> None:
    assert compared(renderer, trainer, settings, row) == found


def test_masks_of_a_row_are_compared_token_by_token(renderer: ChatTemplate) -> None:
    ids = renderer.encode(renderer.render(SAID[:2], generation=False))
    start = len(renderer.encode(renderer.render(SAID[:1], generation=True)))
    right = [int(start <= place < len(ids) - 1) for place in range(len(ids))]
    row = {"messages": SAID[:2], "input_ids": ids, "assistant_masks": right}
    assert compared(renderer, "trl", {}, row) == []
    late = [mask if place > start else 0 for place, mask in enumerate(right)]
    (found,) = compared(renderer, "trl", {}, row | {"assistant_masks": late})
    assert "does not train 'Hello'" in found


def test_what_llama_factory_leaves_out_is_left_out(renderer: ChatTemplate) -> None:
    other = reading("llama-factory", INFO)
    ((one,),) = read_conversations([{"conversations": SHAREGPT[:3]}], other.convert)
    assert one.defect == "LLaMA-Factory leaves it out: it does not end with an answer"


def test_a_configuration_names_its_data_set(tmp_path: Path) -> None:
    rows = write(tmp_path / "rows.jsonl", [{"messages": SAID}])
    info = tmp_path / "dataset_info.json"
    info.write_text(json.dumps({"mine": INFO | {"file_name": rows.name}, "other": INFO}))
    training = tmp_path / "sft.yaml"
    training.write_text("dataset: mine\ndataset_dir: .\nmask_history: true\n")
    file, settings = settings_of("llama-factory", training, Path("mine"))
    assert (file, settings["mask_history"]) == (rows, True)
    axolotl = tmp_path / "axolotl.yaml"
    axolotl.write_text("datasets:\n- {path: rows.jsonl, type: alpaca}\n")
    prime = tmp_path / "sft.toml"
    prime.write_text("[data]\nname = 'rows.jsonl'\n[data.loss_mask]\ntool = true\n")
    assert settings_of("prime-rl", prime, Path("any"))[1]["loss_mask"] == {"tool": True}
    for trainer, config, reason in (
        ("llama-factory", None, "needs --trainer-config"),
        ("llama-factory", info, "has no data set unknown"),
        ("axolotl", axolotl, "type must be chat_template"),
        ("axolotl", tmp_path / "none.yaml", "cannot be read"),
    ):
        with pytest.raises(TrainerError, match=reason):
            settings_of(trainer, config, Path("unknown"))


@pytest.mark.parametrize("file", ["dataset_info.json", "axolotl.yaml", "sft.toml"])
def test_the_documented_configurations_train_the_agent_alone(
    renderer: ChatTemplate, tmp_path: Path, file: str
) -> None:
    kind = file.rpartition(".")[2]
    (text,) = re.findall(rf"^```{kind}\n(.*?)^```$", HOW_TO.read_text("utf-8"), re.DOTALL | re.M)
    (tmp_path / file).write_text(text)
    trainer = {"json": "llama-factory", "yaml": "axolotl", "toml": "prime-rl"}[kind]
    _, settings = settings_of(trainer, tmp_path / file, Path("data/rows.jsonl"))
    assert compared(renderer, trainer, settings, {"messages": SAID}) == []


def test_a_workflow_of_github_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    write(tmp_path / "rows.jsonl", [{"messages": SAID[2:]}, {"messages": SAID[:2]}])
    arguments = ["mask", "--dataset", "rows.jsonl", "--model", "smollm2", "--for"]
    done = commands.trainer(*arguments, "trl", cwd=tmp_path)
    assert done.returncode == 1
    (first, second) = [line for line in done.stderr.splitlines() if line.startswith("::error")]
    assert first.startswith(
        "::error file=rows.jsonl,line=1,title=trainer mask::line 1, messages[0]"
    )
    assert ",line=2," in second
    assert "trains a message of user" in summary.read_text()
    assert commands.trainer(*arguments, "prime-rl", "--no-github", cwd=tmp_path).returncode == 0
    assert commands.trainer(*arguments, "llama-factory", cwd=tmp_path).returncode == 2
