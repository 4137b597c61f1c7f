"""Render a chat template many times for one conversation, each as transformers renders it.

`apply_chat_template` copies all messages and tools for each rendering, and its sandbox tests the
types of an object on each read of a field. Here transformers prepares the messages once for all
renderings, and the sandbox remembers what it allowed. A template may come from anybody: it stays in
the sandbox.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from jinja2 import Environment, Template, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.templates.base import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_PREPARED = "{{ [messages, tools] | tojson }}"
"""A chat template that writes what transformers gives to a chat template."""

_DICT_ATTRIBUTES = frozenset(dir(dict))


class RenderedPrefixes:
    """The beginnings of a conversation, as a tokenizer's chat template writes them.

    Args:
        tokenizer: The tokenizer.
        messages: The conversation.
        tools: Tool definitions.

    Raises:
        jinja2.TemplateError, TypeError: The messages are not what chat templates take.
    """

    def __init__(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        messages: Sequence[Message],
        tools: Sequence[dict[str, Any]],
    ) -> None:
        self._program = _compiled(tokenizer.get_chat_template(tools=list(tools) or None))
        written = tokenizer.apply_chat_template(
            [list(messages)],
            tools=[*tools] or None,
            chat_template=_PREPARED,
            tokenize=False,
        )
        self._messages, ready = json.loads(str(written[0]))
        self._values = {**tokenizer.special_tokens_map, "tools": ready, "documents": None}

    def render(self, length: int, *, generation: bool) -> str:
        """Return the first `length` messages as the template writes them.

        Args:
            length: Number of messages.
            generation: Whether to end with the header of the assistant's next turn.

        Raises:
            jinja2.TemplateError, TypeError: The template refuses them.
        """
        return self._program.render(
            messages=self._messages[:length], add_generation_prompt=generation, **self._values
        )


class RememberingSandbox(ImmutableSandboxedEnvironment):
    """jinja2's sandbox, faster: it allows and returns the same."""

    _safe: ClassVar[dict[tuple[type, str], bool]] = {}

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Return what the sandbox answers; it looks at the type of `obj` and at the name only."""
        key = (type(obj), attr)
        if (known := self._safe.get(key)) is None:
            known = self._safe[key] = super().is_safe_attribute(obj, attr, value)
        return known

    def getattr(self, obj: Any, attribute: str) -> Any | Undefined:
        """Return a field; the sandbox first looks for an attribute, which raises in most cases."""
        if type(obj) is not dict or attribute in _DICT_ATTRIBUTES:
            return super().getattr(obj, attribute)
        if attribute in obj:
            return obj[attribute]
        return self.undefined(obj=obj, name=attribute)


@lru_cache
def _compiled(chat_template: str) -> Template:
    """Return the template, compiled for transformers' environment in a `RememberingSandbox`."""
    from transformers.utils.chat_template_utils import _compile_jinja_template

    environment: Environment = _compile_jinja_template(chat_template).environment.overlay()
    environment.__class__ = RememberingSandbox  # it has all else: filters, functions, extensions
    return environment.from_string(chat_template)
