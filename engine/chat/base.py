"""The chat contract.

Everything between a policy and a server is a `Chat`: the endpoint, the budget over it, the journal
over both, or a model in this process.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from engine.templates.base import Message
from search.policy import PolicyError
from search.usage import Usage

LOCAL = "local:"
"""How the `base_url` of a model in this process begins."""


class EndpointUnusable(PolicyError):
    """No request of this kind can succeed: nothing listens, the key is wrong, there is no model.

    It is raised only before the first success, and ends the whole command: no task is to blame. If
    retries are `used_up`, the server was not reached at all.
    """


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One request. Requests that differ in any field have different keys in the journal.

    Attributes:
        messages: the conversation, in OpenAI's format.
        tools: OpenAI's function objects.
        sampling: OpenAI's further parameters: temperature, top_p, n, stop, seed, ...
        occurrence: number among otherwise equal requests; not sent.
    """

    model: str
    messages: list[Message]
    tools: list[dict[str, Any]] = field(default_factory=list)
    sampling: Mapping[str, Any] = field(default_factory=dict)
    occurrence: int = 0


@dataclass(frozen=True, slots=True)
class ChatReply:
    """The answer to a request.

    Attributes:
        messages: one assistant message per choice, in OpenAI's format; at least one.
        usage: of the whole request, as when it was paid; `calls` is 1.
        finish: one finish_reason per choice.
        logprobs: per choice, the mean natural log-probability of its tokens (nats per token, at
            most 0), or None if the server gives none; () if they were not requested.
        unread: the other fields of the server's answer, as `engine.chat.unread` has them; empty
            unless the endpoint keeps them.
        key: the request's key in the journal; "" without a journal.
    """

    messages: tuple[Message, ...]
    usage: Usage
    model: str = ""
    finish: tuple[str, ...] = ()
    logprobs: tuple[float | None, ...] = ()
    unread: Mapping[str, Any] = field(default_factory=dict)
    key: str = field(default="", compare=False)


class Chat(Protocol):
    """Anything that answers chat requests."""

    base_url: str
    """Where requests go; part of the journal's key. Never holds a key or a password."""

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Answer `request`.

        Raises:
            search.PolicyError: a permanent refusal, or retries used up; in the server's words.
            EndpointUnusable: the same, of every request.
            search.BudgetSpent: the run's budget is spent.
        """


def usage_json(usage: Usage) -> dict[str, Any]:
    """Return the `usage` of a chat completion."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }
