"""How others mask a conversation: TRL's assistant_only_loss, and three ways that tutorials teach.

Each gives one sequence: its texts in order, and whether each is trained. They are given every
advantage: those that count or search tokens work on characters here, so that no token which joins
a header with what follows misleads them.
"""

from collections.abc import Callable
from itertools import groupby
from typing import TYPE_CHECKING, Any

import jinja2

from tests.support.conversations import Conversation

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    Tokenizer = PreTrainedTokenizerBase

Sequence = list[tuple[str, bool]]


class Refused(Exception):
    """The way does not take this template or this conversation."""


def trl(tokenizer: "Tokenizer", conversation: Conversation) -> Sequence:
    """SFTConfig(assistant_only_loss=True): generation markers, in TRL's own training template
    where the model's has none (trl/trainer/sft_trainer.py, tokenize_fn)."""
    from trl.chat_template_utils import get_training_chat_template

    made = tokenizer.apply_chat_template(
        conversation.messages,
        tools=conversation.tools or None,
        chat_template=get_training_chat_template(tokenizer),
        return_dict=True,
        return_assistant_tokens_mask=True,
    )
    if 1 not in made["assistant_masks"]:
        raise Refused("no assistant tokens")
    pairs = zip(made["input_ids"], made["assistant_masks"], strict=True)
    return [
        (str(tokenizer.decode([id for id, _ in run])), bool(trained))
        for trained, run in groupby(pairs, lambda pair: pair[1])
    ]


def per_message(tokenizer: "Tokenizer", conversation: Conversation) -> Sequence:
    """Each message rendered by itself; the assistant's are trained."""
    return [
        (
            _text(tokenizer, [message], [] if n else conversation.tools),
            message["role"] == "assistant",
        )
        for n, message in enumerate(conversation.messages)
    ]


def prefix_difference(tokenizer: "Tokenizer", conversation: Conversation) -> Sequence:
    """What lies between the length of the messages before an assistant's, rendered for generation,
    and the length of those up to it."""
    messages, tools = conversation.messages, conversation.tools
    text = _text(tokenizer, messages, tools)
    cuts = []
    for n, message in enumerate(messages):
        if message["role"] == "assistant":
            start = len(_text(tokenizer, messages[:n], tools, generation=True))
            cuts.append((start, len(_text(tokenizer, messages[: n + 1], tools))))
    return _cut(text, cuts)


def header_search(tokenizer: "Tokenizer", conversation: Conversation) -> Sequence:
    """From each assistant header to the next user header (TRL's former
    DataCollatorForCompletionOnlyLM, Unsloth's train_on_responses_only)."""
    opening, closing = _headers(tokenizer)
    text = _text(tokenizer, conversation.messages, conversation.tools)
    cuts, at = [], text.find(opening)
    while at >= 0:
        start = at + len(opening)
        ends = [end for end in (text.find(h, start) for h in (opening, closing)) if end >= 0]
        cuts.append((start, min(ends, default=len(text))))
        at = text.find(opening, start)
    if not cuts:
        raise Refused("no header found")
    return _cut(text, cuts)


WAYS: dict[str, Callable[["Tokenizer", Conversation], Sequence]] = {
    "TRL": trl,
    "per message": per_message,
    "prefix difference": prefix_difference,
    "header search": header_search,
}


def mask(way: str, tokenizer: "Tokenizer", conversation: Conversation) -> Sequence:
    """Raises: Refused."""
    try:
        return WAYS[way](tokenizer, conversation)
    except (jinja2.TemplateError, ValueError, TypeError, KeyError, IndexError) as error:
        raise Refused(str(error)) from error


def _headers(tokenizer: "Tokenizer") -> tuple[str, str]:
    """What begins an assistant's turn, and what begins a later user's."""
    asked = [{"role": "user", "content": "Q1"}]
    more = [*asked, {"role": "assistant", "content": "A1"}, {"role": "user", "content": "Q2"}]
    between = _text(tokenizer, more).partition("A1")[2].partition("Q2")[0]
    cut = max((between.rfind(token) for token in tokenizer.all_special_tokens), default=0)
    closed, opened = _text(tokenizer, asked), _text(tokenizer, asked, generation=True)
    opening = opened[len(closed) :] if opened.startswith(closed) else opened.partition("Q1")[2]
    # A template whose users' turns end where the assistant's begin (Mistral) adds nothing.
    opening = opening or opened.partition("Q1")[2]
    closing = between[max(cut, 0) :]
    if not opening.strip() or not closing.strip():
        raise Refused("the template has no headers")
    return opening, closing


def _cut(text: str, spans: list[tuple[int, int]]) -> Sequence:
    found: Sequence = []
    at = 0
    for start, end in spans:
        found += [(text[at:start], False), (text[max(at, start) : end], True)]
        at = max(at, end)
    return [*found, (text[at:], False)]


def _text(
    tokenizer: "Tokenizer", messages: Any, tools: Any = (), *, generation: bool = False
) -> str:
    return str(
        tokenizer.apply_chat_template(
            messages, tools=list(tools) or None, tokenize=False, add_generation_prompt=generation
        )
    )
