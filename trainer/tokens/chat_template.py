"""From messages to text: the renderer that training and in-process inference share.

A chat template is a program by the model's maker. It is called here as a server calls it: for the
context of a turn, rendered for generation, and for the same messages with the turn. Whatever else
a template does to messages (drops thinking, merges, trims, adds a date) does no harm, since no text
here is put together from parts of different renderings.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from engine.templates.base import Message
from trainer.errors import RowError, TemplateRefused
from trainer.runtime.loading import load_tokenizer
from trainer.tokens.encoder import Encoder
from trainer.tokens.rendering import RenderedPrefixes

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class ChatTemplate:
    """A tokenizer's chat template, which keeps text apart from control tokens.

    Attributes:
        tokenizer: The tokenizer.
        encoder: Encodes rendered text.
        control: Matches any control token; see `Encoder`.
        control_ids: Ids of the control tokens.
        plain: Puts control tokens of messages back into rendered text; see `Encoder.plain`.

    Raises:
        TemplateRefused: The tokenizer has no chat template.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        if not tokenizer.chat_template:
            raise TemplateRefused(
                f"{tokenizer.name_or_path}: the tokenizer has no chat template; "
                "use an instruction-tuned model"
            )
        self.tokenizer = tokenizer
        self.encoder = Encoder(tokenizer)
        self.control = self.encoder.control
        self.control_ids = self.encoder.control_ids
        self.plain = self.encoder.plain

    def render(
        self,
        messages: Sequence[Message],
        tools: Sequence[dict[str, Any]] = (),
        *,
        generation: bool,
    ) -> str:
        """Return the conversation as the template writes it, control tokens of messages marked.

        Args:
            messages: The conversation.
            tools: Tool definitions.
            generation: Whether to end with the header of the assistant's next turn.

        Raises:
            TemplateRefused: The template raised an error, such as "roles must alternate".
        """
        return self.prefixes(messages, tools)(len(messages), generation=generation)

    def prefixes(
        self, messages: Sequence[Message], tools: Sequence[dict[str, Any]] = ()
    ) -> Callable[..., str]:
        """Return a function that renders `messages[:length]` as `render` does.

        Its arguments are `length` and `generation`. This is faster than several calls of `render`.
        """
        as_text = any(m.get("tool_calls") for m in messages) and self._wants_argument_text
        return self._prefixes(messages, tools, as_text)

    def encode(self, rendered: str) -> list[int]:
        """Return the token ids of what `render` wrote; raise as `Encoder.encode`."""
        return self.encoder.encode([rendered])[0]

    def header(self, context: str) -> str:
        """Return the last control token of a context and what follows it; "" without one."""
        last = list(self.control.finditer(context))[-1:]
        return context[last[0].start() :] if last else ""

    @cached_property
    def stop(self) -> str:
        """The control token that ends an assistant's turn ("" where the template writes none).

        Some templates write more when a conversation is over (Phi 3 an end of text), so the stop
        token is the last one that is also there when the conversation continues.

        Raises:
            TemplateRefused: The turn ends with text that is not a control token.
        """
        end = self.render(_ANSWERED, generation=False).rpartition("probe answer")[2]
        found = list(self.control.finditer(end))
        if not found and end.strip():
            raise TemplateRefused(
                f"the chat template ends a turn with {end.strip()!r}, which is not a control token "
                "of this tokenizer: add it as a special token"
            )
        continued = self.render([*_ANSWERED, _PROBE[0]], generation=False)
        after = continued.rpartition("probe answer")[2]
        lasting = [token for token in found if after.startswith(end[: token.end()])]
        return (lasting or found)[-1][0] if found else ""

    def ending(self, called: bool) -> str:
        """Return the stop token of a turn for which the template writes none.

        That is the role that comes next, where it is one token (GLM), else the tokenizer's end of
        text, else "".

        Args:
            called: Whether the turn is a tool call, not an answer.
        """
        try:
            closed = self.render(
                _PROBE[:2] if called else _ANSWERED, _PROBE_TOOLS, generation=False
            )
            next_ = _PROBE if called else [*_ANSWERED, _PROBE[0]]
            follows = self.render(next_, _PROBE_TOOLS, generation=False)
        except TemplateRefused:
            closed = follows = ""
        found = self.control.match(follows, len(closed)) if follows.startswith(closed) else None
        return found[0] if found else str(self.tokenizer.eos_token or "")

    @cached_property
    def lost_tools(self) -> str:
        """What the template drops of native tool calling, for an error message; "" if nothing."""
        try:
            asked = self.render(_PROBE[:1], _PROBE_TOOLS, generation=True)
            called = self.render(_PROBE[:2], _PROBE_TOOLS, generation=False)
            answered = self.render(_PROBE, _PROBE_TOOLS, generation=True)
        except TemplateRefused as refused:
            return str(refused)
        if "probe_tool" not in asked or "probe purpose" not in asked:
            return "it drops the tools"
        call = called.replace(asked, "")
        if "probe_tool" not in call or "probe value" not in call:
            return "it drops tool_calls"
        return "" if "probe result" in answered else "it drops messages of role tool"

    @cached_property
    def writes_tool_call_json(self) -> bool:
        """Whether a call is `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`."""
        called = self.render(_PROBE[:2], _PROBE_TOOLS, generation=False)
        return bool(re.search(r'<tool_call>\s*{"name": "probe_tool", "arguments": {"city"', called))

    @cached_property
    def _wants_argument_text(self) -> bool:
        """Whether the template takes a call's arguments as JSON text (DeepSeek), not an object."""
        try:
            called = self._prefixes(_PROBE, _PROBE_TOOLS, as_text=False)(2, generation=False)
        except TemplateRefused:
            return True
        return "{'city'" in called  # it writes Python

    def _prefixes(
        self, messages: Sequence[Message], tools: Sequence[dict[str, Any]], as_text: bool
    ) -> Callable[..., str]:
        protect = self.encoder.protect
        ready = [protect(_plain(message, as_text)) for message in messages]
        with _refusals():
            prefixes = RenderedPrefixes(self.tokenizer, ready, protect(list(tools)))

        def render(length: int, *, generation: bool) -> str:
            with _refusals():
                return prefixes.render(length, generation=generation)

        return render


@contextmanager
def _refusals() -> Iterator[None]:
    import jinja2

    try:
        yield
    except (jinja2.TemplateError, TypeError) as error:
        raise TemplateRefused(f"the chat template refuses these messages: {error}") from error


def load_chat_template(name_or_path: str) -> ChatTemplate:
    """Return a model's chat template; only its tokenizer is loaded.

    Args:
        name_or_path: Directory, hub id or smollm2.

    Raises:
        TrainerError: There is no such tokenizer, it cannot be downloaded, or it has no chat
            template.
    """
    return ChatTemplate(load_tokenizer(name_or_path))


def _plain(message: Message, as_text: bool) -> Message:
    """Return `message` as templates expect it: without None, call arguments as objects or text."""
    plain = {key: value for key, value in message.items() if value is not None}
    plain.setdefault("content", "")
    if calls := plain.pop("tool_calls", None):
        plain["tool_calls"] = [
            {
                "type": "function",
                **call,
                "function": {
                    **call["function"],
                    "arguments": _arguments(call["function"], as_text),
                },
            }
            for call in calls
        ]
    return plain


def _arguments(function: dict[str, Any], as_text: bool) -> Any:
    arguments = function.get("arguments") or {}
    try:
        value = json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError as error:
        raise RowError(f"the arguments of a tool call are not JSON ({error})") from error
    return json.dumps(value, ensure_ascii=False) if as_text else value


_PROBE_TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "probe_tool",
            "description": "probe purpose",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]
_PROBE: list[Message] = [
    {"role": "user", "content": "?"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {
                "id": "call_0001",
                "type": "function",
                "function": {"name": "probe_tool", "arguments": '{"city": "probe value"}'},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "call_0001", "name": "probe_tool", "content": "probe result"},
]
_ANSWERED: list[Message] = [_PROBE[0], {"role": "assistant", "content": "probe answer"}]
