"""How much each token counts in the loss of SFT.

The loss of a step is the sum over its sequences of `weights` times each token's loss, divided by
the sum of their `loss_denominator`. So the weight of a message (an advantage, say), of a thought,
of a source (`data.mixture`), or of a path that several trajectories share is one number in one
column, and gradient accumulation changes nothing.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.templates.base import Message
from trainer.data.mask import IGNORE, Turn, merge
from trainer.data.thoughts import escapes, thoughts
from trainer.errors import RowError
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
        thought_weight: Weight of tokens of thought, times that of their message; those of the call
            and the stop token have their message's.
        context_turns: Number of turns at the beginning that are context only.

    Raises:
        RowError: See `thought_tokens`.
    """
    sequences = [
        WeightedSequence(path.ids, path.weights, 0.0) for path in merge(turns[context_turns:])
    ]
    count = 0
    # Finding thoughts takes longer than all else here, so it is skipped for a weight of 1.
    searched = zip(turns, replies, strict=True) if thought_weight != 1 else ()
    for turn, message in list(searched)[context_turns:]:
        if not turn.trained:
            continue
        found = thought_tokens(renderer, turn.completion, message)
        count += len(found)
        weights = _sequence_training(turn, sequences).weights
        for index in found:
            weights[len(turn.context) + index] = thought_weight * turn.weight
    weighted = [WeightedSequence(one.ids, one.weights, sum(one.weights)) for one in sequences]
    return WeightedConversation([one for one in weighted if one.loss_denominator], count)


def thought_tokens(renderer: ChatTemplate, completion: list[int], message: Message) -> list[int]:
    """Return the indexes of the tokens that hold any of an assistant message's thoughts.

    Raises:
        RowError: The completion does not hold a thought: the chat template leaves it out or changes
            it.
    """
    found = thoughts(message)
    if not found:
        return []
    text = str(renderer.tokenizer.decode(completion))
    content = str(message.get("content") or "")
    blank = len(content) - len(content.lstrip())
    tokens: set[int] = set()
    shown, end = -1, 0
    for thought in found:
        if thought.start >= 0 and shown < 0:
            shown = text.find(content.strip(), end)  # after what has a field of its own
        if thought.start >= 0 and shown >= 0:
            start = shown + thought.start - blank
            end = start + len(thought.text)
        else:
            start, end = _place(text, thought.text, end)
        tokens.update(_tokens_at(renderer, completion, start, end))
    return sorted(tokens)


def _place(text: str, thought: str, after: int) -> tuple[int, int]:
    """Return start and end of `thought` in `text`, if possible at or after `after`."""
    for first in (after, 0):
        for form in escapes(thought):
            if (start := text.find(form, first)) >= 0:
                return start, start + len(form)
    words = r"\s+".join(map(re.escape, thought.split()))  # a template may change blanks
    if found := re.search(words, text):
        return found.span()
    raise RowError(
        "the chat template does not write a thought of it, so --thought-weight cannot be applied"
    )


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


def _tokens_at(renderer: ChatTemplate, ids: list[int], start: int, end: int) -> range:
    """Return the indexes of the tokens that hold characters `start` to `end` of the decoded text.

    A character of several tokens is held by each of them: as long as it is incomplete, it decodes
    to U+FFFD.
    """

    def written(tokens: int) -> int:
        return len(str(renderer.tokenizer.decode(ids[:tokens])).rstrip("\ufffd"))

    counts = range(len(ids) + 1)
    first = bisect_left(counts, start, key=written)
    return range(first - (written(first) > start), bisect_left(counts, end, key=written))
