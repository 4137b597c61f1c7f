"""Records of every known format, as rows; and what of them is dropped or refused."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.export.export import ExportSettings, export
from engine.templates.base import Message
from tests.support.rows import AGENT, dialogue
from tests.support.stored import answer, chain, look, store, tree
from trainer.data.formats import FORMATS
from trainer.data.mask_audit import label_or_reason, read_conversations
from trainer.data.preferences import read_cases, read_pairs
from trainer.data.row_source import source_rows
from trainer.data.rows import read_rows
from trainer.errors import TrainerError
from trainer.tokens.chat_template import ChatTemplate

Record = dict[str, Any]
ASKED = {"from": "human", "value": "q"}
SAID = {"from": "gpt", "value": "a"}
CALL = {"name": "look", "arguments": {"x": 1}}
CALL_TEXT = json.dumps(CALL)
TOOL = {"name": "look", "parameters": {"type": "object", "properties": {}}}
OURS = {"type": "function", "function": TOOL}
REACT = 'Thought: t\nAction: look\nAction Input: {"x": 1}'


def called(text: str = "", *ids: str) -> Message:
    """An assistant message that calls `look`, once for each id."""
    function = {"name": "look", "arguments": '{"x": 1}'}
    calls = [{"id": id, "type": "function", "function": function} for id in ids or ("call_1",)]
    return {"role": "assistant", "content": text, "tool_calls": calls}


def seen(text: str, id: str = "call_1") -> Message:
    return {"role": "tool", "tool_call_id": id, "content": text}


def weighed(*weights: int | None) -> list[Message]:
    """User and assistant in turn; the assistant's weights."""
    said = dialogue(*(text for n in range(len(weights)) for text in (f"q{n}", f"a{n}")))
    for message, weight in zip(said[1::2], weights, strict=True):
        message |= {} if weight is None else {"weight": weight}
    return said


def turns(*losses: Any) -> list[Record]:
    """The same as AgentInstruct writes them."""
    found = []
    for number, loss in enumerate(losses):
        found.append({"from": "human", "loss": None, "value": f"q{number}"})
        found.append({"from": "gpt", "loss": loss, "value": f"a{number}"})
    return found


TOOLBENCH_SYSTEM = "Do it with a function call to actually excute your step."
TOOLBENCH_STEPS = [
    {"role": "system", "content": TOOLBENCH_SYSTEM},
    {"role": "user", "content": "q"},
    {"role": "assistant", "content": "t"},
    {"role": "assistant", "content": None, "function_call": {**CALL, "arguments": '{"x": 1}'}},
    {"role": "function", "name": "look", "content": "seen"},
    {"role": "assistant", "content": None, "function_call": {**CALL, "arguments": '{"x": 1}'}},
]
KNOWN: list[tuple[str, Record, list[tuple[list[Message], list[Any]]]]] = [
    ("messages", {"messages": dialogue("q", "a"), "tools": [OURS]}, [(dialogue("q", "a"), [OURS])]),
    (
        "messages",
        {"messages": weighed(0, 1), "tools": json.dumps([OURS])},
        [(weighed(0, 1), [OURS])],
    ),
    (
        "messages",  # OpenAI's, with parallel calls
        {
            "messages": [*dialogue("q"), called("", "c1", "c2"), seen("1", "c2"), seen("2", "c1")]
            + dialogue("", "a")[1:],
            "tools": [OURS],
            "parallel_tool_calls": True,
        },
        [
            (
                [*dialogue("q"), called("", "c1", "c2"), seen("1", "c2"), seen("2", "c1")]
                + dialogue("", "a")[1:],
                [OURS],
            )
        ],
    ),
    (
        "messages",  # OpenAI's before there were tools
        {
            "messages": [
                *dialogue("q"),
                {"role": "assistant", "content": None, "function_call": CALL},
                {"role": "function", "name": "look", "content": "seen"},
                *dialogue("", "a")[1:],
            ],
            "functions": [TOOL],
        },
        [
            (
                [*dialogue("q"), called(), seen("seen") | {"name": "look"}, *dialogue("", "a")[1:]],
                [OURS],
            )
        ],
    ),
    (
        "messages",  # parts of content, and null as `datasets` fills it in
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "q"}], "name": None},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "reasoning", "value": "r"},
                        {"type": "text", "value": "a"},
                    ],
                    "loss_weight": 1.0,
                    "tool_calls": None,
                },
            ],
            "tools": None,
        },
        [([*dialogue("q"), dialogue("", "a")[1] | {"weight": 1, "reasoning_content": "r"}], [])],
    ),
    (
        "ShareGPT",
        {
            "system": "s",
            "conversations": [
                ASKED,
                {"from": "function_call", "value": CALL_TEXT},
                {"from": "observation", "value": "seen"},
                SAID,
            ],
            "tools": json.dumps([TOOL]),
        },
        [
            (
                [{"role": "system", "content": "s"}, *dialogue("q"), called(), seen("seen")]
                + dialogue("", "a")[1:],
                [OURS],
            )
        ],
    ),
    (
        "ShareGPT",  # axolotl's per-turn weight
        {"conversations": [ASKED, SAID | {"weight": 0}, ASKED, SAID | {"train": True}]},
        [
            (
                [
                    *dialogue("q"),
                    dialogue("", "a")[1] | {"weight": 0},
                    *dialogue("q"),
                    dialogue("", "a")[1] | {"weight": 1},
                ],
                [],
            )
        ],
    ),
    (
        "AgentInstruct",
        {"id": "os_1", "conversations": turns(False, True, None)},
        [(weighed(0, 1, None), [])],
    ),
    (
        "ToolBench",
        {
            "id": "Step 1",
            "conversations": [
                {"from": "system", "value": "s"},
                {"from": "user", "value": "q"},
                {"from": "assistant", "value": REACT},
                {"from": "function", "value": "seen"},
                {"from": "assistant", "value": REACT},
            ],
        },
        [([{"role": "system", "content": "s"}, *dialogue("q", REACT, "seen", REACT)], [])],
    ),
    (
        "ToolBench answers",
        {
            "win": True,
            "answer_generation": {
                "valid_data": True,
                "function": [TOOL],
                "train_messages": [TOOLBENCH_STEPS[:4], TOOLBENCH_STEPS],
            },
        },
        [
            (
                [
                    {
                        "role": "system",
                        "content": f"{TOOLBENCH_SYSTEM} Your output should follow this format:\n"
                        "Thought:\nAction\nAction Input:\n\nSpecifically, you have access to the "
                        f"following APIs: {json.dumps([TOOL])}",
                    },
                    *dialogue("q", REACT, "seen", REACT.replace(": t", ": ")),
                ],
                [],
            )
        ],
    ),
    (
        "Hermes function calls",
        {
            "conversations": [
                {"from": "system", "value": "<tools>[...]</tools>"},
                ASKED,
                {"from": "gpt", "value": f"<tool_call>\n{CALL_TEXT}\n</tool_call>"},
                {"from": "tool", "value": "<tool_response>\nseen\n</tool_response>"},
                SAID,
            ],
            "tools": json.dumps([OURS]),
        },
        [
            (
                [
                    {"role": "system", "content": "<tools>[...]</tools>"},
                    *dialogue(
                        "q",
                        f"<tool_call>\n{CALL_TEXT}\n</tool_call>",
                        "<tool_response>\nseen\n</tool_response>",
                        "a",
                    ),
                ],
                [],
            )
        ],
    ),
    (
        "KAgentInstruct",
        {
            "id": "1",
            "query": "q",
            "source": "react",
            "functions": [json.dumps(TOOL)],
            "llm_prompt_response": [
                {"instruction": "i", "input": "q", "output": "a", "llm_name": "gpt4"},
                {"instruction": "i", "input": "", "output": "b", "human_edited": True},
            ],
        },
        [(dialogue("i\nq", "a"), []), (dialogue("i", "b"), [])],
    ),
    (
        "KAgentBench",
        {
            "query": "q",
            "type": "plantooluse",
            "golden_result_list": [{"thought": "t", "tool_name": "look", "tool_args": {"x": 1}}],
            "prompt_input": {"ReACT": "p1", "ToolLlama": "p2", "Kuaiagent": "p3"},
        },
        [(dialogue("p1", REACT), []), (dialogue("p2", REACT), [])],
    ),
    (
        "KAgentBench",
        {
            "type": "profile",
            "golden_result_list": [{"golden_result": "a"}],
            "prompt_input": {"prompt": "p"},
        },
        [(dialogue("p", "a"), [])],
    ),
    (
        "xLAM",
        {
            "id": 0,
            "query": "q",
            "answers": json.dumps([CALL, CALL]),
            "tools": json.dumps([{"name": "look", "parameters": {"x": {"type": "int"}}}]),
        },
        [
            (
                [*dialogue("q"), called("", "call_1", "call_1_1")],
                [
                    {
                        "type": "function",
                        "function": {
                            "name": "look",
                            "parameters": {"type": "object", "properties": {"x": {"type": "int"}}},
                        },
                    }
                ],
            )
        ],
    ),
    (
        "Alpaca",
        {"instruction": "i", "input": "j", "output": "a", "history": [["q", "b"]], "system": "s"},
        [([{"role": "system", "content": "s"}, *dialogue("q", "b", "i\nj", "a")], [])],
    ),
    ("prompt and completion", {"prompt": "q", "completion": "a"}, [(dialogue("q", "a"), [])]),
    (
        "prompt and completion",
        {"prompt": dialogue("q0", "a0", "q1"), "completion": dialogue("", "a1")[1:]},
        [(weighed(0, None), [])],
    ),
    (
        "Agent Data Protocol",
        {
            "id": "os_1",
            "content": [
                {"class_": "text_observation", "content": "q", "source": "user"},
                {
                    "class_": "api_action",
                    "function": "look",
                    "kwargs": {"x": 1},
                    "description": "t",
                },
                {"class_": "text_observation", "content": "seen", "source": "environment"},
                {
                    "class_": "code_action",
                    "language": "bash",
                    "content": "ls",
                    "description": None,
                },
                {"class_": "text_observation", "content": "file", "source": "environment"},
                {"class_": "message_action", "content": "a", "description": None},
                {"class_": "text_observation", "content": "bye", "source": "user"},
            ],
            "details": {},
        },
        [
            (
                [*dialogue("q"), called("t"), seen("seen")]
                + dialogue("", "```bash\nls\n```", "file", "a")[1:],
                [],
            )
        ],
    ),
]


@pytest.mark.parametrize(("name", "record", "expected"), KNOWN)
def test_records_become_rows(
    name: str, record: Record, expected: list[tuple[list[Message], list[Any]]]
) -> None:
    rows = list(source_rows([record]))
    assert [row.defect for row in rows] == [""] * len(expected)
    assert [(row.value["messages"], row.value["tools"]) for row in rows] == expected
    assert {row.format for row in rows} == {name}


def test_every_format_is_tried() -> None:
    assert {name for name, _, _ in KNOWN} | {"preferences", "OpenAI preferences"} == {
        one.name for one in FORMATS
    }


Q, A, B = dialogue("q"), dialogue("", "a")[1:], dialogue("", "b")[1:]


@pytest.mark.parametrize(
    "record",
    [
        {"prompt": Q, "chosen": A, "rejected": B},
        {"prompt": "q", "chosen": "a", "rejected": "b"},
        {"prompt": "q", "chosen": Q + A, "rejected": Q + B, "messages": Q + A},
        {"chosen": Q + A, "rejected": Q + B},
        {"chosen": "q a", "rejected": "q b"},
        {"instruction": "q", "input": "", "chosen": "a", "rejected": "b"},
        {"question": "q", "chosen": "a", "rejected": "b"},
        {"conversations": [ASKED], "chosen": SAID, "rejected": SAID | {"value": "b"}},
        {
            "input": {"messages": Q, "tools": [], "parallel_tool_calls": True},
            "preferred_output": A,
            "non_preferred_output": B,
        },
        {"prompt": json.dumps(Q), "chosen": json.dumps(A), "rejected": json.dumps(B)},
    ],
)
def test_pairs_of_every_form(record: Record) -> None:
    ((chosen, rejected),) = (pair.cases for pair in read_pairs([record]))
    assert chosen.prompt == rejected.prompt == Q
    texts = [case.completion[0]["content"].strip() for case in (chosen, rejected)]
    assert texts == ["a", "b"]


@pytest.mark.parametrize(
    "record",
    [
        {"prompt": "q", "completion": "a", "label": True},
        {"prompt": Q, "completion": A, "label": 1},
        {"messages": Q + A, "label": True},
        {"conversations": [ASKED, SAID], "kto_tag": True},
        {"messages": Q + A, "reward": 1.0},
    ],
)
def test_labelled_cases_are_for_kto(record: Record) -> None:
    (good,) = read_cases([record], 1.0)
    (case,) = good.cases
    assert (case.prompt, case.completion, case.good) == (Q, A, True)
    column = next(column for column in ("label", "kto_tag", "reward") if column in record)
    bad = record | {column: False}
    assert [one.cases[0].good for one in read_cases([bad], 1.0)] == [False]
    defects = [row.defect for row in read_rows([bad])]
    assert defects == ([""] if column == "reward" else ["its label is false"])


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"messages": None}, "messages is missing"),
        ({"messages": []}, "it has no assistant message"),
        ({"messages": [None, *A]}, "a message is null"),
        ({"messages": [{"role": "user", "content": None}, *A]}, "a user message has no content"),
        ({"messages": [*Q, {"role": "assistant", "content": None}]}, "message is empty"),
        ({"messages": [*Q, {"role": "assistant", "content": " \n"}]}, "message is empty"),
        ({"messages": [*Q, *A, *Q]}, "it does not end with an assistant message"),
        ({"messages": [*Q, *Q, *A]}, "two user messages in a row"),
        ({"messages": A}, "it begins with a message of role assistant"),
        ({"messages": [*Q, called(), {"role": "tool", "content": None}, *A]}, "has no content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}, *A]}, "not text"),
        ({"messages": Q + A, "images": ["a.png"]}, "it has images"),
        ({"conversations": [SAID]}, "it begins with a message of role assistant"),
        ({"conversations": [ASKED, SAID, ASKED]}, "it does not end"),
        ({"conversations": [ASKED, {"from": "gpt", "value": None}]}, "message is empty"),
        ({"conversations": [ASKED, SAID, SAID]}, "two assistant messages in a row"),
        ({"conversations": [{"from": None, "value": None}, SAID]}, "a message is null"),
        ({"instruction": "i", "output": None}, "output is missing"),
        ({"instruction": "i", "input": "j"}, "output is missing"),
        ({"instruction": "i", "output": ""}, "message is empty"),
        ({"instruction": None, "input": "", "output": "a"}, "instruction is missing"),
        ({"instruction": "i", "output": "a", "history": ["a"]}, "its history is one-sided"),
        ({"instruction": "i", "output": "a", "history": [["a"]]}, "its history is one-sided"),
        ({"instruction": "i", "output": "a", "history": [["a", None]]}, "history is one-sided"),
        ({"instruction": "i", "output": "a", "history": "a"}, "its history is one-sided"),
        ({"prompt": "q", "completion": None}, "completion is missing"),
        ({"query": "q", "answers": "[]", "tools": "[]"}, "answers is missing"),
        ({"query": "q", "answers": None}, "answers is missing"),
        ({"llm_prompt_response": []}, "llm_prompt_response is missing"),
        ({"answer_generation": {"valid_data": False}}, "does not mark its answer as valid"),
        ({"prompt": "q", "chosen": None, "rejected": "b"}, "chosen is missing"),
        ({"prompt": "q", "chosen": "a"}, "rejected is missing"),
        ({"prompt": "q", "chosen": "a", "rejected": ""}, "message is empty"),
        ({"chosen": "a", "rejected": "b"}, "prompt is missing"),
        ({"chosen": Q + A, "rejected": dialogue("r", "b")}, "no prompt in common"),
        ({"prompt": "q", "completion": "a", "label": None}, "label is missing"),
    ],
)
def test_what_is_missing_drops_the_row_and_nothing_else(record: Record, reason: str) -> None:
    bad, good = source_rows([record, {"messages": Q + A}])
    assert reason in bad.defect
    assert "messages" not in bad.value
    assert (good.defect, good.number) == ("", 2)


def test_a_step_that_is_missing_leaves_the_others() -> None:
    steps = [{"instruction": "i", "output": said} for said in ("a", None, "b")]
    rows = list(source_rows([{"llm_prompt_response": steps}]))
    assert [row.defect for row in rows] == ["", "output is missing", ""]


def test_an_empty_reply_of_weight_0_is_context() -> None:
    silent = {"role": "assistant", "content": "", "weight": 0}
    (row,) = source_rows([{"messages": [*Q, silent, *Q, *A]}])
    assert row.value["messages"][1] == silent


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"messages": Q + A, "tools": 3}, "tools must be a list, not a number"),
        ({"messages": Q + A, "tools": 0}, "tools must be a list, not a number"),
        ({"messages": Q + A, "tools": "3"}, "tools must be a list"),
        ({"messages": Q + A, "tools": "["}, "tools is text that is not JSON"),
        ({"messages": Q + A, "tools": [None]}, "a tool must be an object, not null"),
        ({"messages": Q + A, "tools": [{"type": "function"}]}, "a tool must have a name"),
        ({"messages": 3}, "messages must be a list, not a number"),
        ({"messages": [*Q, "a"]}, "a message must be an object, not text"),
        ({"messages": [*Q, {"role": 1, "content": "a"}]}, "a message must have a role of"),
        ({"messages": [*Q, {"role": "assistant", "content": 5}]}, "must be text, not a number"),
        ({"messages": [*Q, {"role": "assistant", "content": {}}]}, "must be text, not an object"),
        ({"messages": [*Q, A[0] | {"weight": "a"}]}, "weight must be a number, not text"),
        ({"messages": [*Q, A[0] | {"weight": True}]}, "weight must be a number, not a truth value"),
        ({"messages": [*Q, A[0] | {"weight": -0.5}]}, "weight must be 0 .* above 0, not -0.5"),
        ({"messages": [*Q, A[0] | {"weight": float("nan")}]}, "weight must be 0 .*, not nan"),
        ({"conversations": [ASKED, SAID | {"train": 0.5}]}, "train must be true or false"),
        (
            {"prompt": "p", "chosen": [A[0] | {"weight": 0.5}], "rejected": A},
            "weight must be 0 or 1 in DPO and KTO, not 0.5",
        ),
        ({"messages": [*Q, A[0] | {"reasoning_content": ["a"]}]}, "reasoning_content must be text"),
        ({"messages": [*Q, A[0] | {"tool_calls": 3}]}, "tool_calls must be a list"),
        ({"messages": [*Q, A[0] | {"tool_calls": [{"name": None}]}]}, "a tool call must"),
        (
            {"messages": [*Q, A[0] | {"tool_calls": [{"name": "f", "arguments": [1]}]}]},
            "arguments must be an object",
        ),
        (
            {"messages": [*Q, A[0] | {"tool_calls": [{"name": "f", "arguments": '{"x": NaN}'}]}]},
            "arguments is text that is not JSON",
        ),
        ({"messages": [*Q, A[0] | {"note": float("nan")}]}, "NaN and infinities"),
        ({"conversations": {"a": 1}}, "conversations must be a list, not an object"),
        ({"conversations": [ASKED, SAID | {"loss": "yes"}]}, "loss must be true or false"),
        ({"conversations": [ASKED, SAID], "system": 1}, "system must be text"),
        ({"instruction": 1, "output": "a"}, "instruction must be text, not a number"),
        ({"instruction": "i", "output": ["a"]}, "output must be text, not a list"),
        ({"instruction": "i", "output": "a", "history": 3}, "history must be a list"),
        ({"instruction": "i", "output": "a", "history": [[1, 2]]}, "history must hold pairs"),
        ({"query": "q", "answers": "{"}, "answers is text that is not JSON"),
        ({"llm_prompt_response": [3]}, "a row must be an object, not a number"),
        ({"prompt_input": 3, "golden_result_list": ["a"]}, "prompt_input must be an object"),
        ({"answer_generation": 3}, "answer_generation must be an object"),
        ({"prompt": 1, "completion": "a"}, "prompt must be text, not a number"),
        ({"prompt": "q", "completion": "a", "label": "good"}, "label must be true or false"),
        ({"prompt": "q", "chosen": 1, "rejected": "b"}, "chosen must be a list, not a number"),
        ({"input": 1, "preferred_output": A}, "input must be an object, not a number"),
        ({"text": "a", "n": 1}, "of no known format: text, n. Known are: preferences"),
        ({}, "of no known format: none"),
        ("text", "a row must be an object, not text"),
        (None, "a row must be an object, not null"),
    ],
)
def test_a_value_of_the_wrong_type_is_one_line_with_its_place(record: Any, reason: str) -> None:
    with pytest.raises(TrainerError, match=reason) as caught:
        list(source_rows([{"messages": Q + A}, record]))
    assert str(caught.value).startswith("the rows in memory: row 2: ")
    assert "\n" not in str(caught.value)


def test_rows_of_the_other_kind_say_which_command_takes_them() -> None:
    with pytest.raises(TrainerError, match="row 1: .*trainer dpo"):
        list(read_rows([{"prompt": "q", "chosen": "a", "rejected": "b"}]))
    with pytest.raises(TrainerError, match="row 1: is no pair: .*taken for Alpaca"):
        list(read_pairs([{"instruction": "q", "output": "a"}]))


# What `engine export` writes


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tree("db/1", look("loans", "Loans?"))
    chain(made, look("books", '"quoted" {x}'), answer("3"), at=1)
    chain(made, answer("9", reward=0.0), at=1)
    return store(tmp_path_factory.mktemp("runs") / "run", [made])


def exports() -> Iterator[Any]:
    for template in ("native", "react", "hermes"):
        for kind in ("sft", "dpo"):
            yield pytest.param(kind, template, "jsonl", "rows.parquet", id=f"{kind}-{template}")
            yield pytest.param(
                kind, template, "sharegpt", "rows.json", id=f"{kind}-{template}-sharegpt"
            )
    yield pytest.param("sft", "toolllama", "toolbench", "rows.json", id="toolbench")


@pytest.mark.parametrize(("kind", "template", "form", "name"), list(exports()))
def test_every_export_is_the_same_rows_as_json_lines(
    run: Path, tmp_path: Path, kind: Any, template: str, form: Any, name: str
) -> None:
    export([run], tmp_path / "lines.jsonl", ExportSettings(kind, templates=(template,)))
    export([run], tmp_path / name, ExportSettings(kind, templates=(template,), format=form))
    (lines,), (other,) = (
        list(read_conversations(tmp_path / file)) for file in ("lines.jsonl", name)
    )
    parts = [[(one.messages, one.tools, one.first) for one in row] for row in (lines, other)]
    assert parts[0] == parts[1]
    assert not any(one.defect for one in lines)


def test_our_parquet_has_the_tokens_of_our_json_lines(
    run: Path, tmp_path: Path, renderer: ChatTemplate
) -> None:
    made = []
    for name in ("rows.jsonl", "rows.parquet"):
        export([run], tmp_path / name, ExportSettings(templates=("react",)))
        ((one,),) = read_conversations(tmp_path / name)
        made.append(label_or_reason(renderer, one))
    assert made[0] == made[1]


def test_the_agents_rows_of_the_tests_have_no_defect() -> None:
    assert not any(row.defect for row in source_rows([{"messages": row} for row in AGENT]))


# Any value in any place

VALUES = [None, 3, 0.5, True, "x", "", "[", [], [None], ["x"], {}, {"x": 1}]
PAIRS = [
    {"prompt": Q, "chosen": A, "rejected": B, "tools": [OURS]},
    {"chosen": Q + A, "rejected": Q + B},
    {"conversations": [ASKED], "chosen": SAID, "rejected": SAID | {"value": "b"}},
    {"prompt": "q", "completion": "a", "label": True},
]


def changed(value: Any, other: Any) -> Iterator[Any]:
    """`value` with each of its parts, and itself, replaced by `other`."""
    yield other
    if isinstance(value, dict):
        for key, inner in value.items():
            yield {k: v for k, v in value.items() if k != key}
            yield from (value | {key: each} for each in changed(inner, other))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield value[:place] + value[place + 1 :]
            yield from (
                [*value[:place], each, *value[place + 1 :]] for each in changed(inner, other)
            )


@pytest.mark.parametrize("other", VALUES, ids=repr)
def test_any_value_makes_a_row_a_defect_or_one_line(other: Any) -> None:
    for record in [*(record for _, record, _ in KNOWN), *PAIRS]:
        for odd in changed(record, other):
            try:
                rows = list(source_rows([odd]))
            except TrainerError as error:
                assert "\n" not in str(error)
                continue
            for row in rows:
                if not row.defect:
                    check_sound(row.value)


def check_sound(row: Record) -> None:
    """Nothing is made up: texts are texts, the assistant answers somebody, and says something."""
    assert all("name" in tool["function"] for tool in row["tools"])
    whole = [[*row["prompt"], *row[side]] for side in ("chosen", "rejected") if side in row]
    for messages in whole or [row["messages"]]:
        assert [m["role"] for m in messages if m["role"] != "system"][0] == "user"
        assert messages[-1]["role"] == "assistant"
        for message in messages:
            assert isinstance(message["content"], str)
            assert "None" not in message["content"]
            assert (message.get("weight") or 0) >= 0
            calls = message.get("tool_calls", [])
            assert all(isinstance(json.loads(c["function"]["arguments"]), dict) for c in calls)
            spoken = message["content"].strip() or calls or message.get("reasoning_content")
            assert message["role"] != "assistant" or spoken or message.get("weight") == 0
