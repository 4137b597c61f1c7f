"""Which tokens the loss sees: exactly those that the student will itself have to emit.

For every assistant turn there is a pair: the context, as the chat template renders it for
generation, and the completion, up to and with the stop token. A pair is a path of token ids, of
which only the completion counts. Where a turn's context goes on from where an earlier turn ended,
the two share one sequence; where it does not (a template that drops earlier thinking, text that
is tokenised differently inside its context), the turn gets a sequence of its own. So the mask is
exact for any template that passes the checks, whatever it does to earlier turns.

Limit: every branch repeats its context; packing the paths into one trie comes later.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from unicodedata import normalize

from engine.templates.base import Message
from trainer.errors import RowError, TemplateRefused
from trainer.rendering import Renderer

IGNORE = -100
"""The label of a token that the loss does not see (torch's and TRL's convention)."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Token ids: what the student meets before an assistant turn, and what it must then emit."""

    context: list[int]
    completion: list[int]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A sequence to train on. ids: token ids.   labels: as many; IGNORE where not trained."""

    ids: list[int]
    labels: list[int]

    @property
    def trained(self) -> int:
        """How many tokens the loss sees."""
        return sum(label != IGNORE for label in self.labels)


def label(
    renderer: Renderer, messages: Sequence[Message], tools: Sequence[dict[str, Any]] = ()
) -> list[Labelled]:
    """The sequences of a conversation; every assistant turn is trained in exactly one of them.

    Raises:
        TemplateRefused: the template cannot show this kind of conversation to any model.
        RowError: this conversation cannot be used.
    """
    return merge(turns(renderer, messages, tools))


def turns(
    renderer: Renderer, messages: Sequence[Message], tools: Sequence[dict[str, Any]] = ()
) -> list[Turn]:
    """The pairs of a conversation, one an assistant message. Raises: as `label`."""
    native = bool(tools) or any(m.get("tool_calls") or m["role"] == "tool" for m in messages)
    if native and renderer.lost_tools:
        raise TemplateRefused(
            f"the model's chat template does not support tool calls ({renderer.lost_tools}): "
            "export with --template react"
        )
    made = []
    for number, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        context = renderer.render(messages[:number], tools, generation=True)
        closed = renderer.render(messages[: number + 1], tools, generation=False)
        completion = _completion(renderer, context, closed)
        _check_shown(renderer.plain(context), (m for m in messages[:number] if not _said(m)))
        _check_shown(renderer.plain(completion), [message])
        turn = Turn(renderer.encode(context), renderer.encode(completion))
        _check_faithful(renderer, turn.completion, completion)
        made.append(turn)
    if not made:
        raise RowError("it has no assistant message")
    return made


def merge(pairs: Iterable[Turn]) -> list[Labelled]:
    """As few sequences as hold every pair, each completion labelled once."""
    paths: list[Labelled] = []
    for turn in pairs:
        done = [path for path in paths if turn.context[: len(path.ids)] == path.ids]
        path = max(done, key=lambda path: len(path.ids), default=None)
        if path is None:
            path = Labelled([], [])
            paths.append(path)
        between = turn.context[len(path.ids) :]
        path.ids.extend(between + turn.completion)
        path.labels.extend([IGNORE] * len(between) + turn.completion)
    return paths


def _completion(renderer: Renderer, context: str, closed: str) -> str:
    """What follows `context`, up to and with the stop token.

    What comes after the stop token (a line break in ChatML) is written by the template, never by
    the model: it belongs to the next context.
    """
    if not closed.startswith(context):
        raise TemplateRefused(
            "the chat template's generation prompt is not how it begins an assistant's turn "
            f"(it ends with {context[-40:]!r}), so what the model meets is not what it would learn"
        )
    tail = closed[len(context) :]
    last = max((found.end() for found in renderer.control.finditer(tail)), default=0)
    if last and not tail[last:].strip():
        return tail[:last]
    if not renderer.tokenizer.eos_token:
        raise TemplateRefused("neither the chat template nor the tokenizer has a stop token")
    return tail + str(renderer.tokenizer.eos_token)


def _said(message: Message) -> bool:
    """Earlier assistant messages may be shortened in a context (thinking): that is exact here."""
    return bool(message["role"] == "assistant")


def _check_shown(rendered: str, messages: Iterable[Message]) -> None:
    """Refuse a template that silently drops text or calls; whitespace and JSON escapes aside."""
    squeezed = _squeeze(rendered)
    for message in messages:
        for text in _texts(message):
            forms = (text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
            if not any(_squeeze(form) in squeezed for form in forms):
                raise TemplateRefused(
                    f"the chat template drops text of a message of role {message['role']}: "
                    f"{text.strip()[:60]!r}"
                )


def _check_faithful(renderer: Renderer, ids: list[int], completion: str) -> None:
    """Some vocabularies lack bytes and drop them without a word (SmolLM2: that of U+40000 and its
    neighbours): the student cannot write such text. Normalisation of Unicode is no loss."""
    plain = renderer.plain(completion)
    if str(renderer.tokenizer.decode(ids)) == plain:
        return
    given, read = (
        _squeeze(normalize("NFKC", text)) for text in (plain, str(renderer.tokenizer.decode(ids)))
    )
    if given != read:
        raise RowError("the tokenizer cannot write what the agent wrote")


def _texts(message: Message) -> Iterable[str]:
    yield message.get("content") or ""
    for call in message.get("tool_calls") or []:
        yield str(call["function"]["name"])


def _squeeze(text: str) -> str:
    return "".join(text.split())
