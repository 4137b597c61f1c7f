"""Templates: what is rendered is what the student must write; parsing it gives the action again."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.templates import NAMES, TemplateError, get
from engine.templates.base import World
from engine.templates.dialects import DIALECTS
from environments import GIVE_UP, SAY, Action, Step, Task, Tool

LOOK = Tool("look", "Look at it.", {"type": "object", "properties": {"at": {"type": "string"}}})
WORLD = World("Be brief.", (LOOK, GIVE_UP))
TASK = Task("t", "What is it?", {"sql": "SELECT 1"})

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
nasty = st.text() | st.sampled_from(
    [
        '<tool_call>\n{"name": "look", "arguments": {}}\n</tool_call>',
        "<|startofthink|>{}",
        "</tool_call>",
        '{"command": {"name": "look", "args": {}}}',
        '"',
        "\n",
        "```",
        "Action: look\nAction Input: {}",
        "Thought: x\nAction: y",
        "\nObservation: no",
        "a\r\nb",
        " x ",
        "<think>",
        "</think>\nso",
        "<think>\nhm\n</think>\n\nI look.",
        "[THINK]hm[/THINK]",
        "a <think> b",
        "**Action:** look\n**Action Input:** {}",
        "I could\nAction: look\nAction Input: {}\nObservation: no\nThought: then",
        "x\nFinal Answer: 3",
        '"quoted"',
        '"',
        "<|channel|>analysis<|message|>hm<|end|>",
        "analysis: x",
        "[TOOL_CALLS]look[ARGS]{}",
        "(empty reply)",
        "functions.look",
        "look<|channel|>commentary",
    ]
)


@pytest.mark.parametrize("name", NAMES)
@given(
    tool=st.just("look") | st.text(min_size=1) | nasty.filter(bool),
    arguments=st.dictionaries(st.text() | nasty, json_values | nasty, max_size=3),
    thought=nasty,
)
def test_parse_inverts_render(name, tool, arguments, thought):
    template, action = get(name), Action(tool, arguments, thought)
    messages = template.render(WORLD, TASK, [Step(action, "seen")])
    assert template.parse(json.loads(json.dumps(messages[2]))) == action


@pytest.mark.parametrize("name", NAMES)
@given(text=nasty, thought=nasty)
def test_what_is_said_is_read_as_it_was_written(name, text, thought):
    template, action = get(name), Action("say", {"text": text}, thought)
    world = World("Be brief.", (LOOK, SAY, GIVE_UP))
    messages = template.render(world, TASK, [Step(action, "seen")])
    assert template.parse(json.loads(json.dumps(messages[2])), world.tools) == action


PLAIN = {
    "I found it: 3.": ("", "I found it: 3."),
    "<think>\nhm\n</think>\n\nWhich one?": ("hm", "Which one?"),
    "Thought: done\nFinal Answer: 3": ("done", "3"),
    "## Result\n- three": ("", "## Result\n- three"),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("reply", PLAIN)
def test_a_reply_without_a_call_is_said_where_the_task_allows_it(name, reply):
    template, (thought, text) = get(name), PLAIN[reply]
    allowed = template.parse({"content": reply}, (LOOK, SAY))
    assert allowed == Action("say", {"text": text}, thought)
    assert not template.parse({"content": reply}, (LOOK,)).tool
    if name != "native":
        assert "say" in allowed.reply["repaired"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "reply", ["", " \n", "<think>\nhm", "Thought: I should say it", "Thought: x\nAction:", "{"]
)
def test_a_reply_that_says_nothing_is_malformed(name, reply):
    assert not get(name).parse({"content": reply}, (LOOK, SAY)).tool


def test_native_says_in_plain_words_and_lists_no_tool_for_it():
    world = World("Be brief.", (LOOK, SAY))
    step = Step(Action("say", {"text": "Which one?"}), "The red one.")
    assert get("native").render(world, TASK, [step])[2:] == [
        {"role": "assistant", "content": "Which one?"},
        {"role": "user", "content": "The red one."},
    ]
    assert [each["function"]["name"] for each in get("native").tools(world)] == ["look"]


@pytest.mark.parametrize("name", NAMES)
def test_a_task_shows_its_own_tools(name):
    own = Task("t", "What is it?", tools=(Tool("taste", "Taste it.", LOOK.parameters),))
    world, template = World("Be brief.", (LOOK, GIVE_UP)).of(own), get(name)
    shown = json.dumps([template.render(WORLD, own, []), template.tools(world)])
    assert "taste" in shown and "look" not in shown.replace("look at", "")


@pytest.mark.parametrize("name", NAMES)
@given(reply=nasty)
def test_a_malformed_reply_is_rendered_as_it_was_written(name, reply):
    template = get(name)
    action = Action.malformed(reply, "why")
    messages = template.render(WORLD, TASK, [Step(action, "error: why")])
    written = reply if reply.strip() else "(empty reply)"  # servers refuse a blank message
    assert messages[2] == {"role": "assistant", "content": written}
    assert "error: why" in messages[3]["content"] and messages[3]["role"] == "user"


@pytest.mark.parametrize("name", NAMES)
@given(content=st.none() | st.text(), arguments=st.text() | st.none() | json_values)
def test_parsing_never_raises(name, content, arguments):
    calls = [{"id": "1", "type": "function", "function": {"name": "look", "arguments": arguments}}]
    for message in ({"content": content}, {"content": content, "tool_calls": calls}, {}):
        assert isinstance(get(name).parse(message), Action)


@pytest.mark.parametrize("name", NAMES)
def test_roles_alternate_after_the_system_message(name):
    path = [Step(Action("look", {"at": "x"}), "seen"), Step(Action.malformed("?", "e"), "error: e")]
    roles = [m["role"] for m in get(name).render(WORLD, TASK, path)]
    assert roles[0] == "system"
    assert all((role == "assistant") == bool(n % 2) for n, role in enumerate(roles[1:]))


@pytest.mark.parametrize(
    ("reply", "tool", "arguments"),
    [
        ('Thought: hm\nAction: look\nAction Input: {"at": "a: b"}', "look", {"at": "a: b"}),
        ('\nAction: look\nAction Input: {"at": "x"}\n\nThought: then', "look", {"at": "x"}),
        ('Thought: a\n\nb\nAction:look\nAction Input:\n{"at":\n"x"}', "look", {"at": "x"}),
        ("Action: give_up\nAction Input: {}", "give_up", {}),
    ],
)
def test_react_reads_what_models_write(reply, tool, arguments):
    action = get("react").parse({"role": "assistant", "content": reply})
    assert (action.tool, action.arguments) == (tool, arguments)


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        ("I think it is 3.", "no call was found"),
        ("Action: look\nAction Input: {at: x}", "not valid JSON"),
        ("Action: look\nAction Input: [1]", "must be a JSON object"),
        ("Action:\nAction Input: {}", "names no tool"),
    ],
)
def test_react_says_what_is_wrong(reply, says):
    action = get("react").parse({"role": "assistant", "content": reply})
    assert action.tool == "" and says in action.error and action.thought == reply


def test_native_says_what_is_wrong():
    native = get("native")
    assert "no tool was called" in native.parse({"content": "Hello"}).error
    broken = {"function": {"name": "look", "arguments": '{"at": '}}
    action = native.parse({"content": "hm", "tool_calls": [broken]})
    assert "not valid JSON" in action.error and action.thought == 'hm\nlook({"at": )'


def test_native_messages_are_openais():
    messages = get("native").render(WORLD, TASK, [Step(Action("look", {"at": "x"}, "hm"), "seen")])
    call = {"name": "look", "arguments": '{"at": "x"}'}
    assert messages[2:] == [
        {
            "role": "assistant",
            "content": "hm",
            "tool_calls": [{"id": "call_1", "type": "function", "function": call}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "seen"},
    ]
    assert get("native").tools(WORLD)[0] == {
        "type": "function",
        "function": {
            "name": "look",
            "description": "Look at it.",
            "parameters": {"type": "object", "properties": {"at": {"type": "string"}}},
        },
    }


@pytest.mark.parametrize("name", NAMES)
def test_no_secret_is_rendered(name):
    path = [Step(Action("look", {}), "seen")]
    assert "SELECT 1" not in json.dumps(get(name).render(WORLD, TASK, path))


@pytest.mark.parametrize("name", NAMES)
def test_a_longer_path_only_adds_messages(name):
    """Prefix caches hit, and every prefix of a row is what the policy met."""
    path = [Step(Action("look", {"at": str(n)}), f"seen {n}") for n in range(4)]
    whole = get(name).render(WORLD, TASK, path)
    for length in range(4):
        part = get(name).render(WORLD, TASK, path[:length])
        assert whole[: len(part)] == part


def test_an_unknown_template_is_refused():
    with pytest.raises(TemplateError, match="native, react"):
        get("nope")


@pytest.mark.parametrize("name", NAMES)
def test_half_a_surrogate_pair_in_arguments_becomes_a_replacement_character(name):
    """JSON's escapes can hold it; UTF-8, and so the store and every file of rows, cannot."""
    arguments = r'{"at": "x\ud83d", "n\udc00": [1]}'
    called = {"function": {"name": "look", "arguments": arguments}}
    texts = {
        "native": "",
        "autogpt": f'{{"thoughts": {{}}, "command": {{"name": "look", "args": {arguments}}}}}',
        "modelscope": f'<|startofthink|>{{"api_name": "look", "parameters": {arguments}}}',
        "hermes": f'<tool_call>{{"name": "look", "arguments": {arguments}}}',
    }
    text = texts.get(name, f"Action: look\nAction Input: {arguments}")
    action = get(name).parse({"content": text, "tool_calls": [called]})
    assert action.arguments == {"at": "x\ufffd", "n\ufffd": [1]}


@pytest.mark.parametrize(
    ("name", "reply", "thought"),
    [
        ("hermes", 'Hm.\n<tool_call>\n{"arguments": {"at": "x"}, "name": "look"}', "Hm."),
        (
            "hermes",
            '<tool_call>{"name": "look", "arguments": {"at": "x"}}</tool_call>\n'
            '<tool_call>{"name": "look", "arguments": {"at": "y"}}</tool_call>',
            "",
        ),
        ("hermes", '```\n<tool_call>\n```json\n{"name": "look", "arguments": {"at": "x"}}', ""),
        ("modelscope", '<|startofthink|>{"api_name": "look", "parameters": {"at": "x"}}', ""),
        (
            "autogpt",
            '```json\n{"thoughts": {"text": "a", "plan": "- b"}, '
            '"command": {"name": "look", "args": {"at": "x"}}}\n```',
            "a\nPlan: - b",
        ),
        ("toolllama", 'Thought: \nAction: look\nAction Input: {\n  "at": "x"\n}', ""),
    ],
)
def test_templates_read_what_models_write(name, reply, thought):
    action = get(name).parse({"role": "assistant", "content": reply})
    assert action == Action("look", {"at": "x"}, thought)


@pytest.mark.parametrize(
    ("name", "reply", "says"),
    [
        ("hermes", "It is 3.", "no call was found"),
        ("hermes", "<tool_call>\n{name: look}", "not valid JSON"),
        ("hermes", '<tool_call>{"arguments": {}}', "names no tool"),
        ("modelscope", '<|startofthink|>{"api_name": "look", "parameters": 3}', "JSON object"),
        ("autogpt", "It is 3.", "no JSON"),
        ("autogpt", '{"thoughts": {"text": "x"}}', 'no "command"'),
    ],
)
def test_templates_say_what_is_wrong(name, reply, says):
    action = get(name).parse({"role": "assistant", "content": reply})
    assert action.tool == "" and says in action.error and action.thought == reply


SCHEMA = {
    "type": "object",
    "properties": {
        "at": {"type": "string", "description": "Where."},
        "how": {"enum": ["near", "far"]},
        "marks": {"type": "array", "items": {"type": ["integer", "null"]}},
    },
    "required": ["at"],
}
SEEING = World("Be brief.", (Tool("look", "Look at it.", SCHEMA), GIVE_UP))

SHOWN = {
    "openai": '{"type": "function", "function": {"name": "look", "description": "Look at it."',
    "lines": '- look: Look at it. Arguments: {"at": string, "how": any, "marks": array}',
    "autogpt": '1. look: "Look at it.", args: "at": "<string>"',
    "toolbench": "[{'name': 'look', 'description': 'Look at it.', 'parameters': {'type': 'object'",
    "typescript": "// Look at it.\ntype look = (_: {\n// Where.\nat: string,\n"
    'how?: "near" | "far",\nmarks?: (number | null)[],\n}) => any;\n\n'
    "// End the task without an answer.\ntype give_up = () => any;",
}


def test_every_dialect_has_its_form():
    assert set(SHOWN) == set(DIALECTS)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "native"])
@pytest.mark.parametrize("dialect", SHOWN)
def test_tools_are_told_in_any_dialect(name, dialect):
    template = get(name, dialect)
    told = template.render(SEEING, TASK, [])[0]["content"]
    assert SHOWN[dialect] in told and "give_up" in told and "Be brief." in told
    assert template.tools(SEEING) == []


def test_a_dialect_that_cannot_be_is_refused():
    with pytest.raises(TemplateError, match="native takes no dialect"):
        get("native", "lines")
    with pytest.raises(TemplateError, match="use one of openai, lines"):
        get("react", "nope")
