"""Token by token: what TRL and axolotl train on in a conversation, against what they should.

Their rules are restated here from their published code: TRL's `assistant_only_loss`
(trl/trainer/sft_trainer.py) and axolotl's `type: chat_template`
(axolotl/prompt_strategies/chat_template.py). Both render a conversation once, as a whole.
"""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from os.path import commonprefix
from typing import TYPE_CHECKING, Any

from engine.templates.base import Message
from trainer.data.mask import turns
from trainer.data.mask_audit import Conversation
from trainer.errors import RowError
from trainer.tokens.chat_template import ChatTemplate

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_NEAR = 3
"""How far behind a message axolotl looks for the token that ends it."""
_DUMMIES = ("[[dummy]]", "zz dummy zz")
"""What axolotl puts in place of a message to see where it stands: no edge in common."""


@dataclass(frozen=True, slots=True)
class TrainedTokens:
    """A conversation as another trainer sees it.

    Attributes:
        ids: All token ids.
        trained: Whether each of them is trained.
    """

    ids: list[int]
    trained: list[bool]


TokenRule = Callable[[ChatTemplate, Conversation, frozenset[int]], TrainedTokens]
"""From a conversation, and the numbers of the messages to train, to tokens.

It raises RowError where the trainer would refuse, or could not say.
"""


def differences(renderer: ChatTemplate, one: Conversation, theirs: TrainedTokens) -> list[str]:
    """Return in what the tokens that are trained differ from those that the student must emit.

    Raises:
        RowError, TemplateRefused: As `mask.turns`.
    """
    pairs = turns(renderer, one.messages, one.tools, one.first)
    replies = [
        number
        for number, message in enumerate(one.messages)
        if message["role"] == "assistant" and number >= one.first
    ]
    expected, wrong, cut = [False] * len(theirs.ids), list[str](), list[int]()
    for number, turn in zip(replies, pairs, strict=True):
        if not turn.trained:
            continue
        start, whole = len(turn.context), turn.context + turn.completion
        if theirs.ids[: len(whole)] != whole[: len(theirs.ids)] or start > len(theirs.ids):
            wrong.append(
                f"[{number}]: stands after another context than the template renders for "
                "generation, or is written otherwise"
            )
            continue
        cut += whole[len(theirs.ids) :]
        for place in range(start, min(len(whole), len(theirs.ids))):
            expected[place] = True
    if wrong:
        return wrong
    decode = renderer.tokenizer.decode
    both = list(zip(theirs.trained, expected, strict=True))
    extra = [decode(run) for run in _runs(theirs.ids, [t and not e for t, e in both])]
    lost = [decode(run) for run in _runs(theirs.ids, [e and not t for t, e in both])]
    lost += [decode(cut)] if cut else []
    wrong += [f": trains {text!r}, which the student never writes" for text in extra]
    return wrong + [f": does not train {text!r}, which the student must write" for text in lost]


def trl(renderer: ChatTemplate, one: Conversation, numbers: frozenset[int]) -> TrainedTokens:
    """Return what `SFTConfig(assistant_only_loss=True)` trains; `numbers` is not asked.

    Raises:
        RowError: The template marks no assistant tokens, and TRL has none of its own for it.
    """
    tokenizer = renderer.tokenizer
    made: Any = tokenizer.apply_chat_template(
        _as_objects(one.messages),
        tools=[*one.tools] or None,
        chat_template=_marked_template(tokenizer),
        return_dict=True,
        return_assistant_tokens_mask=True,
    )
    return TrainedTokens(list(made["input_ids"]), [bool(mask) for mask in made["assistant_masks"]])


def _marked_template(tokenizer: "PreTrainedTokenizerBase") -> str | None:
    """Return the template with generation markers that TRL would take; None for the model's own."""
    if "{% generation" in str(tokenizer.chat_template).replace("{%-", "{%"):
        return None
    try:
        from trl.chat_template_utils import get_training_chat_template
    except ModuleNotFoundError as error:
        raise RowError(
            "TRL replaces a template without {% generation %} by one of its own: install trl"
        ) from error
    try:
        return get_training_chat_template(tokenizer)
    except ValueError as error:
        raise RowError("TRL refuses the template: it has no {% generation %}") from error


@dataclass(frozen=True, slots=True)
class Axolotl:
    """The rule of axolotl's `type: chat_template`.

    Attributes:
        train_on_eos: turn, all, last or none: which tokens that end a message are trained.
        eot_tokens: Tokens that end a message; without any, the tokenizer's end of text.
        train_on_eot: The same as train_on_eos, for these.
        last_only: Whether only the last message is trained: neither roles_to_train nor
            train_on_eos is set.
    """

    train_on_eos: str = "turn"
    eot_tokens: tuple[str, ...] = ()
    train_on_eot: str = "turn"
    last_only: bool = False

    def __call__(
        self, renderer: ChatTemplate, one: Conversation, numbers: frozenset[int]
    ) -> TrainedTokens:
        """Return what is trained of a conversation; see `TokenRule`."""
        messages, tokenizer = _as_objects(one.messages), renderer.tokenizer
        if self.last_only:
            before = _ids(tokenizer, _text(tokenizer, messages[:-1], generation=True))
            ids = before + _ids(tokenizer, _text(tokenizer, messages))[len(before) :]
            return TrainedTokens(ids, [place >= len(before) for place in range(len(ids))])
        text = _text(tokenizer, messages, one.tools)
        made = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        ids, spans = list(made["input_ids"]), list(made["offset_mapping"])
        trained, last = [False] * len(ids), dict[str, int]()
        for number in range(len(messages)):
            if number not in numbers and "all" not in (self.train_on_eos, self.train_on_eot):
                continue
            dummies = [
                _text(tokenizer, _with_dummy(messages, number, d), one.tools) for d in _DUMMIES
            ]
            start, end = _tokens_between(spans, *_changed(text, dummies))
            if number in numbers and start >= 0:
                trained[start:end] = [True] * (end - start)
            for kind, option, place in self._ends(tokenizer, ids, end):
                last[kind] = place
                if option == "all" or (option == "turn" and number in numbers):
                    trained[place] = True
        for kind, option in (("eot", self.train_on_eot), ("eos", self.train_on_eos)):
            if option == "last" and kind in last:
                trained[last[kind]] = True
        return TrainedTokens(ids, trained)

    def _ends(
        self, tokenizer: "PreTrainedTokenizerBase", ids: list[int], end: int
    ) -> Iterator[tuple[str, str, int]]:
        """Yield kind, option and place of each token that ends the message before `end`."""
        eos = tokenizer.eos_token_id
        eot = [tokenizer.convert_tokens_to_ids(token) for token in self.eot_tokens] or [eos]
        for kind, option, known in (
            ("eot", self.train_on_eot, eot),
            ("eos", self.train_on_eos, [eos]),
        ):
            start = max(end, 0)
            place = next((n for n in range(start, len(ids)) if ids[n] in known), None)
            if place is not None and place - end <= _NEAR:
                yield kind, option, place


def _text(
    tokenizer: "PreTrainedTokenizerBase",
    messages: Sequence[Message],
    tools: Sequence[dict[str, Any]] = (),
    generation: bool = False,
) -> str:
    return str(
        tokenizer.apply_chat_template(
            list(messages),
            tools=list(tools) or None,
            tokenize=False,
            add_generation_prompt=generation,
        )
    )


def _ids(tokenizer: "PreTrainedTokenizerBase", text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _with_dummy(messages: Sequence[Message], number: int, dummy: str) -> list[Message]:
    """Return the conversation with another text in place of a message."""
    other = {"role": messages[number]["role"], "content": dummy}
    return [*messages[:number], other, *messages[number + 1 :]]


def _changed(text: str, others: Sequence[str]) -> tuple[int, int]:
    """Return the part of `text` that is not as in one of `others`, in characters."""
    starts, ends = [], []
    for other in others:
        start = len(commonprefix([text, other]))
        limit = min(len(text), len(other)) - start
        starts.append(start)
        ends.append(len(text) - min(limit, len(commonprefix([text[::-1], other[::-1]]))))
    return min(starts), max(ends)


def _tokens_between(spans: list[tuple[int, int]], start: int, end: int) -> tuple[int, int]:
    """Return the first token of these characters and the one after the last; -1 without any."""
    if end <= start:
        return -1, -1
    first = bisect_right([stop for _, stop in spans], start)
    return first, bisect_left([begin for begin, _ in spans], end)


def _as_objects(messages: Sequence[Message]) -> list[Message]:
    """Return the messages with the arguments of calls as objects, as both give them."""
    ready = []
    for message in messages:
        calls = [
            {**call, "function": {**call["function"], "arguments": _object(call["function"])}}
            for call in message.get("tool_calls") or []
        ]
        ready.append({**message, "tool_calls": calls} if calls else message)
    return ready


def _object(function: Message) -> Any:
    given = function.get("arguments") or {}
    return json.loads(given) if isinstance(given, str) else given


def _runs(ids: list[int], chosen: list[bool]) -> list[list[int]]:
    pairs = groupby(zip(ids, chosen, strict=True), lambda pair: pair[1])
    return [[id for id, _ in run] for wanted, run in pairs if wanted]
