"""Which tokens the loss sees: exactly those that the student will have to emit.

Every assistant message becomes a turn: the context, as the chat template renders it for generation,
and the completion, up to and including the stop token. Only the completion is trained. Where a
turn's context continues from the end of an earlier turn, the two share one sequence; where it does
not (a template that drops earlier thinking, text that is tokenised differently inside its context),
the turn gets a sequence of its own. So the mask is exact for any template that passes the checks,
whatever it does to earlier turns.

The sequences of a conversation, of all trajectories of a tree, or of both halves of a pair are
paths of one trie: `trainer.tokens.trie`.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.templates.base import Message
from trainer.errors import RowError, TemplateRefused
from trainer.tokens.chat_template import ChatTemplate
from trainer.tokens.encoder import squeeze

IGNORE = -100
"""The label of a token that the loss does not see (torch's and TRL's convention)."""


@dataclass(frozen=True, slots=True)
class Turn:
    """An assistant's turn.

    Attributes:
        context: Token ids before the turn.
        completion: Token ids that the student must then emit.
        weight: Loss weight of each of them; 0 where the message is context only.
    """

    context: list[int]
    completion: list[int]
    weight: float = 1.0

    @property
    def trained(self) -> bool:
        """Whether the loss sees the completion."""
        return self.weight != 0


@dataclass(frozen=True, slots=True)
class Labelled:
    """A sequence to train on.

    Attributes:
        ids: Token ids.
        labels: The id of each token that is trained, else IGNORE.
        weights: Loss weight of each token: that of its message, 0 where it is not trained.
    """

    ids: list[int]
    labels: list[int]
    weights: list[float]

    @property
    def trained(self) -> int:
        """How many tokens the loss sees."""
        return len(self.labels) - self.labels.count(IGNORE)


def weight_of(message: Message) -> float:
    """Return the loss weight of an assistant message: its `"weight"`, 1 without one.

    OpenAI's fine-tuning uses the same key, for 0 and 1. `datasets` fills in None where other
    messages have it.
    """
    weight = message.get("weight")
    return 1.0 if weight is None else float(weight)


def is_trained(message: Message) -> bool:
    """Return whether the loss sees an assistant message: unless it has `"weight": 0`."""
    return weight_of(message) != 0


def label(
    renderer: ChatTemplate,
    messages: Sequence[Message],
    tools: Sequence[dict[str, Any]] = (),
    first: int = 0,
) -> list[Labelled]:
    """Return the sequences of a conversation.

    Every assistant turn is trained in exactly one of them; turns of weight 0 (`is_trained`) in
    none.

    Args:
        renderer: The chat template.
        messages: The conversation.
        tools: Tool definitions.
        first: Assistant messages before this index are context only (the prompt of a pair).

    Raises:
        TemplateRefused: The template cannot show this kind of conversation to any model.
        RowError: This conversation cannot be used.
    """
    return merge(turns(renderer, messages, tools, first))


def turns(
    renderer: ChatTemplate,
    messages: Sequence[Message],
    tools: Sequence[dict[str, Any]] = (),
    first: int = 0,
) -> list[Turn]:
    """Return the turns of a conversation, one per assistant message; see `label`."""
    _check_tools(renderer, messages, tools)
    replies = [n for n, m in enumerate(messages) if m["role"] == "assistant" and n >= first]
    if not replies:
        raise RowError("it has no assistant message")
    render = renderer.prefixes(messages, tools)
    contexts = [render(n, generation=True) for n in replies]
    closed = [render(n + 1, generation=False) for n in replies]
    called = [bool(messages[n].get("tool_calls")) for n in replies]
    parts = zip(contexts, closed, called, strict=True)
    completions = [_completion(renderer, *part) for part in parts]
    _check_contexts(renderer, messages, replies, contexts)
    for number, context, completion in zip(replies, contexts, completions, strict=True):
        _check_reply(renderer, messages[number], context, completion)
    encoded = renderer.encoder.encode_after(contexts, completions)
    for (_, ids), completion in zip(encoded, completions, strict=True):
        renderer.encoder.check_writable(ids, completion)
    weights = [weight_of(messages[number]) for number in replies]
    return [Turn(*ids, weight) for ids, weight in zip(encoded, weights, strict=True)]


def merge(turns: Iterable[Turn]) -> list[Labelled]:
    """Return as few sequences as hold every trained turn, each completion labelled once."""
    paths: list[Labelled] = []
    for turn in turns:
        if not turn.trained:
            continue
        prefixes = [path for path in paths if turn.context[: len(path.ids)] == path.ids]
        path = max(prefixes, key=lambda path: len(path.ids), default=None)
        if path is None:
            path = Labelled([], [], [])
            paths.append(path)
        between = turn.context[len(path.ids) :]
        path.ids.extend(between + turn.completion)
        path.labels.extend([IGNORE] * len(between) + turn.completion)
        path.weights.extend([0.0] * len(between) + [turn.weight] * len(turn.completion))
    return paths


def _completion(renderer: ChatTemplate, context: str, closed: str, called: bool) -> str:
    """Return what follows `context`, up to and including the stop token.

    What comes after the stop token (a line break in ChatML, an end of text in Phi 3) is written by
    the template, never by the model; it belongs to the next context, if there is one.
    """
    stop, tail = renderer.stop, _written(renderer, context, closed)
    tokens = list(renderer.control.finditer(tail))
    ends = _trailing(tail, tokens)
    end = next((token for token in ends if token[0] == stop), ends[-1] if ends else None)
    if any(token[0] == stop and (end is None or token.end() < end.end()) for token in tokens):
        raise TemplateRefused(
            f"the chat template continues a turn after the stop token {stop!r}, where a model has "
            "stopped"
        )
    if end:
        return tail[: end.end()]
    if not (ending := renderer.ending(called)):
        raise TemplateRefused("neither the chat template nor the tokenizer has a stop token")
    return tail + ending


def _written(renderer: ChatTemplate, context: str, closed: str) -> str:
    """Return what the template writes of a turn after its generation prompt.

    Some templates rewrite earlier messages once the turn is there (Mistral puts the system text
    into the last user message only). Then the turn starts after the last occurrence of the prompt's
    header, if the same control tokens precede it as in the context: so no turn lies between.
    Messages cannot hold control tokens, since theirs are replaced.
    """
    if closed.startswith(context):
        return closed[len(context) :]
    header, control = renderer.header(context), renderer.control
    if header and renderer.stop and header in closed:
        start = closed.rindex(header) + len(header)
        if Counter(control.findall(closed[:start])) == Counter(control.findall(context)):
            return closed[start:]
    raise TemplateRefused(
        "the chat template's generation prompt is not how it begins an assistant's turn "
        f"(it ends with {context[-40:]!r}), so the mask would not be what the model sees"
    )


def _trailing(text: str, tokens: Sequence[re.Match[str]]) -> list[re.Match[str]]:
    """Return those of `tokens` after which `text` holds nothing but tokens and blanks."""
    found: list[re.Match[str]] = []
    end = len(text)
    for token in reversed(tokens):
        if text[token.end() : end].strip():
            break
        found.insert(0, token)
        end = token.start()
    return found


def _check_tools(
    renderer: ChatTemplate, messages: Sequence[Message], tools: Sequence[dict[str, Any]]
) -> None:
    native = bool(tools) or any(m.get("tool_calls") or m["role"] == "tool" for m in messages)
    if native and renderer.lost_tools:
        raise TemplateRefused(
            f"the model's chat template does not support tool calls ({renderer.lost_tools}): "
            "export with --template react"
        )


def _check_contexts(
    renderer: ChatTemplate,
    messages: Sequence[Message],
    replies: Sequence[int],
    contexts: Sequence[str],
) -> None:
    """Require that each context holds the messages of user, system and tools.

    Earlier assistant messages may be shortened (thinking dropped): the mask stays exact.
    """
    before, shown = "", 0
    for number, context in zip(replies, contexts, strict=True):
        start = shown if context.startswith(before) else 0
        others = [m for m in messages[start:number] if m["role"] != "assistant"]
        _check_shown(renderer.plain(context), others)
        before, shown = context, number


def _check_reply(renderer: ChatTemplate, message: Message, context: str, completion: str) -> None:
    if any(text not in completion for text in _texts(message)):
        # The generation prompt may already hold the beginning of the message ("<think>").
        _check_shown(renderer.plain(renderer.header(context) + completion), [message])


def _check_shown(rendered: str, messages: Iterable[Message]) -> None:
    """Refuse a template that silently drops text or calls."""
    for message in messages:
        if lost := unshown(rendered, message):
            raise TemplateRefused(
                f"the chat template drops text of a message of role {message['role']}: "
                f"{lost.strip()[:60]!r}"
            )


def unshown(rendered: str, message: Message) -> str:
    """Return a text of `message` that `rendered` does not hold, or "".

    Texts are its content, its calls and their arguments; blanks and escapes are ignored.
    """
    texts = (text for text in _texts(message) if text not in rendered)
    return next((text for text in texts if not _shown_somehow(rendered, text)), "")


def _shown_somehow(rendered: str, text: str) -> bool:
    escaped = (json.dumps(text), json.dumps(text, ensure_ascii=False), repr(text))
    squeezed = squeeze(rendered)
    return any(squeeze(form) in squeezed for form in (text, *(e[1:-1] for e in escaped)))


def _texts(message: Message) -> Iterable[str]:
    yield message.get("content") or ""
    yield message.get("reasoning_content") or ""
    for call in message.get("tool_calls") or []:
        yield str(call["function"]["name"])
        yield from _leaves(_arguments(call["function"].get("arguments")))


def _arguments(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value else value


def _leaves(value: Any) -> Iterable[str]:
    """Yield the texts in a JSON value, names included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from (key, *_leaves(item))
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
