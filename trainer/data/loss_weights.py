"""How much each token counts in the loss of SFT.

The loss of a step is the sum over its sequences of `weights` times the loss of each token, divided
by the sum of their `items`. So a weight of a token, of a source (`data.mixture`) or of a path
that several trajectories share is one number in one column, and gradient accumulation changes
nothing.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.templates import NAMES, get
from engine.templates.base import Message
from trainer.data.mask import IGNORE, Turn, merge
from trainer.tokens.chat_template import ChatTemplate


@dataclass(frozen=True, slots=True)
class WeightedSequence:
    """A sequence to train on.

    ids: token ids.   weights: as many; of the loss of foretelling that token, 0 where it is not
    trained.   items: what the sequence adds to the denominator: its weights' sum, before a weight
    of its source is put on them.
    """

    ids: list[int]
    weights: list[float]
    items: float

    @property
    def labels(self) -> list[int]:
        """The ids that are trained, IGNORE elsewhere."""
        return [id if w else IGNORE for id, w in zip(self.ids, self.weights, strict=True)]

    @property
    def trained(self) -> int:
        """How many tokens the loss sees."""
        return sum(map(bool, self.weights))

    def scaled(self, factor: float) -> "WeightedSequence":
        """The same sequence with `factor` times the weight in the loss."""
        return WeightedSequence(self.ids, [w * factor for w in self.weights], self.items)


@dataclass(frozen=True, slots=True)
class WeightOptions:
    """sequences: of one conversation.   thoughts: tokens that the thought's weight was put on."""

    sequences: list[WeightedSequence]
    thoughts: int = 0


def weigh(
    renderer: ChatTemplate,
    pairs: Sequence[Turn],
    said: Sequence[Message],
    thought_weight: float = 1.0,
    skip: int = 0,
) -> WeightOptions:
    """As few sequences as hold every pair, each completion weighted in one of them.

    pairs: the turns of a conversation.   said: its assistant messages, one for each pair.
    thought_weight: the weight of tokens of thought; those of the call and the stop token have 1.
    skip: so many turns from the first are context only.
    """
    sequences = [
        WeightedSequence(path.ids, [float(label != IGNORE) for label in path.labels], 0.0)
        for path in merge(pairs[skip:])
    ]
    thoughts = 0
    # Finding thoughts takes longer than all else here, and a weight of 1 needs no finding.
    marked = zip(pairs[skip:], said[skip:], strict=True) if thought_weight != 1 else ()
    for turn, message in marked:
        if not turn.trained:
            continue
        where = thought_tokens(renderer, turn.completion, message)
        thoughts += len(where)
        weights = _holder(sequences, turn).weights
        for index in where:
            weights[len(turn.context) + index] = thought_weight
    summed = [WeightedSequence(one.ids, one.weights, sum(one.weights)) for one in sequences]
    return WeightOptions([one for one in summed if one.items], thoughts)


def thought_tokens(renderer: ChatTemplate, completion: list[int], message: Message) -> range:
    """Which tokens of an assistant's turn are its thought: those that hold any of it."""
    thought = thought_of(message).strip()
    if not thought:
        return range(0)
    text = str(renderer.tokenizer.decode(completion))
    forms = (thought, json.dumps(thought, ensure_ascii=False)[1:-1], json.dumps(thought)[1:-1])
    for form in forms:
        if (start := text.find(form)) >= 0:
            first, last = (
                _token_of(renderer, completion, place) for place in (start, start + len(form) - 1)
            )
            return range(first, last + 1)
    return range(0)


def thought_of(message: Message) -> str:
    """What the agent wrote before its call; "" in a message without a call.

    Beside a tool call that is the content; in text, what the first of the project's templates
    that finds a call in it takes for the thought.
    """
    content = str(message.get("content") or "")
    if message.get("tool_calls"):
        return content or str(message.get("reasoning_content") or "")
    for name in NAMES:
        action = get(name).parse({"role": "assistant", "content": content})
        if action.tool and action.thought:
            return action.thought
    return ""


def columns(sequences: Sequence[WeightedSequence]) -> dict[str, list[Any]]:
    """The columns that the trainer is given, a row for each sequence."""
    return {
        "input_ids": [one.ids for one in sequences],
        "labels": [one.labels for one in sequences],
        "weights": [one.weights for one in sequences],
        "items": [one.items for one in sequences],
    }


def _holder(sequences: Sequence[WeightedSequence], turn: Turn) -> WeightedSequence:
    """The one in which `turn` is trained: others may hold it as context."""
    end = len(turn.context) + len(turn.completion)
    whole = turn.context + turn.completion
    return next(
        one
        for one in sequences
        if one.ids[:end] == whole and one.weights[len(turn.context)] and one.weights[end - 1]
    )


def _token_of(renderer: ChatTemplate, ids: list[int], place: int) -> int:
    """The token that holds character `place` of the decoded text."""
    low, high = 0, len(ids)
    while low < high:
        middle = (low + high) // 2
        if len(str(renderer.tokenizer.decode(ids[: middle + 1]))) <= place:
            low = middle + 1
        else:
            high = middle
    return low
