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
from urllib.parse import urlsplit

from engine.chat.address import APIS, Address, check_key
from engine.chat.base import ChatReply, ChatRequest, EndpointUnusable
from engine.chat.client import CONNECT_SECONDS, no_connection, open_clients
from engine.chat.event_stream import is_stream, read_stream
from engine.chat.limiter import Limiter
from engine.chat.prices import Price, cost
from engine.chat.refusal import advice
from engine.chat.responses import to_chat, to_responses
from engine.chat.retry import Retries, Transient
from engine.chat.server_error import ServerError, error_in, is_page, page_error, words_of
from engine.chat.unread import READ, unread
from engine.templates.base import Message
from engine.templates.openai_format import replace_surrogates
from search.policy import PolicyError
from search.usage import Usage

_CONNECTIONS = 8  # at once, per client
_SHOWN = 300  # characters of a server's message that are shown
_PATIENCE = 3.0  # seconds for a server that has never answered and drops connections


class Endpoint:
    """A Chat. The key and a password in the address never show in an error or in `base_url`.

    Args:
        address: the server's; a text is read by `Address.of`.
        price: of the model; fills `usage.usd`.
        timeout: seconds per attempt, from the first byte sent to the last received.

    Attributes:
        keep_unread: whether replies have `ChatReply.unread`.

    Raises:
        PolicyError: the address is not a URL, the key is not printable ASCII, or the environment's
            proxies or certificates cannot be used.
    """

    def __init__(
        self,
        address: str | Address,
        api_key: str = "",
        *,
        concurrency: int = 64,
        retries: Retries | None = None,
        price: Price | None = None,
        timeout: float = 300.0,
    ) -> None:
        self._address = Address.of(address) if isinstance(address, str) else address
        self.base_url = self._address.where
        check_key(api_key, self._address.key_variable)
        self.limiter = Limiter(concurrency)
        self._retries = retries or Retries()
        self._price = price
        self._timeout = timeout
        self.keep_unread = False
        # Local servers get keys such as "none"; hiding those would garble error messages.
        secrets = (api_key, self._address.password)
        self._secrets = [secret for secret in secrets if len(secret) > 5]
        self._stopping = asyncio.Event()
        self._prefix = ""  # where the API is below the base URL
        self._reached = False  # some response came, even if it was an error
        self._first_sent: float | None = None
        self._answered: set[frozenset[str]] = set()  # kinds of requests that succeeded
        # At every request a client's pool checks each connection, with two system calls per idle
        # one; each of these lets the environments' threads take the interpreter lock.
        number = -(-concurrency // _CONNECTIONS)
        self._clients = open_clients(self._address, api_key, timeout, number)
        self._turns = itertools.cycle(self._clients)

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Answer `request`; see `Chat`."""
        body = {"model": request.model, "messages": request.messages, **request.sampling}
        if request.tools:
            body["tools"] = request.tools
        return await self._retries.run(self._sleep, self._attempt, body)

    async def check(self) -> None:
        """See within seconds, at no cost, that the server can be reached and takes the key.

        The list of models is asked for; servers that have none pass.

        Raises:
            EndpointUnusable: it cannot.
        """
        import openai

        try:
            async with asyncio.timeout(CONNECT_SECONDS + 1):
                limits = openai.Timeout(CONNECT_SECONDS)
                await self._clients[0].get("/models", cast_to=str, options={"timeout": limits})
        except openai.APIStatusError as error:
            words, code = words_of(error.body)
            refused = ServerError(self._shown(words), error.status_code, code)
            if refused.status == 401 and "scope" not in words:
                what = advice(refused, {"model": ""}, self._address)
                raise EndpointUnusable(f"{self.base_url}: {refused.text}; {what}") from None
        except TimeoutError:
            return
        except openai.APIError as error:
            found = no_connection(error, self._address)
            if found.unreached:
                words = f"{self.base_url}: {self._shown(found.words)}"
                raise EndpointUnusable(words, used_up=True) from None

    async def models(self) -> dict[str, Any]:
        """Return the server's list of models, as it gives it; an empty list if it has none.

        Raises:
            Transient: No answer came.
        """
        import openai

        try:
            text = await self._clients[0].get(self._prefix + "/models", cast_to=str)
        except openai.APIStatusError:
            return {"object": "list", "data": []}
        except openai.APIError as error:
            raise self._no_response(error) from None
        return _decoded(text)

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
                raw = await self._answer(body)
                reply = _reply(raw, self._price, bool(body.get("logprobs")))
                if self.keep_unread:
                    reply = replace(reply, unread=unread(raw))
            except Transient as failure:
                failure.took = monotonic() - began
                if failure.congested:
                    pause = min(failure.after or 0.0, self._retries.patience)
                    self.limiter.cut(sent, pause)
                raise
            self._answered.add(_kind(body))
            self.limiter.grow()
            return reply

    async def _answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the decoded answer, in the chat API's form.

        Raises:
            Transient: the error may pass.
            PolicyError: it will not; EndpointUnusable: it is the same for every request.
        """
        try:
            return await self._answer_below(self._prefix, body)
        except ServerError as error:
            if self._may_lack_v1 and (error.page or error.status in (0, 404, 405)):
                try:
                    return await self._answer_below("/v1", body)
                except ServerError as second:
                    if not (second.page or second.status in (404, 405)):
                        error = second
            error.words = self._shown(error.words)
            what = None if self._retries.before_first else advice(error, body, self._address)
            if what is None or self._took_before(body, error):
                raise error.of_request() from None
            raise EndpointUnusable(f"{self.base_url}: {error.text}; {what}") from None

    def _took_before(self, body: dict[str, Any], error: ServerError) -> bool:
        """Whether what is refused was taken before: the parameters, or any request at all."""
        about_parameters = error.status in (0, 400, 422, 500, 501) and not error.page
        return _kind(body) in self._answered if about_parameters else bool(self._answered)

    @property
    def _may_lack_v1(self) -> bool:
        """Whether the API may be below /v1, which the base URL leaves out."""
        bare = not urlsplit(self._address.public).path
        return bare and not (self._prefix or self._answered or self._address.azure)

    async def _answer_below(self, prefix: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask at the base URL and `prefix`.

        Raises:
            ServerError: the answer is an error; and as `_post`.
        """
        chat = self._address.api == "chat"
        sent = body if chat else to_responses(body)
        raw = _decoded(await self._post(prefix + APIS[self._address.api], sent))
        raw = raw if chat else to_chat(raw, body)
        if not raw.get("choices") and (error := error_in(raw)):
            raise error
        self._prefix = prefix
        return raw

    async def _post(self, path: str, body: dict[str, Any]) -> str:
        """Return the body of a successful response.

        Raises:
            ServerError: the server says that there is an error.
            Transient: no response came; another attempt may bring one.
            PolicyError: it will not.
        """
        import openai

        if self._first_sent is None:
            self._first_sent = monotonic()
        try:
            async with asyncio.timeout(self._timeout):
                client = next(self._turns)
                text = await client.post(path, body=body, cast_to=str)
        except UnicodeEncodeError:
            return await self._post(path, replace_surrogates(body))
        except openai.APIStatusError as error:
            self._reached = True
            words, code = words_of(error.body)
            headers = error.response.headers
            if error.response.history:  # the client repeats a redirected POST as GET
                words += f" (redirected to {error.response.url}: use that address)"
            raise ServerError(words, error.status_code, code, headers) from None
        except (TimeoutError, openai.APIError) as error:
            raise self._no_response(error) from None
        self._reached = True
        return text

    def _no_response(self, error: Exception) -> Exception:
        """Return the error for a request that brought none."""
        import openai

        found = no_connection(error, self._address)
        words = f"{self.base_url}: {self._shown(found.words)}"
        waited = monotonic() - (self._first_sent or 0.0) > _PATIENCE
        timed_out = isinstance(error, TimeoutError | openai.APITimeoutError)
        hopeless = found.unreached or (waited and not timed_out)
        if hopeless and not (self._reached or self._retries.before_first):
            return EndpointUnusable(words, used_up=True)
        if found.final:
            return PolicyError(words, used_up=True)
        if timed_out:
            words = f"no answer from {self.base_url} in {self._timeout:g} s"
        return Transient(words, congested=timed_out)

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


def _kind(body: Mapping[str, Any]) -> frozenset[str]:
    """Return what a request asks of a server: its parameters' names."""
    several = {"n"} if (body.get("n") or 1) > 1 else set()
    return frozenset((body.keys() - {"n"}) | several)


def _decoded(text: str) -> dict[str, Any]:
    """Decode the body of a successful response, which may be an event stream.

    Raises:
        Transient: the body is broken.
        ServerError: it is a web page.
    """
    if is_page(text):
        raise page_error(text)
    try:
        raw = read_stream(text) if is_stream(text) else json.loads(text.lstrip("\ufeff"))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Transient(f"the server's response is not JSON ({error}): {text[:300]!r}") from None
    if "\\ud" in text or "\\uD" in text:
        raw = replace_surrogates(raw)
    if isinstance(raw, str) and raw:
        raise ServerError(raw)
    if not isinstance(raw, dict):
        raise Transient(f"the server's response is not a JSON object: {text[:300]!r}")
    return raw


def _reply(raw: dict[str, Any], price: Price | None, logprobs: bool) -> ChatReply:
    """Read a decoded answer.   logprobs: whether they were requested.

    Raises:
        Transient: it has no choices, or a malformed message.
    """
    choices = raw.get("choices")
    if not isinstance(choices, list) or not choices:
        shown = json.dumps(raw, ensure_ascii=False)[:_SHOWN]
        raise Transient(f"the server's response has no choices: {shown}")
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
    for name in READ:
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
