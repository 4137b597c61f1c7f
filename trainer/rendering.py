"""From messages to token ids: the one renderer that training and the student in this process share.

Text is not control. A chat template writes messages and control tokens into one string, so a
`<|im_end|>` that a user or an observation holds would become the real token. Here every control
token inside a message is replaced by a mark before rendering and put back after the string has
been cut at the real ones; it is then encoded as plain text.
"""

import json
import re
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from engine.templates.base import Message
from trainer.errors import RowError, TemplateRefused

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_MARK = "\ufdd0"
"""A Unicode noncharacter: no text that is interchanged holds it; if one does, it is marked too."""


class Renderer:
    """A tokenizer's chat template, with text kept apart from control tokens.

    Raises:
        TemplateRefused: the tokenizer has no chat template.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        if not tokenizer.chat_template:
            raise TemplateRefused(
                f"{tokenizer.name_or_path}: the tokenizer has no chat template; "
                "use an instruction-tuned model"
            )
        self.tokenizer = tokenizer
        self._ids = {
            token.content: id
            for id, token in tokenizer.added_tokens_decoder.items()
            if token.special
        }
        # The longest first, so that no token hides another that begins with it.
        special = sorted(self._ids, key=len, reverse=True)
        self._marked = [_MARK, *special]
        self._text = re.compile("|".join(map(re.escape, self._marked)))
        self.control = re.compile("|".join(map(re.escape, special)) or r"(?!)")

    def render(
        self,
        messages: Sequence[Message],
        tools: Sequence[dict[str, Any]] = (),
        *,
        generation: bool,
    ) -> str:
        """The conversation as the template writes it, control tokens of the messages marked.

        generation: end with the header of the assistant's next turn.

        Raises:
            TemplateRefused: with the template's own words ("roles must alternate").
        """
        import jinja2

        try:
            text = self.tokenizer.apply_chat_template(
                [self._protected(_plain(message)) for message in messages],
                tools=self._protected(list(tools)) or None,
                tokenize=False,
                add_generation_prompt=generation,
            )
        except (jinja2.TemplateError, TypeError) as error:
            raise TemplateRefused(f"the chat template refuses these messages: {error}") from error
        return str(text)

    def encode(self, rendered: str) -> list[int]:
        """Token ids of what `render` wrote; marked control tokens become plain text.

        Raises:
            RowError: it is not Unicode text; or it holds marks and this tokenizer cannot be cut
                at control tokens.
        """
        try:
            rendered.encode()
        except UnicodeEncodeError as error:  # JSON can write one; no tokenizer takes it
            raise RowError("the text holds half of a surrogate pair") from error
        if _MARK not in rendered:
            return list(self.tokenizer(rendered, add_special_tokens=False)["input_ids"])
        if not self._cuts_cleanly:
            raise RowError("the text holds control tokens, which this tokenizer cannot keep apart")
        return self._encode_pieces(rendered)

    def plain(self, rendered: str) -> str:
        """`rendered` with the marked control tokens put back, for people and comparisons."""
        return re.sub(
            f"{_MARK}([0-9]+){_MARK}", lambda found: self._marked[int(found[1])], rendered
        )

    @cached_property
    def stop(self) -> str:
        """The control token that ends an assistant's turn ("" where the template writes none)."""
        asked: list[Message] = [{"role": "user", "content": "?"}]
        said: list[Message] = [*asked, {"role": "assistant", "content": "!"}]
        tail = self.render(said, generation=False).rpartition("!")[2]
        found = self.control.search(tail)
        return found[0] if found else ""

    @cached_property
    def lost_tools(self) -> str:
        """What the template drops of native tool calling: words for an error, "" if nothing."""
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
    def _cuts_cleanly(self) -> bool:
        """Whether encoding piece by piece equals encoding at once (it does not for tokenizers
        that put a blank before every piece)."""
        asked: list[Message] = [{"role": "user", "content": "one two\n3"}]
        text = self.render([*asked, {"role": "assistant", "content": "x  y"}], generation=False)
        return self._encode_pieces(text) == self.encode(text)

    def _encode_pieces(self, rendered: str) -> list[int]:
        ids: list[int] = []
        start = 0
        for found in [*self.control.finditer(rendered), None]:
            piece = rendered[start : found.start() if found else None]
            if piece:
                ids += self.tokenizer(
                    self.plain(piece), add_special_tokens=False, split_special_tokens=True
                )["input_ids"]
            if found:
                ids.append(self._ids[found[0]])
                start = found.end()
        return ids

    def _protected(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text.sub(
                lambda found: f"{_MARK}{self._marked.index(found[0])}{_MARK}", value
            )
        if isinstance(value, dict):
            return {self._protected(key): self._protected(item) for key, item in value.items()}
        return [self._protected(item) for item in value] if isinstance(value, list) else value


def _plain(message: Message) -> Message:
    """`message` as templates expect it: no None, arguments as an object (the wire has JSON)."""
    plain = {key: value for key, value in message.items() if value is not None}
    plain.setdefault("content", "")
    if calls := plain.pop("tool_calls", None):
        plain["tool_calls"] = [
            {**call, "function": {**call["function"], "arguments": _arguments(call["function"])}}
            for call in calls
        ]
    return plain


def _arguments(function: dict[str, Any]) -> Any:
    given = function.get("arguments") or {}
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except ValueError as error:
        raise RowError(f"the arguments of a tool call are not JSON ({error})") from error


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
    {"role": "tool", "tool_call_id": "call_0001", "content": "probe result"},
]
