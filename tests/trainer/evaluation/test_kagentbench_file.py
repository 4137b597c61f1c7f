"""KAgentBench's own file: read as references, and scored as its script scores it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.rows import write
from trainer.errors import TrainerError
from trainer.evaluation.measures.kagentbench_file import answer_in
from trainer.evaluation.measures.references import reference_turns
from trainer.evaluation.measures.teacher_forcing import compare
from trainer.evaluation.report import Report
from trainer.evaluation.reporting.sections import sections

WEATHER = {
    "name": "get_weather",
    "description": "Weather of a place.",
    "parameters": {"type": "object", "properties": {"city": {}, "day": {}}},
}


def record(id: str, type: str, gold: list[Any], prompts: list[str], **more: Any) -> dict[str, Any]:
    prompt_input = {name: f"{name} prompt" for name in prompts}
    return {"id": id, "query": "?", "type": type, "golden_result_list": gold, "funcs": [WEATHER],
            "prompt_input": prompt_input, "memory": "", "memory_type": "task",
            "memory_last_task": {}} | more  # fmt: skip


def gold(thought: str, tool: str = "get_weather", **arguments: Any) -> dict[str, Any]:
    return {"thought": thought, "tool_name": tool, "tool_args": arguments}


RECORDS = [
    record(
        "plan",
        "plantooluse",
        [gold("look up the weather", city="Rome", day="today"), gold("None", "None")],
        ["ReACT", "AutoGPT", "ToolLlama", "KuaiAgent"],
    ),
    record(
        "again",
        "reflextion",
        [gold("ask again", city="Paris"), gold("ask for Rome", city="Rome")],
        ["KuaiAgent", "ModelScope"],
        memory_last_task={"tool_name": "get_weather", "tool_args": {"city": "Paris"}},
    ),
    record("end", "conclusion", [{"golden_result": "it is sunny now"}, "六月最热"], ["KuaiAgent"]),
    record("who", "profile", [{"golden_result": "a b c d"}], ["prompt"]),
]

REPLIES = [
    # plan: the input of ReAct is its first argument; two of four words, one of two arguments
    "look up rain today\nAction: get_weather\nAction Input: Rome",
    '{"thoughts": {"text": "look up the weather", "reasoning": "since I was asked"},'
    ' "command": {"name": "get_weather", "args": {"city": "Rome", "day": "today"}}}',
    'Thought: look up the weather\nAction: web_search\nAction Input: {"city": "Rome"}',
    "I do not know.",
    # again: what repeats the last call is no right answer; that of Rome is
    '{"task_name": "ask for it", "command": {"name": "get_weather", "args": {"city": "Rome"}}}',
    '<|startofthink|>{"api_name": "get_weather", "parameters": {"city": "Paris"}}<|endofthink|>',
    "六月热",
    "a b x d",
]
PLANNING = (2 * 2 / (4 + 4) + 1 + 0 + 0) / 4
TOOL_USE = (1 / 2 + 1 + 0 + 0) / 4
REFLECTION = ((0.3 * 2 * 2 / (3 + 3) + 0.7 * 1) + 0) / 2
CONCLUSION = 2 * 3 / (4 + 3)
PROFILE = 3 / 4


def test_the_table_is_that_of_a_hand(tmp_path: Path) -> None:
    turns = reference_turns(write(tmp_path / "benchmark_eval.jsonl", RECORDS), "react")
    assert [turn.messages for turn in turns[:2]] == [
        [{"role": "user", "content": "ReACT prompt"}],
        [{"role": "user", "content": "AutoGPT prompt"}],
    ]
    replies = [{"role": "assistant", "content": reply} for reply in REPLIES]
    found = compare(turns, [turn.read(each) for turn, each in zip(turns, replies, strict=True)])
    parts = (found.planning, found.tool_use, found.reflection, found.conclusion, found.profile)
    values = [PLANNING, TOOL_USE, REFLECTION, CONCLUSION, PROFILE]
    assert [part and part.value for part in parts] == pytest.approx(values)
    weights = [0.25, 0.35, 0.1, 0.2, 0.1]
    assert found.overall == pytest.approx(sum(w * v for w, v in zip(weights, values, strict=True)))
    assert (found.turns, found.tasks, found.left_out) == (8, 4, [])
    assert found.others["ROUGE-1"]["profile"] == 0.75
    assert found.others["ROUGE-2"]["profile"] == pytest.approx(1 / 3)
    # precisions 3/4, (1 + 1)/(3 + 1), (0 + 1)/(2 + 1), (0 + 1)/(1 + 1); no brevity penalty
    assert found.others["BLEU"]["profile"] == pytest.approx((3 / 4 * 1 / 2 * 1 / 3 * 1 / 2) ** 0.25)
    (section,) = sections([Report("student", forced=found)])
    head, *rows = section.tables[1].head, *section.tables[1].rows
    assert head[1:] == ("ROUGE-L", "ROUGE-1", "ROUGE-2", "BLEU")
    assert {row[0]: row[1] for row in rows} | {"overall": ""} == {
        "planning": f"{100 * PLANNING:.2f}",
        "tool use": f"{100 * TOOL_USE:.2f}",
        "reflection": f"{100 * REFLECTION:.2f}",
        "conclusion": f"{100 * CONCLUSION:.2f}",
        "profile": f"{100 * PROFILE:.2f}",
        "overall": "",
    }
    other = replace(found, references="another")
    (section,) = sections([Report("a", forced=found), Report("b", forced=other)])
    assert any("references are not the same" in note for note in section.notes)


@pytest.mark.parametrize(
    ("name", "reply", "answer"),
    [
        ("autogpt", 'task_complete(response="It is 3.")', "It is 3."),
        ("autogpt", 'web_search(query="response")', ""),
        ("toolllama", 'Action Input: {"return_type": "x", "final_answer": "It is 3."}', "It is 3."),
        ("kuaiagent", 'response="It is 3."', 'response="It is 3."'),
    ],
)
def test_the_answer_in_a_reply(name: str, reply: str, answer: str) -> None:
    assert answer_in(name, reply) == answer


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"type": "other"}, "line 1: is no record of KAgentBench .*type 'other'"),
        ({"golden_result_list": [{"thought": "x"}]}, "line 1: is no record of KAgentBench"),
        ({"prompt_input": {}}, "holds no successful path"),
    ],
)
def test_a_file_that_is_not_kagentbenchs_is_told(
    tmp_path: Path, changed: dict[str, Any], reason: str
) -> None:
    file = write(tmp_path / "x.jsonl", [RECORDS[0] | changed])
    with pytest.raises(TrainerError, match=reason):
        reference_turns(file, "react")
