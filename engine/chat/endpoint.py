"""A server that speaks OpenAI's chat API, through the official client.

Requests go out by the client's `post`, not by `chat.completions.create`: with tools in the request
the latter spends 4 to 8 ms of processor time on pydantic types, several times what the request
itself costs, and refuses parameters that only other servers know.
"""

import asyncio
import itertools
import json
from collections.abc import Mapping
from math import fsum
from time import monotonic
from typing import Any, Self

from engine.chat import address
from engine.chat.base import ChatReply, ChatRequest
from engine.chat.limiter import Limiter
from engine.chat.prices import Price, cost
from engine.chat.retry import Retries, Transient, fault
from engine.templates.base import Message
from engine.templates.openai_format import mended
from search.policy import PolicyError
from search.usage import Usage

_KEPT = ("content", "refusal", "reasoning", "reasoning_content")
_CONNECTIONS = 8  # at once, of one client
_WORDS = 500  # characters of a server's words that are shown


class Endpoint:
    """A Chat. Neither the key nor a password in the address shows in a message or in `base_url`.

    concurrency: the most requests at once.   price: of the model; fills `usage.usd`.
    timeout: seconds for one attempt, from the first byte sent to the last received.
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

        self.base_url, password = address.split(base_url)
        if not (api_key.isascii() and api_key.isprintable()):
            raise PolicyError("the key (OPENAI_API_KEY) holds characters that no key holds")
        self.limiter = Limiter(concurrency)
        self._retries = retries or Retries()
        self._price = price
        self._timeout = timeout
        # "none" and the like are what local servers are given; replacing it would garble words.
        self._secrets = [secret for secret in (api_key, password) if len(secret) > 5]
        self._stopping = asyncio.Event()
        # At every request a client's pool looks at each connection, with two system calls for one
        # that is idle, each of which lets the environments' threads take the interpreter.
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

    @classmethod
    def from_environment(
        cls,
        base_url: str | None = None,
        *,
        concurrency: int = 64,
        retries: Retries | None = None,
        price: Price | None = None,
        timeout: float = 300.0,
    ) -> Self:
        """The endpoint at `base_url`, else OPENAI_BASE_URL, else OpenAI's; key OPENAI_API_KEY.

        Raises:
            PolicyError: OpenAI's own address without a key, or an address that is none.
        """
        url, key = address.reached(base_url)
        return cls(url, key, concurrency=concurrency, retries=retries, price=price, timeout=timeout)

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Answer `request`; see `Chat`."""
        body = {"model": request.model, "messages": request.messages, **request.sampling}
        if request.tools:
            body["tools"] = request.tools
        return await self._retries.run(lambda: self._attempt(body), self._sleep)

    def stop(self) -> None:
        """Send nothing more: calls that wait (for a turn, to try again) are cancelled.

        Those under way go on. For Ctrl-C, before `CachedChat.drain`.
        """
        self._stopping.set()

    async def aclose(self) -> None:
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
        """The text of a good answer.

        Raises:
            Transient, PolicyError
        """
        import openai

        try:
            async with asyncio.timeout(self._timeout):
                client = next(self._turns)
                return await client.post("/chat/completions", body=body, cast_to=str)
        except UnicodeEncodeError:
            return await self._post(mended(body))
        except (TimeoutError, openai.APITimeoutError):
            words = f"no answer from {self.base_url} in {self._timeout:g} s"
            raise Transient(words, congested=True) from None
        except openai.APIStatusError as error:
            words, code = _complaint(error.body)
            raise fault(
                error.status_code, self._shown(words), code, error.response.headers
            ) from None
        except openai.APIError as error:  # the connection, or what came over it, broke
            words = f"{error.message} {error.__cause__ or ''}"
            raise Transient(f"{self.base_url}: {self._shown(words)}") from None

    def _shown(self, words: str) -> str:
        for secret in self._secrets:
            words = words.replace(secret, "[key]")
        return " ".join(words.split())[:_WORDS]

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
        raise asyncio.CancelledError("the endpoint was stopped")


def _complaint(body: object) -> tuple[str, str]:
    """A server's words and its code for an error, from the decoded body of its answer."""
    if isinstance(body, Mapping):
        words = body.get("message") or body.get("detail") or json.dumps(body)
        code = body.get("code") or body.get("type") or ""
        return str(words), str(code)
    return str(body or "no words"), ""


def _reply(text: str, price: Price | None, logprobs: bool) -> ChatReply:
    """Read the body of a good answer.   logprobs: whether they were asked for.

    Raises:
        Transient: it is none: broken JSON, no choices, a message that is no message.
        PolicyError: an error for good in the clothes of a good answer (some proxies do so).
    """
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Transient(f"the answer is not JSON ({error}): {text[:100]!r}") from None
    if "\\ud" in text or "\\uD" in text:
        raw = mended(raw)
    if not isinstance(raw, dict):
        raise Transient(f"the answer is not a JSON object: {text[:100]!r}")
    if isinstance(raw.get("error"), dict) and not raw.get("choices"):
        words, code = _complaint(raw["error"])
        raise fault(int(code) if code.isdecimal() else 500, words[:_WORDS], code, {})
    choices = raw.get("choices")
    if not isinstance(choices, list) or not choices:
        raise Transient("the answer has no choices")
    messages = tuple(_message(choice) for choice in choices)
    finish = tuple(str(choice.get("finish_reason") or "") for choice in choices)
    usage = _usage(raw.get("usage"), price)
    sure = tuple(_logprob(choice.get("logprobs")) for choice in choices) if logprobs else ()
    return ChatReply(messages, usage, str(raw.get("model") or ""), finish, sure)


def _logprob(raw: object) -> float | None:
    """The mean log-probability of a choice's tokens; None where one of them has none."""
    content = raw.get("content") if isinstance(raw, dict) else None
    tokens = content if isinstance(content, list) else []
    found = [token.get("logprob") if isinstance(token, dict) else None for token in tokens]
    known = [float(each) for each in found if isinstance(each, int | float) and abs(each) < 1e9]
    return fsum(known) / len(known) if known and len(known) == len(found) else None


def _message(choice: object) -> Message:
    """The message of a choice: role, content, tool_calls, and what the model thought."""
    given = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(given, dict):
        raise Transient("the answer has a choice without a message")
    kept: Message = {"role": "assistant", "content": None}
    for name in _KEPT:
        value = given.get(name)
        if name == "content" and isinstance(value, list):  # as parts
            value = "".join(part["text"] for part in value if _is_text(part))
        if isinstance(value, str):
            kept[name] = value
    calls = given.get("tool_calls")
    if calls:
        if not isinstance(calls, list) or not all(_is_call(call) for call in calls):
            raise Transient("the answer has tool calls that are none")
        kept["tool_calls"] = [{**call, "function": _function(call["function"])} for call in calls]
    return kept


def _function(called: dict[str, Any]) -> dict[str, Any]:
    """Name and arguments as texts, as OpenAI has them; some servers send arguments decoded.

    What they say is for the template to judge: nonsense is the model's mistake, not trouble.
    """
    name, given = called.get("name"), called.get("arguments")
    arguments = given if isinstance(given, str) else json.dumps({} if given is None else given)
    return {**called, "name": name if isinstance(name, str) else "", "arguments": arguments}


def _is_text(part: object) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str)


def _is_call(call: object) -> bool:
    return isinstance(call, dict) and isinstance(call.get("function"), dict)


def _usage(raw: object, price: Price | None) -> Usage:
    """Servers that count nothing count 0; `cached_tokens` never exceeds `prompt_tokens`."""
    raw = raw if isinstance(raw, dict) else {}
    details = raw.get("prompt_tokens_details")
    prompt = _count(raw.get("prompt_tokens"))
    cached = _count(details.get("cached_tokens") if isinstance(details, dict) else 0)
    usage = Usage(1, prompt, _count(raw.get("completion_tokens")), min(cached, prompt))
    usd = cost(price, usage) if price else 0.0
    return Usage(1, prompt, usage.completion_tokens, usage.cached_tokens, usd)


def _count(value: object) -> int:
    """A count as SQLite can keep it; what is none is 0."""
    return value if isinstance(value, int) and 0 < value < 2**53 else 0
