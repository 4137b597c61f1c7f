"""Replies that are not complete: why, and the request that asks for them again.

A student that is trained on half a reply learns to stop in the middle. So a reply that the token
limit, a filter or an error ended, or that holds only reasoning, is asked for again, and is never
an action that can be played. The repeated request has a key of its own in the journal: each reply
is paid for once, also when the run is resumed.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from engine.chat.base import LOCAL, Chat, ChatReply, ChatRequest
from engine.templates.base import Message
from search.policy import MAX_AGAIN
from search.usage import Usage

ONLY_REASONING = "only_reasoning"
"""Why a reply with reasoning, but without content and calls, is not complete."""

_COMPLETE = frozenset(
    {
        *("", "stop", "tool_calls", "tool_call", "function_call", "tool_use"),
        *("eos", "eos_token", "end_turn", "stop_sequence", "complete", "completed"),
    }
)
_LENGTH = frozenset({"length", "max_tokens", "max_output_tokens", "model_length"})
_FILTERED = frozenset({"content_filter", "safety", "recitation", "prohibited_content"})
_TAGS = "(think|thinking|reasoning)"
_REASONING = re.compile(
    rf"<{_TAGS}>.*?(?:</\1>|\Z)|\A.*</{_TAGS}>\s*\Z",  # some servers leave out the first tag
    re.DOTALL | re.IGNORECASE,
)
_STRIDE = 1_000_000  # more than any search's attempts in one state


def why_incomplete(message: Message, finish: str = "") -> str:
    """Return why a reply is not complete, in one word; "" if it is.

    Args:
        message: The reply's message.
        finish: Its finish_reason, "" if the server gave none.
    """
    reason = "_".join(finish.lower().split())
    if reason in _LENGTH:
        return "length"
    if reason in _FILTERED:
        return "content_filter"
    if reason not in _COMPLETE:
        return reason
    return ONLY_REASONING if _is_only_reasoning(message) else ""


def incomplete(reply: ChatReply) -> list[str]:
    """Return `why_incomplete` of each message of `reply`."""
    finish = [*reply.finish, *[""] * len(reply.messages)]
    return [why_incomplete(one, why) for one, why in zip(reply.messages, finish, strict=False)]


def described(reason: str) -> str:
    """Return what to tell the model about its reply, which is not complete for `reason`."""
    told = {
        "length": "the reply was cut off at the token limit; write less, and make the call",
        "content_filter": "the reply was stopped by a content filter; write it differently",
        ONLY_REASONING: "the reply held reasoning only, and no call; make the call",
    }
    return told.get(reason, f"the reply ended early ({reason}); write it again")


def asked_again(request: ChatRequest, number: int, choices: int = 1) -> ChatRequest:
    """Return the request that asks for `choices` replies of `request` again.

    Args:
        request: The first request.
        number: How often it is now asked again, from 1.
        choices: How many of its replies were not complete.
    """
    sampling = {name: value for name, value in request.sampling.items() if name != "n"}
    if choices > 1:
        sampling["n"] = choices
    if isinstance(sampling.get("seed"), int):
        sampling["seed"] = (sampling["seed"] + number * _STRIDE) % 2**31
    occurrence = request.occurrence + number * _STRIDE
    return replace(request, sampling=sampling, occurrence=occurrence)


def may_differ(chat: Chat, request: ChatRequest) -> bool:
    """Return whether asking again can bring another reply: not from a greedy model in here."""
    return not (chat.base_url.startswith(LOCAL) and request.sampling.get("temperature") == 0)


async def complete(chat: Chat, request: ChatRequest) -> tuple[ChatReply, Usage]:
    """Return the reply to `request`, and what it cost to get it.

    It is asked for again while it is not complete; the last reply may still not be.

    Raises:
        PolicyError, BudgetSpent: See `Chat.complete`.
    """
    reply = await chat.complete(request)
    usage = reply.usage
    for number in range(1, MAX_AGAIN + 1):
        if not (any(incomplete(reply)) and may_differ(chat, request)):
            break
        reply = await chat.complete(asked_again(request, number))
        usage += reply.usage
    return reply, usage


def noted(reasons: Sequence[str]) -> str:
    """Return the reasons of one request's replies as `search.tree.Call.incomplete` holds them."""
    return " ".join(filter(None, reasons))


def _is_only_reasoning(message: Message) -> bool:
    if message.get("tool_calls") or message.get("refusal"):
        return False
    content = str(message.get("content") or "")
    if not content.strip():
        return bool(message.get("reasoning") or message.get("reasoning_content"))
    return not _REASONING.sub("", content).strip()
