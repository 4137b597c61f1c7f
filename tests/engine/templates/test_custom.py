"""A user's template file: read, tried out, refused with one line."""

import json
from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.export.export import ExportSettings, export
from engine.runs.run import Selection
from engine.templates import TemplateError, get
from engine.templates.base import World
from environments import GIVE_UP, Action, Step, Task, Tool
from tests.support.configs import make_config, run

LOOK = Tool("look", "Look.", {"type": "object", "properties": {"at": {"type": "string"}}})
WORLD = World("Be brief.", (LOOK, GIVE_UP))
TASK = Task("t", "What is it?", {"sql": "SELECT 1"})

BY_PATTERN = """
dialect = "typescript"
stop = ["\\nResult:"]
system = "{{ instructions }}\\n\\n{{ tools }}"
user = "Task: {{ prompt }}"
call = "{{ thought }}\\n@{{ tool }} {{ arguments | json }}"
observation = "Result: {{ observation }}"
[parse]
regex = '(?s)\\A(?P<thought>.*)\\n@(?P<tool>\\S+) (?P<arguments>\\{.*\\})\\Z'
"""
BY_JSON = """
system = "{{ tools }}"
call = '{"do": {"name": {{ tool | json }}, "with": {{ arguments | json }}}}'
observation = "{{ observation }}"
[parse]
json = { tool = "do.name", arguments = "do.with" }
"""


@pytest.fixture
def template(tmp_path):
    def write(text, name="mine.toml"):
        (tmp_path / name).write_text(text, "utf-8")
        return get(str(tmp_path / name))

    return write


def test_a_file_with_a_pattern(template):
    mine = template(BY_PATTERN)
    step = Step(Action("look", {"at": "{{ 1 }}"}, "Hm."), "seen {{ 2 }}")
    assert (mine.name, mine.stop) == ("mine", ("\nResult:",))
    told = mine.render(WORLD, TASK, [step])
    assert "type look = (_: {" in told[0]["content"] and told[0]["content"].startswith("Be brief.")
    assert [message["content"] for message in told[1:]] == [
        "Task: What is it?",
        'Hm.\n@look {"at": "{{ 1 }}"}',
        "Result: seen {{ 2 }}",
    ]
    assert mine.parse(told[2]) == step.action
    assert "no call was found" in mine.parse({"content": "look at x"}).error
    assert "not valid JSON" in mine.parse({"content": "\n@look {x}"}).error


def test_a_file_with_ways_into_json_and_no_thought(template):
    mine = template(BY_JSON)
    told = mine.render(WORLD, TASK, [Step(Action("look", {"at": "x"}, "Hm."), "seen")])
    assert json.loads(told[2]["content"]) == {"do": {"name": "look", "with": {"at": "x"}}}
    assert mine.parse(told[2]) == Action("look", {"at": "x"})
    assert mine.parse({"content": 'So: {"do": {"name": "give_up"}} ok'}) == Action("give_up", {})
    assert mine.parse({"content": '{"do": {"name": "look", "with": [1]}}'}).error == (
        "the arguments must be a JSON object"
    )


def test_a_dialect_replaces_the_files_own(tmp_path):
    (tmp_path / "mine.toml").write_text(BY_PATTERN, "utf-8")
    told = get(str(tmp_path / "mine.toml"), "lines").render(WORLD, TASK, [])[0]["content"]
    assert "- look: Look." in told


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("@{{ tool }}", "#{{ tool }}", "does not return the call"),
        ("{{ instructions }}", "{{ instruction }}", "'instruction' is undefined"),
        ("{{ thought }}", "{{ thought", "unexpected char"),
        ("user =", "usr =", "unknown key 'usr'"),
        ("(?P<tool>", "(?P<name>", "needs the groups"),
        ("(?s)", "(?s", "missing"),
        ('dialect = "typescript"', 'dialect = "java"', "unknown dialect 'java'"),
        ('dialect = "typescript"', "dialect", "line 2"),
        ("regex =", "regexp =", "[parse] must hold regex"),
    ],
)
def test_a_file_that_is_not_a_template_is_refused(template, old, new, says):
    assert old in BY_PATTERN
    with pytest.raises(TemplateError) as refused:
        template(BY_PATTERN.replace(old, new))
    assert says in str(refused.value) and "mine.toml: " in str(refused.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(TemplateError, match="No such file"):
        get(str(tmp_path / "none.toml"))


def test_a_file_reaches_nothing_of_python(template):
    with pytest.raises(TemplateError, match="mine.toml"):
        template(BY_PATTERN.replace("{{ instructions }}", "{{ instructions.__class__.mro() }}"))


def test_the_examples_file_is_a_template():
    mine = get(str(Path(__file__).parents[3] / "examples" / "at_sign.toml"))
    action = Action("look", {"at": "x"}, "Hm.\n@no {}")
    told = mine.render(WORLD, TASK, [Step(action, "seen")])
    assert mine.name == "at-sign" and mine.parse(told[2]) == action


def test_a_run_keeps_its_template(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(BY_PATTERN, "utf-8")
    config = make_config("bird", split="train", template=str(file), sandbox="process")
    assert run(config, tmp_path / "run", selection=Selection(limit=2)).solved == 2
    file.unlink()
    assert export([tmp_path / "run"], tmp_path / "rows.jsonl", ExportSettings("sft")).rows == 2
    assert "type answer = (_: {" in (tmp_path / "rows.jsonl").read_text("utf-8")
    file.write_text(BY_PATTERN.replace("Result", "Seen"), "utf-8")
    with pytest.raises(UsageError, match="has changed since the run began"):
        run(config, tmp_path / "run", selection=Selection(limit=3))
