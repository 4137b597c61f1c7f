"""Trajectories of agents in forms of their own: Agent Data Protocol, ToolBench's answer files."""

import json
from collections.abc import Mapping
from typing import Any

from engine.templates import toolllama
from engine.templates.base import Message
from environments.types import Action
from trainer.data.formats.conversations import messages_of
from trainer.data.formats.values import kind, listed, optional_text, text
from trainer.errors import RowError, WrongValue

_TOOLBENCH = "with a function call to actually excute your step."
_TOOLBENCH_FORM = " Your output should follow this format:\nThought:\nAction\nAction Input:\n"


def agent_data(record: Mapping[str, Any]) -> list[Message]:
    """Return the conversation of a trajectory of the Agent Data Protocol.

    Calls of functions are tool calls; code is a code block after its description. Observations
    after the last action are left out.
    """
    turns: list[dict[str, Any]] = []
    for item in listed(record.get("content"), "content"):
        if not isinstance(item, dict):
            raise WrongValue(f"content must hold objects, not {kind(item)}")
        turns.append(_turn(item))
    while turns and turns[-1]["role"] != "assistant":
        turns.pop()
    return messages_of(_joined(turns), "content")


def _joined(turns: Any) -> Any:
    """Return turns with those of a user that follow one another as one: none is missing between."""
    joined: list[Any] = []
    for turn in turns if isinstance(turns, list) else []:
        asked = [t.get("role") == "user" for t in (turn, *joined[-1:]) if isinstance(t, dict)]
        if asked == [True, True] and isinstance(turn.get("content"), str):
            joined[-1] = joined[-1] | {"content": f"{joined[-1]['content']}\n\n{turn['content']}"}
        else:
            joined.append(turn)
    return joined


def _turn(item: Mapping[str, Any]) -> dict[str, Any]:
    name = item.get("class_")
    if name in ("text_observation", "web_observation"):
        return _observed(item)
    if name not in ("api_action", "code_action", "message_action"):
        raise RowError(f"it holds a {name}, which is not text")
    thought = optional_text(item.get("description"), "description")
    turn = {"role": "assistant", "reasoning_content": item.get("reasoning_content")}
    if name == "api_action":
        call = {"name": item.get("function"), "arguments": item.get("kwargs")}
        return {**turn, "content": thought, "function_call": call}
    said = text(item.get("content"), "content")
    if name == "code_action":
        said = f"```{optional_text(item.get('language'), 'language')}\n{said}\n```"
    return {**turn, "content": f"{thought}\n\n{said}" if thought else said}


def _observed(item: Mapping[str, Any]) -> dict[str, Any]:
    if item["class_"] == "text_observation":
        if item.get("source") == "agent":
            return {"role": "assistant", "content": text(item.get("content"), "content")}
        role = "user" if item.get("source") == "user" else "function"
        return {"role": role, "content": text(item.get("content"), "content")}
    shown = [item.get("url"), item.get("axtree") or item.get("html")]
    return {"role": "function", "content": "\n".join(optional_text(one, "url") for one in shown)}


def toolbench_answers(record: Mapping[str, Any]) -> list[Any]:
    """Return the conversations of an answer file, in the text form that ToolBench trains on.

    A file holds the messages up to each step. A step that an earlier conversation trains is context
    only.
    """
    answer = record.get("answer_generation")
    if not isinstance(answer, dict):
        raise WrongValue(f"answer_generation must be an object, not {kind(answer)}")
    chains = listed(answer.get("train_messages"), "train_messages")
    if not answer.get("valid_data") or not chains:
        raise RowError("ToolBench does not mark its answer as valid")
    made = [_as_text(messages_of(_joined(chain), "train_messages"), answer) for chain in chains]
    last = [
        chain
        for chain, after in zip(made, [*made[1:], []], strict=True)
        if after[: len(chain)] != chain
    ]
    trained: set[str] = set()
    return [{"messages": [_once(chain, n, trained) for n in range(len(chain))]} for chain in last]


def _once(chain: list[Message], number: int, trained: set[str]) -> Message:
    """Return a message of a conversation, as context only if its turn is already trained."""
    message, key = chain[number], json.dumps(chain[: number + 1])
    if message["role"] != "assistant" or key not in trained:
        trained.add(key)
        return message
    return {**message, "weight": 0}


def _as_text(messages: list[Message], answer: Mapping[str, Any]) -> list[Message]:
    made: list[Message] = []
    for message in messages:
        content = message["content"]
        if message["role"] == "system":
            apis = json.dumps(answer.get("function"), ensure_ascii=False)
            content = content.replace(_TOOLBENCH, _TOOLBENCH + _TOOLBENCH_FORM)
            content += f"\nSpecifically, you have access to the following APIs: {apis}"
        for call in message.get("tool_calls") or []:
            function = call["function"]
            action = Action(function["name"], json.loads(function["arguments"]), content)
            content = toolllama.write(action)
        role = "user" if message["role"] == "tool" else message["role"]
        made.append({"role": role, "content": content})
    return made
