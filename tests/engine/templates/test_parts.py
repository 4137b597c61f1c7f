"""Six parts, two ways of remembering, two phases: what is asked, written and read."""

import json
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.templates import NAMES, Template, TemplateError, editions, get
from engine.templates.base import World
from engine.templates.context import Context
from engine.templates.model_calls import actions_in, model_calls
from engine.templates.parts import NAMES as PARTS
from engine.templates.parts import VALUES
from environments import GIVE_UP, Action, Step, Task
from tests.engine.templates.test_templates import json_values, nasty
from tests.support.answer_worlds import LOOK, WORLDS

EXAMPLES = Path(__file__).parents[3] / "examples"
FORMS = (
    *NAMES,
    *editions.TEMPLATES,
    *(f"{name}:prompt" for name in NAMES if name not in ("native", "kwai")),
    "kwai:chat",
    str(EXAMPLES / "six_parts.toml"),
    f"{EXAMPLES / 'six_parts.toml'}:chat",
)
TASK = Task("t", "How many?", {"gold": "GOLD"}, tags={"now": "2024-05-01"})
SEEN = Step(Action("look", {"at": "x"}, "I look."), "a book")


def replies(messages: list[dict]) -> list[dict]:
    return [message for message in messages if message["role"] == "assistant"]


answers = st.sampled_from(
    [
        *("42", "SELECT 1", "none", "```sql\nSELECT 1\n```", '"x"', "{}", "a\nb", " x", "x\n"),
        *("Final Answer: 3", "x\nThought: y", "x\nObservation: y", "<think>x", "a=1", "", "`x`"),
        *(
            '{"command": {"name": "look", "args": {}}}',
            "x\nAction: look\nAction Input: {}",
            "a\r\nb",
        ),
    ]
)


@cache
def load(form: str) -> Template:
    return get(form)


@pytest.mark.parametrize("form", FORMS)
@settings(deadline=None, max_examples=40)
@given(kind=st.sampled_from([*WORLDS]), data=st.data())
def test_the_replies_to_all_requests_are_the_actions(form, kind, data):
    """For every template, phase and way of remembering, with every kind of answer tool."""
    world, template = WORLDS[kind], load(form)
    tool = data.draw(st.sampled_from(world.tools))
    known = [*(tool.parameters.get("properties") or {})]
    values = answers | st.text(max_size=9) | nasty | json_values
    if known:
        given = data.draw(st.dictionaries(st.sampled_from(known), values, max_size=2))
    else:
        given = data.draw(st.dictionaries(st.text(max_size=3), values, max_size=1))
    action = Action(tool.name, given, data.draw(nasty | answers))
    calls = model_calls(template, world, TASK, [SEEN, Step(action, "seen")])
    again = actions_in(template, world, [json.loads(json.dumps(call[-1])) for call in calls])
    assert again == [action] and json.dumps(again[0].arguments) == json.dumps(given)
    assert not any(each.reply for each in again)
    path = template.render(world, TASK, [SEEN, Step(action, "seen")])
    assert actions_in(template, world, replies(path)) == [SEEN.action, action]
    for *asked, _ in calls:
        assert asked[-1]["role"] in ("user", "tool") and all(m["content"].strip() for m in asked)


@pytest.mark.parametrize("form", FORMS)
def test_no_request_holds_the_secret(form):
    answered = Step(Action("answer", {"sql": "SELECT 2"}), "right", 1.0, terminated=True)
    for calls in (model_calls(get(form), WORLDS["text"], TASK, [SEEN, answered]),):
        assert "GOLD" not in json.dumps(calls)


def test_one_prompt_per_call_holds_all_that_was_done():
    template, done = get("react:prompt"), [SEEN, Step(Action.malformed("Hm.", "?"), "error: ?")]
    (asked,) = template.request(WORLDS["text"], TASK, done)
    assert asked["role"] == "user" and asked["content"].endswith(
        "Question: How many?\n\nCurrent time: 2024-05-01\n\nThought: I look.\nAction: look\n"
        'Action Input: {"at": "x"}\nObservation: a book\nHm.\nObservation: error: ?'
    )
    assert template.stop and template.name == "react:prompt"
    chat = get("react").request(WORLDS["text"], TASK, done)
    assert chat == template.render(WORLDS["text"], TASK, done)
    assert [message["role"] for message in chat] == ["system", *["user", "assistant"] * 2, "user"]


def test_kwai_plans_and_then_concludes():
    world, template = WORLDS["text"], get("kwai")
    answer = Action("answer", {"sql": "SELECT 1"}, "That is all.")
    plan, words = model_calls(template, world, TASK, [SEEN, Step(answer, "right")])
    assert [len(plan), len(words)] == [2, 2]
    assert (
        '"task_name": "I look."' in plan[0]["content"]
        and '"result": "a book"' in plan[0]["content"]
    )
    assert json.loads(plan[1]["content"]) == {
        "task_name": "That is all.",
        "command": {"name": "task_complete", "args": {}},
    }
    assert "concluding stage" in words[0]["content"] and '"result": "a book"' in words[0]["content"]
    assert words[1]["content"] == "SELECT 1"
    completed = template.parse(plan[1], world.tools)
    said = {"content": "<think>hm</think>\n```sql\nSELECT 1\n```\n"}
    assert template.concluded(completed, said, world.tools) == answer
    assert template.concluded(completed, {"content": " "}, world.tools).tool == ""
    assert template.conclusion(world, TASK, [SEEN], Action("look", {})) == []
    for kind in ("none", "nothing", "two"):  # no tool takes the words
        (only,) = template.request(WORLDS[kind], TASK, [])
        assert "task_complete" not in only["content"]


@pytest.mark.parametrize(
    ("name", "elements"),
    {
        "react": "Question: / Thought: / one of [look, answer, give_up] / Action Input: / "
        "Observation: / can repeat N times / I now know the final answer / Final Answer: / Begin!",
        "toolllama": "1.the state change is irreversible / 2.All the thought is short / 3.You can "
        'do / ALWAYS call "Finish" / Finish->give_up_and_restart / Action: Finish / give_answer / '
        "Let's Begin! / Task description: Be brief. / Specifically, you have access to the",
        "autogpt": "Constraints: / Commands: / Resources: / Best Practices / Performance Evaluation"
        ' / "reasoning" / "plan" / "criticism" / "speak" / parsed by Python json.loads / GOALS:',
        "modelscope": "command_name / args / <|startofthink|> / <|endofthink|> / <|startofexec|>"
        " / <tool_list>",
        "kwai": "task planning phase / Commands: / GOAL: / task_name / task_complete / A new Task:",
    }.items(),
)
def test_a_prompt_has_the_elements_that_its_project_publishes(name, elements):
    told = "\n".join(m["content"] for m in get(name).render(WORLDS["text"], TASK, []))
    assert [element for element in elements.split(" / ") if element not in told] == []


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("react", "Thought: so\nFinal Answer: SELECT 1"),
        (
            "toolllama",
            'Thought: so\nAction: Finish\nAction Input: {"return_type": "give_answer", '
            '"final_answer": "SELECT 1"}',
        ),
    ],
)
def test_an_answer_is_written_as_its_project_ends(name, written):
    action, world = Action("answer", {"sql": "SELECT 1"}, "so"), WORLDS["text"]
    (reply,) = replies(get(name).render(world, TASK, [Step(action, "right")]))
    assert reply["content"] == written
    # Where no one tool takes the answer, it is the plain call.
    (plain,) = replies(get(name).render(WORLDS["two"], TASK, [Step(action, "right")]))
    assert 'Action: answer\nAction Input: {"sql": "SELECT 1"}' in plain["content"]


def test_finish_gives_up_both_ways():
    world, template = WORLDS["text"], get("toolllama")
    (reply,) = replies(template.render(world, TASK, [Step(Action(GIVE_UP.name, {}), "")]))
    assert reply["content"].endswith('Finish\nAction Input: {"return_type": "give_up_and_restart"}')
    loose = "**Action:** finish\n**Action Input:** {'return_type': 'give_up_and_restart'}"
    for name in ("react", "toolllama", "hermes"):
        action = get(name).parse({"content": loose}, world.tools)
        assert (action.tool, dict(action.arguments)) == (GIVE_UP.name, {})


def test_autogpts_thoughts_are_lines_and_thoughts_again():
    said = {"text": "a", "reasoning": "b", "plan": ["- c", "- d"], "criticism": "", "speak": "e"}
    reply = json.dumps({"thoughts": said, "command": {"name": "look", "args": {}}})
    action = get("autogpt").parse({"content": reply}, (LOOK,))
    assert action.thought == "a\nReasoning: b\nPlan: - c\n- d\nSpeak: e"
    (written,) = replies(get("autogpt").render(WORLDS["none"], TASK, [Step(action, "")]))
    assert json.loads(written["content"])["thoughts"] == said | {"plan": "- c\n- d"}


SIX = '''
memory = "prompt"
order = ["profile", "tools", "goal", "memory", "instruction", "format"]
call = "{{ thought }}\\n@{{ tool }} {{ arguments | json }}"
observation = "Result: {{ observation }}"
[parts]
profile = "PROFILE"
instruction = "INSTRUCTION {{ instructions }}"
tools = "TOOLS {{ tool_names }}"
goal = "GOAL {{ prompt }}"
memory = """MEMORY{% for task in tasks %} {{ task.task_id }}:{{ task.tool }}={{ task.result }}
{%- endfor %} at {{ now }}"""
format = "FORMAT{% if answer %} and task_complete{% endif %}"
[conclude]
instruction = "SAY IT"
format = "NOW"
[parse]
regex = '(?s)\\A(?P<thought>.*)\\n@(?P<tool>\\S+) (?P<arguments>\\{.*\\})\\Z'
'''


@pytest.fixture
def template(tmp_path):
    def write(text):
        (tmp_path / "mine.toml").write_text(text, "utf-8")
        return get(str(tmp_path / "mine.toml"))

    return write


def test_a_file_defines_each_part_in_its_order(template):
    mine = template(SIX)
    (asked,) = mine.request(WORLDS["text"], TASK, [SEEN])
    assert asked["content"].split("\n\n") == [
        "PROFILE",
        "TOOLS look, give_up, task_complete",
        "GOAL How many?",
        "MEMORY 1:look=a book at 2024-05-01",
        "INSTRUCTION Be brief.",
        "FORMAT and task_complete",
    ]
    (ask,) = mine.conclusion(WORLDS["text"], TASK, [SEEN], Action("task_complete", {}))
    assert "SAY IT" in ask["content"] and ask["content"].endswith("NOW")
    system, user = mine.render(WORLDS["text"], TASK, [])
    assert system["content"].startswith("PROFILE\n\nTOOLS") and "GOAL" in user["content"]


def test_a_file_may_change_one_part_of_a_built_in_template(template):
    mine = template('base = "react"\nmemory = "prompt"\n[parts]\nprofile = "You are a clerk."')
    (asked,) = mine.request(WORLDS["text"], TASK, [SEEN])
    (theirs,) = get("react:prompt").request(WORLDS["text"], TASK, [SEEN])
    _, _, rest = theirs["content"].partition("\n\n")
    assert asked["content"] == f"You are a clerk.\n\n{rest}"
    assert mine.stop == get("react").stop and mine.name == "mine"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('memory = "prompt"', 'memory = "disk"', "memory is 'disk'; use one of chat, prompt"),
        ('profile = "PROFILE"', 'profil = "x"', "[parts] has the unknown key 'profil'"),
        ('"goal", "memory"', '"goal", "goal"', "order must hold each of profile, instruction"),
        ("{{ tool_names }}", "{{ tool_name }}", "'tool_name' is undefined"),
        ("SAY IT", "{{ it }}", "'it' is undefined"),
        ("[parts]", 'system = "x"\n[parts]', "define [parts], or system and user, not both"),
        ("[parts]", 'user = "x"\n[parts]', "user goes with system"),
        ('memory = "prompt"', 'base = "native"', "base 'native' is no built-in template of text"),
    ],
)
def test_a_file_with_a_wrong_part_is_refused(template, old, new, says):
    assert old in SIX
    with pytest.raises(TemplateError) as refused:
        template(SIX.replace(old, new, 1))
    assert says in str(refused.value) and "mine.toml: " in str(refused.value)


def test_the_values_of_parts_are_documented():
    told = (EXAMPLES.parent / "docs" / "templates.md").read_text("utf-8")
    assert all(f"`{name}`" in told for name in (*PARTS, *VALUES))


def test_native_has_no_other_memory():
    with pytest.raises(TemplateError, match="native takes no memory"):
        get("native:prompt")


def test_a_context_is_knowledge_in_one_prompt():
    context = Context(reflections=("Look higher.",))
    (asked,) = get("kwai").request(World("", (LOOK,)), TASK, [], context)
    assert "Look higher." in asked["content"].split("Knowledge info: ")[1]
