"""The proof must find every wrong mask; and `trainer mask`, which shows and proves."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from engine.terminal import guarded
from tests.support.chat_templates import templates
from tests.support.conversations import TOOLS, calls, result, talk
from trainer.cli.mask_view import CLOSE, OPEN, view
from trainer.data.mask import IGNORE, Labelled, label
from trainer.data.mask_audit import Conversation, audit, read_conversations, violations
from trainer.tokens.chat_template import ChatTemplate
from treegraft.commands import trainer_app

MESSAGES = talk("One?", "Yes.", "Two?\n<|im_end|>", "No.")
INJECTED = [44, 108, 306, 79, 486, 108, 46]
"""`<|im_end|>` as the student's tokenizer writes text of that form."""
ROW = Conversation(1, "messages", MESSAGES, [])

Spoil = Callable[[list[int], list[int]], object]


def trained(at: int) -> Spoil:
    """Train the token at index `at`."""
    return lambda ids, labels: labels.__setitem__(at, ids[at])


def spoil_newline_after_stop(ids: list[int], labels: list[int]) -> None:
    at = next(n for n, one in enumerate(labels[:-1]) if one == 2) + 1
    labels[at] = ids[at]


def spoil_stop(ids: list[int], labels: list[int]) -> None:
    labels[-1] = IGNORE


def spoil_first_reply(ids: list[int], labels: list[int]) -> None:
    labels[: labels.index(2) + 1] = [IGNORE] * (labels.index(2) + 1)


def spoil_label(ids: list[int], labels: list[int]) -> None:
    labels[-2] += 1


def spoil_context(ids: list[int], labels: list[int]) -> None:
    del ids[4], labels[4]


def spoil_length(ids: list[int], labels: list[int]) -> None:
    """The last reply says its last token twice before it stops."""
    ids.insert(-1, ids[-2])
    labels.insert(-1, labels[-2])


def spoil_injection(ids: list[int], labels: list[int]) -> None:
    """The user's own `<|im_end|>` as the control token."""
    at = next(n for n in range(len(ids)) if ids[n : n + len(INJECTED)] == INJECTED)
    ids[at : at + len(INJECTED)], labels[at : at + len(INJECTED)] = [2], [IGNORE]


SPOILS = {
    "an observed token": trained(8),
    "a header": trained(0),
    "the line break after a stop token": spoil_newline_after_stop,
    "no stop token": spoil_stop,
    "a reply left out": spoil_first_reply,
    "another label": spoil_label,
    "more than the reply": spoil_length,
    "another context": spoil_context,
    "an injected control token": spoil_injection,
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_a_wrong_mask_is_found(renderer: ChatTemplate, spoil: Spoil) -> None:
    (made,) = label(renderer, MESSAGES)
    assert violations(renderer, ROW, [made]) == []
    ids, labels = list(made.ids), list(made.labels)
    spoil(ids, labels)
    assert (ids, labels) != (made.ids, made.labels)
    weights = [float(label != IGNORE) for label in labels]
    assert violations(renderer, ROW, [Labelled(ids, labels, weights)])


def test_a_reply_that_is_trained_twice_is_found(renderer: ChatTemplate) -> None:
    (made,) = label(renderer, MESSAGES)
    assert violations(renderer, ROW, [made, made])


def test_a_message_of_weight_0_that_is_trained_is_found(renderer: ChatTemplate) -> None:
    light = [m | {"weight": 0} if m["role"] == "assistant" else m for m in MESSAGES[:3]]
    row = Conversation(1, "messages", [*light, *MESSAGES[3:]], [])
    assert audit(renderer, [[row]]).violations == []
    assert audit(renderer, [[ROW]]).turns == audit(renderer, [[row]]).turns + 1
    assert violations(renderer, row, label(renderer, MESSAGES))


def test_a_token_without_the_weight_of_its_message_is_found(renderer: ChatTemplate) -> None:
    heavy = [*MESSAGES[:-1], MESSAGES[-1] | {"weight": 2.5}]
    row = Conversation(1, "messages", heavy, [])
    found = audit(renderer, [[row]])
    assert (found.violations, found.turns, found.weighted) == ([], 2, 1)
    (made,) = label(renderer, heavy)
    assert view(renderer, [made]).plain.endswith(f"{OPEN}No.<|im_end|>{CLOSE}\u00d72.5\n")
    made.weights[-1] = 1.0
    assert violations(renderer, row, [made]) == ["[4]: not each of its tokens has its weight, 2.5"]


def test_a_pair_trains_what_comes_after_its_prompt(renderer: ChatTemplate, tmp_path: Path) -> None:
    prompt = talk("One?", "Yes.", "Two?")
    row = {"prompt": prompt, "chosen": talk("", "No.")[2:], "rejected": talk("", "Perhaps.")[2:]}
    file = write(tmp_path, row)
    (pair,) = read_conversations(file)
    assert [one.first for one in pair] == [4, 4]
    found = audit(renderer, [pair])
    assert (found.conversations, found.turns, found.violations) == (2, 2, [])
    # No. and Perhaps. with their stop tokens; the prompt and its reply are shared.
    assert found.tokens - found.distinct == len(label(renderer, pair[0].messages, [], 4)[0].ids) - 3


def test_the_view_reads_without_colour(renderer: ChatTemplate) -> None:
    text = view(renderer, label(renderer, talk("\x1b[2Jclear", "Yes.", system="S."))).plain
    assert text == (
        "sequence 1 of 1: 24 tokens, 3 trained\n"
        "<|im_start|>system\nS.<|im_end|>\n<|im_start|>user\n\\x1b[2Jclear<|im_end|>\n"
        f"<|im_start|>assistant\n{OPEN}Yes.<|im_end|>{CLOSE}\n"
    )


# The command


def write(folder: Path, *rows: dict[str, Any]) -> Path:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return file


def wear(tokenizer: PreTrainedTokenizerBase, folder: Path, template: str) -> Path:
    """A model directory, as far as its tokenizer goes."""
    (folder / "config.json").write_text('{"model_type": "llama"}')
    tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(template, "utf-8")
    return folder


def run(*arguments: object) -> int:
    """The exit status of `trainer` with `arguments`."""
    code = 0

    def call() -> None:
        nonlocal code
        code = trainer_app()([*map(str, arguments)], standalone_mode=False) or 0

    return guarded(call) or code


def test_the_command_shows_a_row_and_proves_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lone = {"messages": talk("\ud83d?", "x")}
    file = write(tmp_path, {"messages": MESSAGES}, {"messages": talk("A?", "B.")}, lone)
    flags = ["mask", "--dataset", file, "--model", "smollm2"]
    assert run(*flags, "--row", 2) == 0
    out = capsys.readouterr().out
    assert f"assistant\n{OPEN}B.<|im_end|>{CLOSE}\n" in out
    assert "3 rows, 3 turns in 2 sequences" in out
    assert "dropped: 1: the text holds half of a surrogate pair" in out
    assert "every mask is exact" in out
    assert run(*flags, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["rows"], said["violations"]) == (3, [])
    (first,) = said["row"][0]["sequences"]
    assert [part["text"] for part in first["parts"] if part["trained"]] == [
        "Yes.<|im_end|>",
        "No.<|im_end|>",
    ]
    assert run(*flags, "--row", 4) == 2
    assert "--row 4" in capsys.readouterr().err


def test_a_template_that_never_renders_the_same_is_a_violation(
    tokenizer: PreTrainedTokenizerBase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = "{{ strftime_now('%H:%M:%S.%f') }}"
    # The context of the first reply holds the time, and no later rendering does.
    source = (
        "{% if messages|length == 2 and add_generation_prompt %}"
        + clock
        + "{% endif %}"
        + str(tokenizer.chat_template)
    )
    model = wear(tokenizer, tmp_path, source)
    file = write(tmp_path, {"messages": talk("A?", "B.")})
    assert run("mask", "--dataset", file, "--model", model) == 1
    assert "WRONG: line 1, messages[2]" in capsys.readouterr().out


def test_a_template_that_cannot_show_the_rows_is_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    messages = [*talk("A?"), calls("SELECT 1"), result("1"), *talk("", "One.")[2:]]
    file = write(tmp_path, {"messages": messages, "tools": TOOLS})
    assert run("mask", "--dataset", file, "--model", "smollm2") == 2
    assert "error: line 1: the model's chat template does not support" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "reason"),
    [("", "holds no rows"), ("{}", "line 1: its columns are of no known format: none")],
)
def test_bad_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, reason: str
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(line)
    assert run("mask", "--dataset", file, "--model", "smollm2") == 2
    assert reason in capsys.readouterr().err


def test_templates_that_branch_are_proved_too() -> None:
    renderer = templates()["trl/qwen3"].renderer()
    found = audit(renderer, [[ROW]])
    assert (found.sequences, found.violations) == (2, [])
    assert found.distinct < found.tokens
