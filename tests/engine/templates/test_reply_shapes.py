"""Replies as model families write them, after their public formats, are read as what they mean.

`reply_shapes.jsonl` holds one reply a line: the family, the template, the reply (text, or the
fields of a message) and the call in it; or why it is none, and words of the error.
"""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.templates import NAMES, get
from engine.templates.base import World
from engine.templates.model_calls import actions_in
from engine.templates.reading.reader import WORDS
from environments import GIVE_UP, SAY, Action, Step, Task, Tool
from environments.python.env import ANSWER
from environments.tools import NO_ARGUMENTS, text_arguments

FILE = Path(__file__).with_name("reply_shapes.jsonl")
SHAPES = [json.loads(line) for line in FILE.read_text("utf-8").splitlines()]
TEXT, WHOLE, FLAG = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}


def takes(required: list[str], **properties: dict) -> dict:
    return {"type": "object", "properties": properties, "required": required}


TOOLS = (
    Tool("list_tables", "List the tables.", NO_ARGUMENTS),
    Tool("look", "Show a table.", text_arguments(at="name of the table")),
    Tool("run_sql", "Run a query.", text_arguments(sql="the query")),
    Tool("search", "Search.", takes(["query"], query=TEXT, limit=WHOLE)),
    Tool(
        "page", "Turn.", takes(["by", "back"], by=WHOLE, back=FLAG, at={"type": ["string", "null"]})
    ),
    Tool("answer", "Submit the query.", text_arguments(sql="the query")),
    GIVE_UP,
)
WORLD, TASK = World("Be brief.", TOOLS), Task("t", "What is it?")


def read(template: str, reply, tools=TOOLS) -> Action:
    return get(template).parse({"content": reply} if isinstance(reply, str) else reply, tools)


def test_the_corpus_holds_every_family():
    families = " ".join(shape.get("family", "") for shape in SHAPES)
    assert sum("tool" in shape for shape in SHAPES) >= 120
    known = (
        "Qwen2.5",
        "Qwen3",
        "Llama3",
        "Mistral",
        "DeepSeek",
        "gpt-oss",
        "Gemma",
        "Phi",
        "Hermes",
    )
    assert all(family in families for family in known)


BROKEN = [shape for shape in SHAPES if "error" in shape and not shape["error"].startswith("no ")]


@pytest.mark.parametrize("shape", BROKEN, ids=lambda shape: shape["why"])
def test_a_broken_call_is_not_said(shape):
    assert not read(shape["template"], shape["reply"], (*TOOLS, SAY)).tool


@pytest.mark.parametrize("number", range(len(SHAPES)))
def test_a_shape_is_read(number):
    shape = SHAPES[number]
    action = read(shape["template"], shape["reply"])
    if "tool" not in shape:
        assert action.tool == "" and shape["error"] in action.error
        return
    assert (action.tool, action.arguments) == (shape["tool"], shape["arguments"])
    assert action.thought == shape.get("thought", action.thought)
    assert set(action.reply.get("repaired", ())) <= set(WORDS)
    # Rows hold the canonical form, which needs no mending.
    for name in NAMES:
        written = get(name).render(WORLD, TASK, [Step(action, "seen")])
        (again,) = actions_in(get(name), WORLD, [m for m in written if m["role"] == "assistant"])
        assert again == action and not again.reply


@pytest.mark.parametrize(
    ("template", "reply", "repaired"),
    [
        ("react", "<think>hm</think>\nAction: look\nAction Input: {'at': 'x'}", "reasoning json"),
        (
            "react",
            "Sure.\nThought: hm\nAction: Look\nAction Input: ```\nx\n```",
            "preamble name fence text",
        ),
        ("react", 'Thought: hm\n\nAction: look\n\nAction Input: {"at": "x"}', "blanks"),
        ("react", 'Thought: hm\r\nAction: look\r\nAction Input: {"at": "x"}', "crlf"),
        ("hermes", "Final Answer: SELECT 1", "form final-answer text"),
        (
            "native",
            {"tool_calls": [{"function": {"name": "look", "arguments": '"{\\"at\\": \\"x\\"}"'}}]},
            "double-encoded",
        ),
        (
            "native",
            {"tool_calls": [{"function": {"name": "look", "arguments": '{"at": "x"}'}}] * 2},
            "calls",
        ),
        ("native", '```tool_code\nlook("x")\n```', "form fence call-syntax"),
        (
            "hermes",
            '<tool_call>\n{"name": "list_tables", "arguments": null}\n</tool_call>',
            "empty",
        ),
    ],
)
def test_what_was_mended_is_named(template, reply, repaired):
    action = read(template, reply)
    assert action.tool and action.reply == {"repaired": repaired.split()}


@pytest.mark.parametrize(
    ("name", "tools", "read_as"),
    [
        ("LOOK", ("look", "Look"), "LOOK"),  # two would fit
        ("lok", ("look",), "lok"),
        ("functions.look", ("look", "functions.look"), "functions.look"),
        ("list-tables", ("list_tables",), "list_tables"),
        ("no<|channel|>json", ("look",), "no"),  # a control token is never part of a name
    ],
)
def test_a_name_is_mended_only_if_one_tool_results(name, tools, read_as):
    call = {"tool_calls": [{"function": {"name": name, "arguments": "{}"}}]}
    assert read("native", call, [Tool(tool, "", NO_ARGUMENTS) for tool in tools]).tool == read_as
    assert read("native", call, ()).tool == name


@pytest.mark.parametrize(
    ("answer", "arguments"),
    [("42", {"value": "42"}), ("```python\ndef f():\n    return 1\n```", None)],
)
def test_a_final_answer_goes_to_the_argument_that_suits_it(answer, arguments):
    action = read("react", f"Thought: so\nFinal Answer: {answer}", (ANSWER, GIVE_UP))
    assert action == Action("answer", arguments or {"code": answer}, "so")


FRAGMENTS = st.sampled_from(
    [
        *(
            '{"name": "look", ',
            '"arguments": {"at": ',
            "NaN",
            "1e999",
            '"x\\ud83d"',
            "}",
            "}}",
            "'",
        ),
        *("<think>", "</think>", "<tool_call>", "Action: ", "Action Input: ", "\n", "```json\n"),
        *(
            "look",
            "(",
            "at=",
            ")",
            "[TOOL_CALLS]",
            "<|channel|>final<|message|>",
            "\ud83d",
            "-Infinity",
        ),
        *("<function=look>", "<parameter=at>", "None", "[", "]", ",", '"', "\\", "Final Answer: "),
    ]
)


@pytest.mark.parametrize("name", NAMES)
@given(parts=st.lists(FRAGMENTS | st.text(max_size=3), max_size=12), native=st.booleans())
def test_arguments_are_plain_json_whatever_was_said(name, parts, native):
    text = "".join(parts)
    call = {"tool_calls": [{"function": {"name": "look", "arguments": text}}]}
    action = read(name, call if native else text)
    json.dumps(dict(action.arguments), allow_nan=False, ensure_ascii=False).encode()
    (action.tool + action.thought).encode()


def test_deep_nesting_is_malformed():
    assert (
        "nested"
        in read(
            "native",
            {
                "tool_calls": [
                    {"function": {"name": "look", "arguments": '{"at":' * 500 + "1" + "}" * 500}}
                ]
            },
        ).error
    )
