"""KAgentBench's own file as references (KwaiAgents, `benchmark/README.md` and `benchmark_eval.py`).

A record is one question with a list of right replies, in one of four kinds:

    plantooluse   planning and tool use: `thought`, `tool_name`, `tool_args`
    reflextion    reflection: the same; `memory_last_task` holds the call made just before
    conclusion    an answer in words: `golden_result`
    profile       what a character says: `golden_result`

`prompt_input` holds the prompt in several templates (`profile` has one prompt). The score of a
record is the mean over its prompts, and the score of a part the mean over its records. Each prompt
is sent as it is, as one user's message, and the reply is read by the template of its name.

As in `benchmark_eval.py`, a right reply of reflection that repeats the call made just before scores
0; AutoGPT's thought is its "text"; the input of a ReAct action is the tool's first argument, unless
it is an object; the answer in words is taken out of AutoGPT's `response="..."` and out of
ToolLLaMA's `"final_answer"`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from engine.templates import get as get_template
from engine.templates.autogpt import thoughts_of
from engine.templates.base import Message, Template
from engine.terminal import say
from environments.tools import Tool
from environments.types import Action
from trainer.data.records import Record
from trainer.errors import TrainerError
from trainer.evaluation.measures.turn import Reader, Turn, in_words

GOLD = "golden_result_list"
"""The column that says that a file is KAgentBench's."""

TEMPLATES = {
    "react": "react",
    "autogpt": "autogpt",
    "toolllama": "toolllama",
    "modelscope": "modelscope",
    "kuaiagent": "kwai",
}
"""Our templates by KAgentBench's names of prompts, in small letters."""

_NOTHING = "None"
_PARTS = {
    "plantooluse": ("planning", "tool_use"),
    "reflextion": ("reflection",),
    "conclusion": ("conclusion",),
    "profile": ("profile",),
}
_ANSWERS = {
    "autogpt": re.compile(r'response="(.*?)(?:"\)|\Z)', re.DOTALL),
    "toolllama": re.compile(r'"final_answer": "(.*)', re.DOTALL),
}
_SEARCHES = "web_search("


def kagentbench_turns(records: Iterable[Record], template: str) -> Iterator[Turn]:
    """Yield the turns of a file, one for each prompt.

    Args:
        records: Of the file.
        template: Reads replies to prompts in a template of no known name.

    Raises:
        TrainerError: A record is not as KAgentBench's are.
    """
    left_out = 0
    for record in records:
        try:
            turns = _turns(record.value, template)
        except (KeyError, TypeError, AttributeError) as error:
            raise TrainerError(
                f"--reference: {record.place}: is no record of KAgentBench ({error!r})"
            ) from error
        left_out += not turns
        yield from turns
    if left_out:
        say(f"--reference: {left_out} records are left out: they have no prompt or no right reply")


def _turns(value: Mapping[str, Any], template: str) -> list[Turn]:
    kind, prompts = value["type"], dict(value["prompt_input"])
    if kind not in _PARTS:
        raise KeyError(f"type {kind!r}")
    accepted = _accepted(kind, value)
    if not accepted:
        return []
    last = value.get("memory_last_task") or {}
    if kind == "reflextion":
        repeated = last.get("tool_name"), last.get("tool_args")
        accepted = [one for one in accepted if (one.tool, one.arguments) != repeated]
    tools = [_tool(one) for one in value.get("funcs") or ()]
    parts, said = frozenset(_PARTS[kind]), kind in ("conclusion", "profile")
    turns = []
    for name, prompt in prompts.items():
        read_by = get_template(TEMPLATES.get(name.lower(), template))
        turns.append(
            Turn(
                str(value["id"]),
                [{"role": "user", "content": str(prompt)}],
                [],
                read_by,
                tuple(accepted),
                before=None,
                after_mistake=kind == "reflextion",
                last=said,
                parts=parts,
                weight=1 / len(prompts),
                reader=_reader(kind, name.lower(), read_by, tools),
            )
        )
    return turns


def _accepted(kind: str, value: Mapping[str, Any]) -> list[Action]:
    """Return the right replies: texts, or calls that name a tool."""
    found = value[GOLD]
    if kind in ("conclusion", "profile"):
        return [in_words(str(one["golden_result"] if isinstance(one, dict) else one))
                for one in found]  # fmt: skip
    calls = [Action(one["tool_name"], one["tool_args"], _said(one["thought"])) for one in found]
    named = [call for call in calls if call.tool != _NOTHING]
    # Reflection weighs thought and call together, so it needs both.
    return named if kind == "plantooluse" else [call for call in named if call.thought]


def _said(thought: Any) -> str:
    return "" if thought in (None, _NOTHING) else str(thought)


def _tool(described: Mapping[str, Any]) -> Tool:
    schema = described.get("parameters")
    about = str(described.get("description") or "")
    return Tool(str(described["name"]), about, schema if isinstance(schema, dict) else {})


def _reader(kind: str, name: str, template: Template, tools: list[Tool]) -> Reader:
    if kind == "profile":
        return lambda reply: in_words(reply.get("content") or "")
    if kind == "conclusion":
        return lambda reply: in_words(answer_in(name, reply.get("content") or ""))
    known = tuple(map(_with_one_argument, tools) if name == "react" else tools)

    def read(reply: Message) -> Action:
        action = template.parse(reply, known)
        if name == "autogpt" and action.tool:
            return replace(action, thought=thoughts_of(action.thought)["text"])
        return action

    return read


def answer_in(name: str, reply: str) -> str:
    """Return the answer in words in a reply to a prompt called `name`."""
    if name == "autogpt" and _SEARCHES in reply:
        return ""
    found = _ANSWERS[name].search(reply) if name in _ANSWERS else None
    text = found[1] if found else reply
    return re.sub(r'["}]', "", text) if found and name == "toolllama" else text


def _with_one_argument(tool: Tool) -> Tool:
    """Return a tool whose only argument is its first one, for inputs without names."""
    first = dict(list((tool.parameters.get("properties") or {}).items())[:1])
    return replace(tool, parameters={"type": "object", "properties": first})
