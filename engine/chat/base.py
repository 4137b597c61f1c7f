"""What the engine asks of a chat model. Everything between a policy and a server is a `Chat`:
the endpoint itself, the journal before it, the rates and the budget, a model in this process.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from engine.templates.base import Message
from search.usage import Usage


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One request; everything in it tells requests apart (the journal's key).

    sampling: OpenAI's parameters beside the messages: temperature, top_p, n, stop, seed, ...
    occurrence: which one of requests that are otherwise equal; not sent.
    """

    model: str
    messages: list[Message]
    tools: list[dict[str, Any]] = field(default_factory=list)
    sampling: Mapping[str, Any] = field(default_factory=dict)
    occurrence: int = 0


@dataclass(frozen=True, slots=True)
class ChatReply:
    """What came back.

    messages: one assistant message a choice, in OpenAI's wire format; at least one.
    usage: of the whole request, as when it was paid; `calls` is 1.
    model: as the server names itself.   finish: a finish_reason a choice.
    logprobs: of each choice, the mean natural log-probability of its tokens (nats a token, 0 or
        less); None for a choice of which the server says none; () where it was not asked.
    key: of the request in the journal; "" where there is none.
    """

    messages: tuple[Message, ...]
    usage: Usage
    model: str = ""
    finish: tuple[str, ...] = ()
    logprobs: tuple[float | None, ...] = ()
    key: str = field(default="", compare=False)


class Chat(Protocol):
    base_url: str
    """Where requests go; part of the journal's key. Never holds a key or a password."""

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Answer `request`.

        Raises:
            search.PolicyError: refused for good, or retries used up; with the server's words.
            search.BudgetSpent: the run can pay for no further request.
        """
