"""A server that speaks OpenAI's chat API, through the official client.

Requests use the client's `post`, not `chat.completions.create`. With tools in the request, the
latter spends 4 to 8 ms of processor time on pydantic types, several times the cost of the request
itself; and it refuses parameters that only other servers know.
"""

import asyncio
import itertools
import json
from collections.abc import Mapping
from dataclasses import replace
from math import fsum
from time import monotonic
from typing import Any

from engine.chat.address import split_password
from engine.chat.base import ChatReply, ChatRequest
from engine.chat.limiter import Limiter
from engine.chat.prices import Price, cost
from engine.chat.retry import Retries, Transient, http_error
from engine.templates.base import Message
from engine.templates.openai_format import replace_surrogates
from search.policy import PolicyError
from search.usage import Usage

_KEPT = ("content", "refusal", "reasoning", "reasoning_content")
_CONNECTIONS = 8  # at once, per client
_SHOWN = 500  # characters of a server's message that are shown


class Endpoint:
    """A Chat. The key and a password in the address never show in an error or in `base_url`.

    Args:
        base_url: the server's address; may hold a user and a password.
        price: of the model; fills `usage.usd`.
        timeout: seconds per attempt, from the first byte sent to the last received.

    Raises:
        PolicyError: the address is not a URL, or the key is not printable ASCII.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str = "",
        *,
        concurrency: int = 64,
        retries: Retries | None = None,
        price: Price | None = None,
        timeout: float = 300.0,
    ) -> None:
        from openai import AsyncOpenAI, Timeout  # 0.4 s: `engine --help` must not pay it

        self.base_url, password = split_password(base_url)
        if not (api_key.isascii() and api_key.isprintable()):
            raise PolicyError(
                "the key (OPENAI_API_KEY) holds characters that are not printable ASCII"
            )
        self.limiter = Limiter(concurrency)
        self._retries = retries or Retries()
        self._price = price
        self._timeout = timeout
        # Local servers get keys such as "none"; hiding those would garble error messages.
        self._secrets = [secret for secret in (api_key, password) if len(secret) > 5]
        self._stopping = asyncio.Event()
        # At every request a client's pool checks each connection, with two system calls per idle
        # one; each of these lets the environments' threads take the interpreter lock.
        self._clients = [
            AsyncOpenAI(
                base_url=base_url,
                api_key=api_key or "none",
                max_retries=0,  # ours are counted, bounded and shared with the limiter
                timeout=Timeout(timeout, connect=min(timeout, 10.0)),
            )
            for _ in range(-(-concurrency // _CONNECTIONS))
        ]
        self._turns = itertools.cycle(self._clients)

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Answer `request`; see `Chat`."""
        body = {"model": request.model, "messages": request.messages, **request.sampling}
        if request.tools:
            body["tools"] = request.tools
        return await self._retries.run(self._sleep, self._attempt, body)

    def stop(self) -> None:
        """Send nothing more: cancel the calls that wait for a turn or for a retry.

        Requests under way go on. For Ctrl-C, before `CachedChat.drain`.
        """
        self._stopping.set()

    async def aclose(self) -> None:
        """Close the connections."""
        for client in self._clients:
            await client.close()

    async def _attempt(self, body: dict[str, Any]) -> ChatReply:
        async with self.limiter as sent:
            if self._stopping.is_set():
                raise asyncio.CancelledError("the endpoint was stopped")
            began = monotonic()
            try:
                reply = _reply(await self._post(body), self._price, bool(body.get("logprobs")))
            except Transient as failure:
                failure.took = monotonic() - began
                if failure.congested:
                    pause = min(failure.after or 0.0, self._retries.patience)
                    self.limiter.cut(sent, pause)
                raise
            self.limiter.grow()
            return reply

    async def _post(self, body: dict[str, Any]) -> str:
        """Return the body of a successful response.

        Raises:
            Transient: the error may pass.
            PolicyError: it will not.
        """
        import openai

        try:
            async with asyncio.timeout(self._timeout):
                client = next(self._turns)
                return await client.post("/chat/completions", body=body, cast_to=str)
        except UnicodeEncodeError:
            return await self._post(replace_surrogates(body))
        except (TimeoutError, openai.APITimeoutError):
            words = f"no answer from {self.base_url} in {self._timeout:g} s"
            raise Transient(words, congested=True) from None
        except openai.APIStatusError as error:
            words, code = _error_of(error.body)
            headers = error.response.headers
            raise http_error(error.status_code, self._shown(words), code, headers) from None
        except openai.APIError as error:  # a broken connection or response
            words = f"{error.message} {error.__cause__ or ''}"
            raise Transient(f"{self.base_url}: {self._shown(words)}") from None

    def _shown(self, words: str) -> str:
        for secret in self._secrets:
            words = words.replace(secret, "[key]")
        return " ".join(words.split())[:_SHOWN]

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
        raise asyncio.CancelledError("the endpoint was stopped")


def _error_of(body: object) -> tuple[str, str]:
    """Return a server's message and code for an error, from the decoded response body."""
    if isinstance(body, Mapping):
        words = body.get("message") or body.get("detail") or json.dumps(body)
        code = body.get("code") or body.get("type") or ""
        return str(words), str(code)
    return str(body or "no message"), ""


def _reply(text: str, price: Price | None, logprobs: bool) -> ChatReply:
    """Read the body of a successful response.   logprobs: whether they were requested.

    Raises:
        Transient: the body is broken: not JSON, no choices, or a malformed message.
        PolicyError: it is a permanent error, which some proxies send with status 200.
    """
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Transient(f"the server's response is not JSON ({error}): {text[:100]!r}") from None
    if "\\ud" in text or "\\uD" in text:
        raw = replace_surrogates(raw)
    if not isinstance(raw, dict):
        raise Transient(f"the server's response is not a JSON object: {text[:100]!r}")
    if isinstance(raw.get("error"), dict) and not raw.get("choices"):
        words, code = _error_of(raw["error"])
        raise http_error(int(code) if code.isdecimal() else 500, words[:_SHOWN], code, {})
    choices = raw.get("choices")
    if not isinstance(choices, list) or not choices:
        raise Transient("the server's response has no choices")
    messages = tuple(_message(choice) for choice in choices)
    finish = tuple(str(choice.get("finish_reason") or "") for choice in choices)
    usage = _usage(raw.get("usage"), price)
    means = tuple(_mean_logprob(choice.get("logprobs")) for choice in choices) if logprobs else ()
    return ChatReply(messages, usage, str(raw.get("model") or ""), finish, means)


def _mean_logprob(raw: object) -> float | None:
    """Return the mean log-probability of a choice's tokens; None if any token lacks one."""
    content = raw.get("content") if isinstance(raw, dict) else None
    tokens = content if isinstance(content, list) else []
    found = [token.get("logprob") if isinstance(token, dict) else None for token in tokens]
    known = [float(each) for each in found if isinstance(each, int | float) and abs(each) < 1e9]
    return fsum(known) / len(known) if known and len(known) == len(found) else None


def _message(choice: object) -> Message:
    """Return the message of a choice: role, content, tool_calls and the model's reasoning."""
    given = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(given, dict):
        raise Transient("the server returned a choice without a message")
    kept: Message = {"role": "assistant", "content": None}
    for name in _KEPT:
        value = given.get(name)
        if name == "content" and isinstance(value, list):  # in parts
            value = "".join(part["text"] for part in value if _is_text(part))
        if isinstance(value, str):
            kept[name] = value
    calls = given.get("tool_calls")
    if calls:
        if not isinstance(calls, list) or not all(_is_call(call) for call in calls):
            raise Transient("the server returned malformed tool_calls")
        kept["tool_calls"] = [{**call, "function": _function(call["function"])} for call in calls]
    return kept


def _function(function: dict[str, Any]) -> dict[str, Any]:
    """Return name and arguments as strings, as OpenAI has them; some servers decode arguments.

    The template checks what they hold: nonsense is the model's mistake, not the server's.
    """
    name, arguments = function.get("name"), function.get("arguments")
    if not isinstance(arguments, str):
        arguments = json.dumps({} if arguments is None else arguments)
    return {**function, "name": name if isinstance(name, str) else "", "arguments": arguments}


def _is_text(part: object) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str)


def _is_call(call: object) -> bool:
    return isinstance(call, dict) and isinstance(call.get("function"), dict)


def _usage(raw: object, price: Price | None) -> Usage:
    """Read the usage; missing counts are 0, and cached tokens at most the prompt's."""
    raw = raw if isinstance(raw, dict) else {}
    details = raw.get("prompt_tokens_details")
    prompt = _count(raw.get("prompt_tokens"))
    cached = _count(details.get("cached_tokens") if isinstance(details, dict) else 0)
    usage = Usage(1, prompt, _count(raw.get("completion_tokens")), min(cached, prompt))
    return replace(usage, usd=cost(price, usage)) if price else usage


def _count(value: object) -> int:
    """Return a count that SQLite can hold; 0 for anything else."""
    return value if isinstance(value, int) and 0 < value < 2**53 else 0
