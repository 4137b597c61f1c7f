"""How much each token counts in the loss of SFT.

The loss of a step is the sum over its sequences of `weights` times each token's loss, divided by
the sum of their `loss_denominator`. So the weight of a token, of a source (`data.mixture`), or of
a path that several trajectories share is one number in one column, and gradient accumulation
changes nothing.
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

    Attributes:
        ids: Token ids.
        weights: Loss weight of predicting each token; 0 where it is not trained.
        loss_denominator: What the sequence adds to the denominator of the loss: the sum of its
            weights, before the weight of its source is applied.
    """

    ids: list[int]
    weights: list[float]
    loss_denominator: float

    @property
    def labels(self) -> list[int]:
        """The ids that are trained, IGNORE elsewhere."""
        return [id if w else IGNORE for id, w in zip(self.ids, self.weights, strict=True)]

    @property
    def trained(self) -> int:
        """How many tokens the loss sees."""
        return sum(map(bool, self.weights))

    def scaled(self, factor: float) -> "WeightedSequence":
        """Return the sequence with `factor` times the weight in the loss."""
        weights = [weight * factor for weight in self.weights]
        return WeightedSequence(self.ids, weights, self.loss_denominator)


@dataclass(frozen=True, slots=True)
class WeightedConversation:
    """A conversation to train on.

    Attributes:
        sequences: Its sequences.
        thoughts: Number of tokens that have the weight of thoughts.
    """

    sequences: list[WeightedSequence]
    thoughts: int = 0


def weigh(
    renderer: ChatTemplate,
    turns: Sequence[Turn],
    replies: Sequence[Message],
    thought_weight: float = 1.0,
    context_turns: int = 0,
) -> WeightedConversation:
    """Return as few sequences as hold every turn, each completion weighted in one of them.

    Args:
        renderer: The chat template that rendered the turns.
        turns: The turns of a conversation.
        replies: Its assistant messages, one per turn.
        thought_weight: Weight of tokens of thought; those of the call and the stop token have 1.
        context_turns: Number of turns at the beginning that are context only.
    """
    sequences = [
        WeightedSequence(path.ids, path.weights, 0.0) for path in merge(turns[context_turns:])
    ]
    thoughts = 0
    # Finding thoughts takes longer than all else here, so it is skipped for a weight of 1.
    searched = zip(turns, replies, strict=True) if thought_weight != 1 else ()
    for turn, message in list(searched)[context_turns:]:
        if not turn.trained:
            continue
        found = thought_tokens(renderer, turn.completion, message)
        thoughts += len(found)
        weights = _sequence_training(turn, sequences).weights
        for index in found:
            weights[len(turn.context) + index] = thought_weight
    weighted = [WeightedSequence(one.ids, one.weights, sum(one.weights)) for one in sequences]
    return WeightedConversation([one for one in weighted if one.loss_denominator], thoughts)


def thought_tokens(renderer: ChatTemplate, completion: list[int], message: Message) -> range:
    """Return the indexes of the tokens that hold any of an assistant message's thought."""
    thought = thought_of(message).strip()
    if not thought:
        return range(0)
    text = str(renderer.tokenizer.decode(completion))
    forms = (thought, json.dumps(thought, ensure_ascii=False)[1:-1], json.dumps(thought)[1:-1])
    for form in forms:
        if (start := text.find(form)) >= 0:
            first, last = (
                _token_at(renderer, completion, place) for place in (start, start + len(form) - 1)
            )
            return range(first, last + 1)
    return range(0)


def thought_of(message: Message) -> str:
    """Return what the agent wrote before its call; "" in a message without a call.

    Beside a native tool call, that is the content. In text, it is the thought that the first of
    the project's templates parses which finds a call.
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
    """Return the columns of the trainer's data set, one row per sequence."""
    return {
        "input_ids": [one.ids for one in sequences],
        "labels": [one.labels for one in sequences],
        "weights": [one.weights for one in sequences],
        "loss_denominator": [one.loss_denominator for one in sequences],
    }


def _sequence_training(turn: Turn, sequences: Sequence[WeightedSequence]) -> WeightedSequence:
    """Return the sequence in which `turn` is trained; others may hold it as context."""
    end = len(turn.context) + len(turn.completion)
    whole = turn.context + turn.completion
    return next(
        one
        for one in sequences
        if one.ids[:end] == whole and one.weights[len(turn.context)] and one.weights[end - 1]
    )


def _token_at(renderer: ChatTemplate, ids: list[int], place: int) -> int:
    """Return the index of the token that holds character `place` of the decoded text."""
    low, high = 0, len(ids)
    while low < high:
        middle = (low + high) // 2
        if len(str(renderer.tokenizer.decode(ids[: middle + 1]))) <= place:
            low = middle + 1
        else:
            high = middle
    return low
