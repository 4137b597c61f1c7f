"""Every source of rows: which tokens are thought, and files that hold none."""

import json
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from engine.export.rows import RowBuilder
from engine.templates import NAMES, get
from engine.templates.base import Message, World
from environments import GIVE_UP, Task, Tool
from environments.types import Action, Step
from search.tree import Node, Tree
from tests.support.chat_templates import templates
from tests.support.rows import AGENT, GENERAL, call, dialogue, write
from trainer.data.rows import PreparedRows, PrepareOptions, Row, prepare
from trainer.errors import TrainerError
from trainer.tokens.chat_template import ChatTemplate
from trainer.training.options import SftOptions
from trainer.training.run import open_model
from trainer.training.sft import gather

WEIGHT = 0.25
CALL = {"function": {"name": "look", "arguments": '{"at": "I see."}'}}
LOOK = Tool("look", "Look.", {"type": "object", "properties": {"at": {"type": "string"}}})
WORLD = World("Be brief.", (LOOK, GIVE_UP))
AT_SIGN = Path(__file__).parents[3] / "examples" / "at_sign.toml"
JSON_TEMPLATE = """
system = "{{ tools }}"
call = '{{ {"why": thought, "do": tool, "with": arguments} | json }}'
observation = "{{ observation }}"
parse = { json = { tool = "do", arguments = "with", thought = "why" } }
"""


def prepared(renderer: ChatTemplate, *messages: Message) -> PreparedRows:
    asked: Message = {"role": "user", "content": "How many? I see."}
    row = Row(1, [asked, *messages], [])
    return prepare(renderer, [row], 2048, PrepareOptions(thought_weight=WEIGHT))


def weighted(renderer: ChatTemplate, *messages: Message) -> list[str]:
    """The runs of tokens that have the weight of thoughts; all others have 1 or are not trained."""
    found = []
    made = prepared(renderer, *messages)
    for one in made.sequences:
        assert {*one.weights} <= {0.0, 1.0, WEIGHT}
        for weight, run in groupby(
            zip(one.weights, one.ids, strict=True), key=lambda token: token[0]
        ):
            if weight == WEIGHT:
                found.append(str(renderer.tokenizer.decode([id for _, id in run])).strip())
    assert made.thoughts == sum(one.weights.count(WEIGHT) for one in made.sequences)
    return found


def says(content: str, **fields: Any) -> Message:
    return {"role": "assistant", "content": content, **fields}


@pytest.mark.parametrize(
    ("content", "thoughts"),
    [
        (call("I see.\nSo?"), ["I see.\nSo?"]),
        (call("T"), ["T"]),  # which stands in "Thought" as well
        (call("So \u6f22 \U0001f600\nI see."), ["So \u6f22 \U0001f600\nI see."]),
        ("\nThought: I see.\nAction: look\nAction Input: {}", ["I see."]),  # ToolLLaMA
        ("Thought: I know.\nFinal Answer: 3", ["I know."]),
        ("Think: I see.\n\nAct: bash\n\n```bash\nls\n```", ["I see."]),  # AgentInstruct
        ("Thought:\nI see.\n\nAction:\nsearch[red shoes]", ["I see."]),
        ("THOUGHT: I see. ACTION is next.\nACTION: go to desk 1", ["I see. ACTION is next."]),
        ("I see.\n\nAction: Operation\n```sql\nSELECT 1\n```", ["I see."]),  # AgentInstruct
        ('{"thoughts": {"text": "t"}, "command": {"name": "a", "args": {}}}', ["t"]),
        ("**Thought**: I see.\n**Answer**: 3", ["I see."]),
        ("\u601d\u8003\uff1a\u770b\u3002\n\u884c\u52a8\uff1alook", ["\u770b\u3002"]),
        ("<think>\nI see.\n</think>\n\nThree.", ["I see."]),
        ("I see.\n</think>\nThree.", ["I see."]),
        ("<think>I see.</think>\n" + call("So."), ["I see.", "So."]),
        ("[THINK]\nI see.\n[/THINK]Three.", ["I see."]),
        (
            'I see.\n<tool_call>\n{"name": "a", "arguments": {"x": "I see."}}\n</tool_call>',
            ["I see."],
        ),
        (
            '{"thoughts": {"text": "I \\"see\\" it", "plan": " go on"}, '
            '"command": {"name": "a", "args": {"thought": "no"}}}',
            ['I \\"see\\" it', "go on"],
        ),
        ("Three <think> marks.", []),
        ("Action: look\nAction Input: {}", []),
        ("Three.", []),
    ],
)
def test_thoughts_in_text(renderer: ChatTemplate, content: str, thoughts: list[str]) -> None:
    assert weighted(renderer, says(content)) == thoughts


@pytest.mark.parametrize(
    ("message", "thoughts"),
    [
        (says("I see.", tool_calls=[CALL]), ["I see."]),
        (says("<think>\nHm.\n</think>\n\nI see.", tool_calls=[CALL]), ["Hm.", "I see."]),
        (
            says("I see.", reasoning_content="Hm. I see.", tool_calls=[CALL]),
            ["Hm. I see.", "I see."],
        ),
        (says("Three.", reasoning_content="Three. Why?"), ["Three. Why?"]),
        (says("", reasoning_content="Hm.", tool_calls=[CALL]), ["Hm."]),
        (says("Three."), []),
    ],
)
def test_thoughts_beside_calls_and_in_fields(message: Message, thoughts: list[str]) -> None:
    assert weighted(templates()["trl/qwen3"].renderer(), message) == thoughts


def test_reasoning_that_the_template_leaves_out_is_not_taken_for_weighted(
    renderer: ChatTemplate,
) -> None:
    made = prepared(renderer, says("Three.", reasoning="I see it."))
    ((reason, number),) = made.dropped.items()
    assert ("does not write a thought" in reason, number, made.sequences) == (True, 1, [])


def row(template: str, *thoughts: str) -> dict[str, Any]:
    """A row as `engine export` writes it."""
    actions = [Action("look", {"at": thought}, thought) for thought in thoughts]
    nodes = [
        Node(number, number - 1, Step(action, "seen")) for number, action in enumerate(actions, 1)
    ]
    tree = Tree(Task("t", "?"), nodes=nodes)
    return RowBuilder("run", "env", WORLD, (get(template),)).sft_row(tree, nodes[-1])


@pytest.mark.parametrize("template", [*NAMES[1:], "at_sign", "json"])
def test_rows_of_every_template(renderer: ChatTemplate, template: str, tmp_path: Path) -> None:
    names = {"at_sign": str(AT_SIGN), "json": str(tmp_path / "json.toml")}
    (tmp_path / "json.toml").write_text(JSON_TEMPLATE, "utf-8")
    made = row(names.get(template, template), "See it", 'An "e\u0301" @look now')
    found = weighted(renderer, *made["messages"])
    marked = [m.get("thought_span") for m in made["messages"] if m["role"] == "assistant"]
    assert all(marked) == (template in names)
    assert found[0] == "See it"
    assert json.loads(f'"{found[1]}"' if "\\" in found[1] else json.dumps(found[1])) == (
        'An "e\u0301" @look now'
    )
    assert len(found) == 2


@pytest.fixture
def options(tiny: Path, tmp_path: Path) -> SftOptions:
    return SftOptions(
        model=str(tiny),
        dataset=write(tmp_path / "agent.jsonl", [{"messages": row} for row in AGENT]),
        output_dir=tmp_path / "out",
        thought_weight=WEIGHT,
    )


@pytest.mark.parametrize("place", ["dataset", "general_data", "eval_dataset"])
def test_a_file_without_thoughts_is_refused_by_name(
    options: SftOptions, place: str, tmp_path: Path
) -> None:
    student = open_model(options)
    plain = dialogue("Why?", "Because."), dialogue("Name a colour.", "Blue.")
    without = write(tmp_path / "plain.jsonl", [{"messages": one} for one in plain])
    changed = replace(options, **{place: without})
    with pytest.raises(TrainerError, match="0.25: .*plain.jsonl holds no thought.*leave the flag"):
        gather(changed, student)
    gather(replace(changed, thought_weight=1.0), student)
    gather(replace(changed, allow_no_thoughts=True), student)


def test_thoughts_of_general_data_are_weighted_too(options: SftOptions, tmp_path: Path) -> None:
    reasoned = {"instruction": "Why?", "output": "<think>Hm, why.</think>Because."}
    file = tmp_path / "general.json"
    file.write_text(json.dumps([*GENERAL, reasoned]), "utf-8")
    student = open_model(options)
    found = gather(replace(options, general_data=file), student).general
    tokens = student.renderer.tokenizer("Hm, why.", add_special_tokens=False)["input_ids"]
    assert found.thoughts >= len(tokens) > 0
    assert sum(one.weights.count(WEIGHT) for one in found.sequences) == found.thoughts
