"""A chat model in this process, for `trainer eval` without a server and for `trainer serve`.

Limits: see `trainer.inference.kv_cache` for the models. Native tool calls work only with chat
templates that write them as `<tool_call>` JSON (Hermes, Qwen 2.5 and 3); serve other models with
vLLM and pass --base-url.
"""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from engine.chat.base import LOCAL, ChatReply, ChatRequest
from engine.templates.base import Message
from engine.templates.reading.reasoning import part
from search.policy import PolicyError
from search.usage import Usage
from trainer.errors import TrainerError
from trainer.inference.decoding import Decoder, Generated, Sampling
from trainer.inference.eft import Eft, EmulatedTuning
from trainer.inference.next_token import CachedModel, NextToken, own_ends
from trainer.runtime import hardware
from trainer.tokens.chat_template import ChatTemplate

SLOTS = 32
CONTEXT = 4096
MAX_TOKENS = 256
"""Maximum tokens per reply if the request sets none."""

_KNOWN = {
    *("temperature", "top_p", "n", "stop", "seed", "max_tokens", "max_completion_tokens"),
    "logprobs",
}
_CALL = re.compile(r"<tool_call>\s*(.*?)\s*(?:</tool_call>|\Z)", re.DOTALL)


class PromptTooLong(PolicyError):
    """The prompt leaves no room for a reply."""


class LocalChat:
    """An `engine.chat.base.Chat` over a model that this process loads. Close it after use.

    Attributes:
        name: The model's name.
        context: Maximum tokens of prompt and reply.
        fingerprint: 12 hex digits of what decides the replies.
        base_url: Stands for an endpoint: it names the model and its fingerprint.
        renderer: The model's chat template.
    """

    def __init__(
        self,
        model: str,
        *,
        slots: int = SLOTS,
        context: int = CONTEXT,
        dtype: torch.dtype | None = None,
        eft: Eft | None = None,
    ) -> None:
        """Load the model.

        Args:
            model: A directory, a hub id, or "smollm2".
            slots: Requests generated for at once.
            context: Maximum tokens of prompt and reply.
            dtype: None for bfloat16 if that is fast here, else float32.
            eft: What to add to the model.

        Raises:
            TrainerError: The model cannot be loaded, or not run here.
        """
        dtype = dtype or (torch.bfloat16 if hardware.fast_bf16() else torch.float32)
        if eft is None:
            loaded: NextToken = CachedModel.load(model, slots=slots, context=context, dtype=dtype)
        else:
            loaded = EmulatedTuning.load(model, eft, slots=slots, context=context, dtype=dtype)
        self.name = Path(model).name
        self.context = loaded.context
        self.fingerprint = loaded.fingerprint
        self.base_url = f"{LOCAL}{self.name}@{self.fingerprint}"
        self.renderer = ChatTemplate(loaded.tokenizer)
        self._decoder = Decoder(loaded, loaded.ends | _template_ends(self.renderer))

    @property
    def broken(self) -> bool:
        """Whether an error has ended generation, so that nothing can be asked any more."""
        return self._decoder.broken

    def close(self) -> None:
        """Finish the requests under way, and end the thread."""
        self._decoder.close()

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Answer `request`, whatever its `model`; see `engine.chat.base.Chat`.

        Raises:
            PolicyError: As `generate`.
        """
        replies = await self.generate(request)
        asked = bool(request.sampling.get("logprobs"))
        return ChatReply(
            tuple(message_of(reply.text, bool(request.tools)) for reply in replies),
            usage_of(replies),
            self.name,
            tuple(reply.finish for reply in replies),
            tuple(reply.logprob for reply in replies) if asked else (),
        )

    async def generate(self, request: ChatRequest) -> list[Generated]:
        """Return the reply of each choice; cancelling stops the generation.

        Raises:
            PromptTooLong: The prompt leaves no room in the context.
            PolicyError: The chat template cannot render the request, or a parameter is not
                supported.
        """
        number, parameters = _parameters(request)
        prompt = self._prompt(request)
        room = self.context - len(prompt)
        if room < 1:
            raise PromptTooLong(
                f"the prompt is {len(prompt)} tokens, over the context of {self.context}"
            )
        submitted = [
            self._decoder.submit(
                prompt, _choice_sampling(parameters, request.occurrence, choice, room)
            )
            for choice in range(number)
        ]
        return await asyncio.gather(*map(asyncio.wrap_future, submitted))

    def _prompt(self, request: ChatRequest) -> list[int]:
        if request.tools and (lost := self.renderer.lost_tools):
            raise PolicyError(
                f"the chat template of {self.name} does not support tool calls ({lost}): "
                "use --template react"
            )
        if request.tools and not self.renderer.writes_tool_call_json:
            raise PolicyError(
                f"{self.name} writes tool calls in a form that is not supported here: serve it "
                "with vLLM and pass --base-url, or use --template react"
            )
        try:
            text = self.renderer.render(request.messages, request.tools, generation=True)
            return self.renderer.encode(text)
        except TrainerError as error:
            raise PolicyError(str(error)) from error


def stop_ids(model: PreTrainedModel, renderer: ChatTemplate) -> frozenset[int]:
    """Return the token ids that end a reply: the model's, the tokenizer's, the chat template's."""
    return own_ends(model) | _template_ends(renderer)


def _template_ends(renderer: ChatTemplate) -> frozenset[int]:
    ends = [renderer.tokenizer.eos_token_id]
    if renderer.stop:
        ends.append(renderer.tokenizer.convert_tokens_to_ids(renderer.stop))
    return frozenset(int(id) for id in ends if id is not None)


def _parameters(request: ChatRequest) -> tuple[int, Mapping[str, Any]]:
    """Return the number of choices, and the parameters.

    Raises:
        PolicyError: A parameter is not supported.
    """
    parameters = {name: value for name, value in request.sampling.items() if value is not None}
    if unknown := sorted(set(parameters) - _KNOWN):
        raise PolicyError(f"a model in this process does not support {', '.join(unknown)}")
    return int(parameters.get("n", 1)), parameters


def _choice_sampling(
    parameters: Mapping[str, Any], occurrence: int, choice: int, room: int
) -> Sampling:
    """Return how to draw a choice: equal requests draw equal replies, their repeats other ones."""
    stop = parameters.get("stop", ())
    max_tokens = parameters.get("max_completion_tokens", parameters.get("max_tokens", MAX_TOKENS))
    seed = f"{parameters.get('seed', 0)}/{occurrence}/{choice}"
    return Sampling(
        max_tokens=min(int(max_tokens), room),
        temperature=float(parameters.get("temperature", 1.0)),
        top_p=float(parameters.get("top_p", 1.0)),
        seed=int.from_bytes(sha256(seed.encode()).digest()[:7]),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        logprobs=bool(parameters.get("logprobs")),
    )


def usage_of(replies: Sequence[Generated]) -> Usage:
    """Return the usage; like endpoints, it counts the prompt once for all choices."""
    first = replies[0]
    return Usage(1, first.prompt, sum(reply.completion for reply in replies), first.cached)


def message_of(text: str, tools: bool) -> Message:
    """Return the message that an endpoint would send.

    A call that is not JSON stays text: the prompt template mends it, or reports it as malformed.
    Reasoning is not searched for calls.
    """
    message: Message = {"role": "assistant", "content": text}
    rest = part(text).rest
    calls = []
    for number, found in enumerate(_CALL.finditer(rest) if tools else (), 1):
        try:
            called = json.loads(found[1])
            function = {"name": called["name"], "arguments": json.dumps(called["arguments"])}
        except (ValueError, KeyError, TypeError):
            return message
        calls.append({"id": f"call_{number}", "type": "function", "function": function})
    if calls:
        before = len(text) - len(rest) + rest.index("<tool_call>")
        message |= {"content": text[:before].strip(), "tool_calls": calls}
    return message
