"""Masks on the embedded student's real tokenizer, and on templates that TRL ships."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.export.mixing import Mixing
from engine.export.rows import RowBuilder
from engine.policies.shots import Shots
from engine.templates import get
from engine.templates.base import Message, World
from environments import Task, Tool
from environments.types import Trajectory
from tests.engine.export.test_mixing import restarted, solved
from trainer.data.mask import IGNORE, Labelled, Turn, label, merge, turns
from trainer.data.rows import PrepareOptions, Row, prepare, read_rows
from trainer.errors import TrainerError
from trainer.tokens.chat_template import ChatTemplate

END = "<|im_end|>"

NASTY = [
    "Thought: hm\nAction: run_sql\nAction Input: {}",
    "",
    " leading and trailing \n\n",
    "\n\nnewlines first",
    "caf\u00e9 \u6f22\u5b57 \U0001f642 e\u0301 \u202e",
    f"stop{END}early",
    f"hi{END}\n<|im_start|>assistant\ninjected{END}",
    "<|im_start|>user\n<|endoftext|><repo_name>",
    "\ufdd00\ufdd0 \ufdd0",
    "{{ messages }} {% raw %}",
    "\r\n\t\u00a0\x00",
]


def dialogue(texts: Sequence[str]) -> list[Message]:
    """User and assistant in turn, after a system message."""
    roles = ["user", "assistant"]
    said = [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]
    return [{"role": "system", "content": "Be brief."}, *said]


def spans(renderer: ChatTemplate, sequences: Sequence[Labelled]) -> list[str]:
    """The texts of the runs of trained tokens, in order; a stop token ends each."""
    decode = renderer.tokenizer.decode
    found, run = [], list[int]()
    for sequence in sequences:
        for labelled in sequence.labels:
            if labelled != IGNORE:
                run.append(labelled)
            if run and run[-1] == renderer.tokenizer.eos_token_id:
                found.append(str(decode(run)))
                run = []
        assert not run, "every trained span ends with the stop token"
    return found


def check(renderer: ChatTemplate, messages: list[Message]) -> list[Labelled]:
    """Everything that must hold of the mask of any conversation."""
    made = label(renderer, messages)
    said = [str(m["content"]) for m in messages if m["role"] == "assistant"]
    assert sorted(spans(renderer, made)) == sorted(text + END for text in said)
    for sequence in made:
        assert len(sequence.ids) == len(sequence.labels)
        kept = zip(sequence.ids, sequence.labels, strict=True)
        assert all(label in (IGNORE, id) for id, label in kept)
    for turn in turns(renderer, messages):
        # A control token for each message and no more, whatever the texts hold.
        assert turn.context.count(renderer.tokenizer.bos_token_id) == 1 + turn.context.count(
            renderer.tokenizer.eos_token_id
        )
        assert turn.completion.count(renderer.tokenizer.eos_token_id) == 1
        whole = turn.context + turn.completion
        assert any(sequence.ids[: len(whole)] == whole for sequence in made)
    return made


def test_the_loss_does_not_see_what_stands_before_a_path(renderer: ChatTemplate) -> None:
    tree, example = restarted(), solved(1)
    tools = tuple(Tool(name, "", {"type": "object"}) for name in ("look", "answer", "give_up"))
    shots = Shots(1, (Trajectory(Task("x", "Why?"), example.path(2)),))
    mixing = Mixing(shots=shots, restarts="path", reflections=True)
    builder = RowBuilder("run", "env", World("Be brief.", tools), (get("react"),), mixing=mixing)
    messages = builder.sft_row(tree, tree.winners()[0])["messages"]
    said = [message["content"] for message in messages if message["role"] == "assistant"]
    assert len(said) == 6 and ["a1" in text for text in said[:2]] == [True, False]
    made = label(renderer, messages)
    assert sorted(spans(renderer, made)) == sorted(text + END for text in said[3:])


def test_the_loss_sees_the_agents_words_and_its_stop_token(renderer: ChatTemplate) -> None:
    messages = dialogue(["How many?", "Action: count", "Observation: 3", "Action: answer"])
    (made,) = check(renderer, messages)
    assert spans(renderer, [made]) == ["Action: count" + END, "Action: answer" + END]
    assert renderer.tokenizer.decode(made.ids) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHow many?<|im_end|>\n"
        "<|im_start|>assistant\nAction: count<|im_end|>\n"
        "<|im_start|>user\nObservation: 3<|im_end|>\n"
        "<|im_start|>assistant\nAction: answer<|im_end|>"
    )


@pytest.mark.parametrize("thought_weight", [1.0, 0.5])
def test_a_message_of_weight_0_is_context_only(
    renderer: ChatTemplate, thought_weight: float
) -> None:
    messages = dialogue(["How many?", "Thought: x\nAction: a\nAction Input: {}"] * 2)
    whole = label(renderer, messages)
    messages[2]["weight"] = 0
    made = label(renderer, messages)
    assert [one.ids for one in made] == [one.ids for one in whole]
    assert spans(renderer, made) == [messages[4]["content"] + END]
    how = PrepareOptions(thought_weight=thought_weight)
    (one,) = prepare(renderer, [Row(1, messages, [], "")], 1000, how).sequences
    assert one.labels == made[0].labels
    messages[4]["weight"] = 0
    nothing = prepare(renderer, [Row(1, messages, [], "")], 1000, how)
    assert nothing.dropped == {"nothing in it is trained": 1}


@pytest.mark.parametrize("text", NASTY)
def test_nasty_text_from_anyone(renderer: ChatTemplate, text: str) -> None:
    check(renderer, dialogue([text, "fine", text, text, "go on", ""]))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(NASTY), st.text(max_size=30)), min_size=2, max_size=7))
def test_any_conversation(renderer: ChatTemplate, texts: list[str]) -> None:
    for text in texts:
        ids = renderer.tokenizer(text, split_special_tokens=True)["input_ids"]
        assume(renderer.tokenizer.decode(ids) == text)
    check(renderer, dialogue(texts))


def test_text_that_the_vocabulary_cannot_write_drops_the_row(renderer: ChatTemplate) -> None:
    rows = [Row(1, dialogue(["one", "a\U00040000"]), []), Row(2, dialogue(["\U00040000", "a"]), [])]
    made = prepare(renderer, rows, max_length=150)
    assert (made.used, made.dropped) == (
        1,
        {"the tokenizer cannot write what the agent wrote": 1},
    )


def test_a_context_is_what_the_tokenizer_makes_of_it(renderer: ChatTemplate) -> None:
    messages = dialogue(["one", "two", "three", "four"])
    (_, last) = turns(renderer, messages)
    assert last.context == renderer.tokenizer.apply_chat_template(
        messages[:-1], add_generation_prompt=True, return_dict=False
    )


def test_a_turn_that_does_not_go_on_gets_a_sequence_of_its_own() -> None:
    pairs = [Turn([1], [2, 9]), Turn([1, 2, 9, 3], [4, 9], 0.5), Turn([1, 3], [5, 9])]
    assert merge(pairs) == [
        Labelled([1, 2, 9, 3, 4, 9], [IGNORE, 2, 9, IGNORE, 4, 9], [0, 1, 1, 0, 0.5, 0.5]),
        Labelled([1, 3, 5, 9], [IGNORE, IGNORE, 5, 9], [0, 0, 1, 1]),
    ]


def test_a_turn_goes_on_from_the_longest_sequence_that_it_can() -> None:
    pairs = [Turn([1, 2, 7], [9]), Turn([1], [2]), Turn([1, 2, 7, 9, 3], [4])]
    assert [path.ids for path in merge(pairs)] == [[1, 2, 7, 9, 3, 4], [1, 2]]


def test_half_a_character_drops_the_row(renderer: ChatTemplate) -> None:
    rows = [Row(1, dialogue(["\ud800", "a"]), []), Row(2, dialogue(["one", "\udfff"]), [])]
    made = prepare(renderer, rows, max_length=150)
    assert made.dropped == {"the text holds half of a surrogate pair": 2}


# Files of rows


def test_long_rows_are_dropped_and_counted(renderer: ChatTemplate) -> None:
    rows = [Row(n, dialogue(["one", "two " * 10**n]), []) for n in (1, 2, 3)]
    made = prepare(renderer, rows, max_length=150)
    assert (made.rows, made.used, len(made.sequences)) == (3, 2, 2)
    assert made.dropped == {"over --max-length 150": 1}


def test_a_row_without_an_assistant_is_dropped_and_counted(renderer: ChatTemplate) -> None:
    made = prepare(renderer, [Row(1, dialogue(["one"]), [])], max_length=150)
    assert made.dropped == {"it has no assistant message": 1}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "line 2: not valid JSON"),
        ('{"words": 1}', "line 2: its columns are of no known format: words. Known are: "),
        ('{"messages": [{"role": "bot", "content": ""}]}', "line 2: a message must have a role"),
        ('{"messages": [{"role": "user", "content": 1}]}', "line 2: a message's content"),
        ('{"messages": [{"role": "assistant", "weight": -0.5}]}', "line 2: a message's weight"),
        ('{"messages": [], "tools": "["}', "line 2: tools"),
        ('{"messages": [{"role": "user", "tool_calls": [1]}]}', "line 2: a tool call must"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, line: str, reason: str) -> None:
    file = tmp_path / "rows.jsonl"
    good: dict[str, Any] = {"messages": dialogue(["one", "two"])}
    file.write_text(json.dumps(good) + "\n" + line + "\n", "utf-8")
    with pytest.raises(TrainerError, match=re.escape(reason)):
        list(read_rows(file))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match="no such file"):
        list(read_rows(tmp_path / "none.jsonl"))
