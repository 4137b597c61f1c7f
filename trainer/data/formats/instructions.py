"""Instructions and answers in columns of their own, as conversations."""

import json
from collections.abc import Mapping
from typing import Any

from engine.templates import get
from engine.templates.base import Message, World
from environments.types import Action, Step, Task
from trainer.data.formats.conversations import messages_of
from trainer.data.formats.values import kind, listed, optional_text, text
from trainer.errors import RowError, WrongValue


def alpaca(record: Mapping[str, Any]) -> list[Message]:
    """Return the conversation of a record of Alpaca's form, with system and history."""
    return [*asked(record), _assistant(text(record.get("output"), "output"))]


def asked(record: Mapping[str, Any]) -> list[Message]:
    """Return what comes before the answer in Alpaca's form.

    Raises:
        RowError: The instruction is missing, or a pair of the history is not whole.
    """
    parts = [optional_text(record.get(name), name) for name in ("instruction", "input")]
    if not any(part.strip() for part in parts):
        raise RowError("instruction is missing")
    messages = system_of(record)
    for question, answer in _history(record.get("history")):
        messages += [_user(question), _assistant(answer)]
    return [*messages, _user("\n".join(part for part in parts if part))]


def system_of(record: Mapping[str, Any]) -> list[Message]:
    """Return the system message in a record's column `system`, if there is one."""
    said = optional_text(record.get("system"), "system")
    return [{"role": "system", "content": said}] if said else []


def prompt_of(record: Mapping[str, Any], column: str) -> list[Message]:
    """Return the messages of a prompt, which is text or a conversation."""
    value = turns_in(record.get(column))
    if isinstance(value, list):
        return messages_of(value, column)
    return [*system_of(record), _user(text(value, column))]


def turns_in(value: Any) -> Any:
    """Return the turns in a value that may be JSON text, as in our Parquet files; else `value`."""
    if isinstance(value, str) and value.startswith("[{"):
        try:
            found = json.loads(value)
        except ValueError:
            return value
        if all(isinstance(turn, dict) and {"role", "from"} & turn.keys() for turn in found):
            return found
    return [value] if isinstance(value, dict) else value


def prompt_completion(record: Mapping[str, Any]) -> list[Message]:
    """Return the conversation of a prompt and its completion; only the completion is trained."""
    before = [
        {**message, "weight": 0} if message["role"] == "assistant" else message
        for message in prompt_of(record, "prompt")
    ]
    completion = turns_in(record.get("completion"))
    if isinstance(completion, list):
        return messages_of([*before, *completion], "completion")
    return [*before, _assistant(text(completion, "completion"))]


def xlam(record: Mapping[str, Any]) -> list[Message]:
    """Return the conversation of a query and the calls that answer it."""
    calls = listed(record.get("answers"), "answers")
    if not calls:
        raise RowError("answers is missing")
    answer = {"role": "assistant", "tool_calls": calls}
    question = _user(text(record.get("query"), "query"))
    return messages_of([*system_of(record), question, answer], "answers")


def kagent_instruct(record: Mapping[str, Any]) -> list[Any]:
    """Return the prompts of a record with their answers, each in Alpaca's form."""
    return _some(record, "llm_prompt_response")


_TEMPLATES = {"react", "autogpt", "modelscope", "toolllama"}


def kagent_bench(record: Mapping[str, Any]) -> list[Any]:
    """Return the prompts of a record, each with the first reference answer as its completion.

    A call is written in the template of its prompt. Prompts of templates that are not ours are left
    out.
    """
    prompts, golden = record.get("prompt_input"), _some(record, "golden_result_list")[0]
    if not isinstance(prompts, dict):
        raise WrongValue(f"prompt_input must be an object, not {kind(prompts)}")
    is_call = isinstance(golden, dict) and "tool_name" in golden
    return [
        {"prompt": prompt, "completion": _golden(golden, name.lower() if is_call else "")}
        for name, prompt in prompts.items()
        if not is_call or name.lower() in _TEMPLATES
    ]


def _some(record: Mapping[str, Any], column: str) -> list[Any]:
    found = listed(record.get(column), column)
    if not found:
        raise RowError(f"{column} is missing")
    return found


def _golden(golden: Any, template: str) -> Any:
    """Return a reference answer as text; a call is written in a template."""
    if not isinstance(golden, dict):
        return golden
    if not template:
        return golden.get("golden_result")
    arguments = golden.get("tool_args") or {}
    if not isinstance(arguments, dict):
        raise WrongValue(f"tool_args must be an object, not {kind(arguments)}")
    name = text(golden["tool_name"], "tool_name")
    action = Action(name, arguments, optional_text(golden.get("thought"), "thought"))
    written = get(template).render(World("", ()), Task("", ""), [Step(action, "", 0.0)])
    return written[-2]["content"]


def _history(value: Any) -> list[list[str]]:
    """Return the pairs of a question and its answer.

    Raises:
        RowError: A pair is not whole.
        WrongValue: It is no list of pairs of texts.
    """
    try:
        pairs = listed(value, "history")
    except WrongValue:
        if not isinstance(value, str):
            raise
        pairs = [value]
    for pair in pairs:
        sides = pair if isinstance(pair, list | tuple) else [pair]
        if wrong := [side for side in sides if not isinstance(side, str | None)]:
            raise WrongValue(f"history must hold pairs of texts, not {kind(wrong[0])}")
        if len(sides) != 2 or not all(sides):
            raise RowError("its history is one-sided")
    return pairs


def _user(content: str) -> Message:
    return {"role": "user", "content": content}


def _assistant(content: str) -> Message:
    return {"role": "assistant", "content": content}
