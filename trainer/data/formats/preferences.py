"""Pairs of chosen and rejected, in TRL's forms, LLaMA-Factory's and ours."""

from collections.abc import Mapping
from itertools import takewhile
from os.path import commonprefix
from typing import Any

from engine.templates.base import Message
from trainer.data.formats.conversations import check_whole, messages_of, role_of
from trainer.data.formats.instructions import asked, prompt_of, system_of, turns_in
from trainer.data.formats.values import Row, check_unweighted, kind, listed, optional_text, tools
from trainer.errors import RowError, WrongValue

_SIDES = ("chosen", "rejected")


def pair(record: Mapping[str, Any]) -> Row:
    """Return the row of a pair, whose prompt may be what both conversations begin with.

    Raises:
        RowError: A side is missing, or what they answer.
        WrongValue: A value has the wrong type.
    """
    sides = [turns_in(record.get(side)) for side in _SIDES]
    if missing := [side for side, turns in zip(_SIDES, sides, strict=True) if turns in (None, [])]:
        raise RowError(f"{missing[0]} is missing")
    prompt = turns_in(record.get("prompt"))
    if any(_is_whole(turns, prompt) for turns in sides):
        prompt, *completions = _parted(*map(messages_of, sides, _SIDES))
    else:
        prompt, *completions = _completed(record, sides)
    row: Row = {"prompt": prompt, **dict(zip(_SIDES, completions, strict=True))}
    row["tools"] = tools(record.get("tools"))
    row["pair_kind"] = optional_text(record.get("pair_kind"), "pair_kind")
    for completion in completions:
        check_whole([*prompt, *completion])
        check_unweighted(completion)
    return row


def openai_pair(record: Mapping[str, Any]) -> Row:
    """Return the row of a pair in the form of OpenAI's preference fine-tuning; see `pair`."""
    asked_for = record.get("input")
    if not isinstance(asked_for, dict):
        raise WrongValue(f"input must be an object, not {kind(asked_for)}")
    return pair(
        {
            "prompt": asked_for.get("messages"),
            "tools": asked_for.get("tools"),
            "chosen": record.get("preferred_output"),
            "rejected": record.get("non_preferred_output"),
        }
    )


def _completed(record: Mapping[str, Any], sides: list[Any]) -> list[list[Message]]:
    """Return the prompt in the record and the two completions."""
    before = _prompt(record, sides)
    made = [before]
    for turns, side in zip(sides, _SIDES, strict=True):
        if isinstance(turns, str):
            start = len(before[-1]["content"]) if _is_text(record, sides) else 0
            turns = [{"role": "assistant", "content": turns[start:]}]
        made.append(messages_of([*before, *listed(turns, side)], side)[len(before) :])
    return made


def _prompt(record: Mapping[str, Any], sides: list[Any]) -> list[Message]:
    for column in ("prompt", "question"):
        if record.get(column) is not None:
            return prompt_of(record, column)
    if record.get("conversations") is not None:
        return [*system_of(record), *messages_of(record["conversations"], "conversations")]
    if not _is_text(record, sides):
        return asked(record)
    # TRL's implicit prompt of texts: what both begin with, in whole words.
    words = commonprefix(sides).rpartition(" ")[0]
    if not words:
        raise RowError("prompt is missing")
    return [{"role": "user", "content": words}]


def _is_text(record: Mapping[str, Any], sides: list[Any]) -> bool:
    """Return whether the record is nothing but two texts."""
    columns = ("prompt", "question", "conversations", "instruction")
    without = all(record.get(column) is None for column in columns)
    return without and all(isinstance(side, str) for side in sides)


def _is_whole(turns: Any, prompt: Any) -> bool:
    """Return whether a side is a whole conversation, with its prompt."""
    if not isinstance(turns, list) or role_of(turns[0]) in ("assistant", "call"):
        return False
    return not isinstance(prompt, list) or turns[:1] == prompt[:1]


def _parted(chosen: list[Message], rejected: list[Message]) -> list[list[Message]]:
    """Return what two conversations begin with, up to a reply of the assistant; and their rests."""
    both = zip(chosen[:-1], rejected[:-1], strict=False)
    common = len(list(takewhile(lambda messages: messages[0] == messages[1], both)))
    while common and chosen[common]["role"] != "assistant":
        common -= 1
    if not common:
        raise RowError("chosen and rejected have no prompt in common")
    if rejected[common]["role"] != "assistant":
        raise RowError("chosen and rejected part before the assistant speaks")
    return [chosen[:common], chosen[common:], rejected[common:]]
