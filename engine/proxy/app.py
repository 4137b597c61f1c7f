"""The proxy as an ASGI app: OpenAI's routes for clients, and pages that say what was spent.

A reply is committed to the journal before any byte of it is sent. A streamed reply, too, is asked
whole and kept, then sent in chunks.
"""

import html
import json
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from engine.chat.base import ChatReply, ChatRequest, EndpointUnusable
from engine.chat.budget import Budget, BudgetedChat
from engine.chat.endpoint import Endpoint
from engine.chat.journal import CachedChat, Journal
from engine.chat.journal_db import JournalError
from engine.chat.prices import PriceError, Prices, cost, needed_price, price_of
from engine.prometheus import MEDIA_TYPE
from engine.proxy import responses_wire, wire
from engine.proxy.forms import WrongRequest
from engine.proxy.ledger import Ledger
from engine.proxy.settings import ProxySettings
from engine.proxy.wire import SAMPLE
from engine.templates.openai_format import replace_surrogates
from engine.web import has_token, is_of_this_machine, read_body
from search.policy import BudgetSpent, PolicyError

MAX_BODY_BYTES = 1 << 26
DRAIN_SECONDS = 30.0
"""How long a stop waits for replies under way, which are paid for."""
_SPENT = "insufficient_quota"


@dataclass(eq=False)
class _Refusal(Exception):
    """What a client is told.

    Attributes:
        status: The HTTP status.
        words: For a person.
        code: OpenAI's `code`.
        param: The field that is wrong.
    """

    status: int
    words: str
    code: str
    param: str = ""


class _Priced:
    """A Chat that says what a reply cost by the price of its model, and counts it."""

    def __init__(self, endpoint: Endpoint, prices: Prices, ledger: Ledger) -> None:
        self.base_url = endpoint.base_url
        self._endpoint, self._prices, self._ledger = endpoint, prices, ledger

    async def complete(self, request: ChatRequest) -> ChatReply:
        """Answer `request`; see `Chat`."""
        reply = await self._endpoint.complete(request)
        price = price_of(request.model, self._prices)
        if price is not None:
            reply = replace(reply, usage=replace(reply.usage, usd=cost(price, reply.usage)))
        figures = self._ledger.of(request.model)
        figures.paid += reply.usage
        figures.calls.see(request.tools, reply.messages)
        return reply


class Proxy:
    """An ASGI app; it opens its journal and its connections when the server starts it.

    Args:
        settings: What to serve.
        token: What clients must send as a bearer token; "" for nothing.

    Attributes:
        ledger: What clients asked, and what was paid.
    """

    def __init__(self, settings: ProxySettings, token: str = "") -> None:
        self.ledger = Ledger()
        self._settings, self._token = settings, token
        self._prices = settings.read_prices()
        self._created = int(time.time())
        self._app = Starlette(
            routes=[
                Route("/", self._page),
                Route("/health", self._health),
                Route("/usage", self._usage),
                Route("/metrics", self._metrics),
                Route("/v1/models", self._models),
                Route("/v1/chat/completions", self._complete, methods=["POST"]),
                Route("/v1/responses", self._respond, methods=["POST"]),
            ],
            exception_handlers={_Refusal: _refused, HTTPException: _http_error},
            lifespan=self._open,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI defines it."""
        if scope["type"] == "http":
            request = Request(scope)
            if refusal := self._refusal(request):
                await _refused(request, refusal)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    @asynccontextmanager
    async def _open(self, app: Starlette) -> AsyncIterator[None]:
        settings = self._settings
        self._endpoint = settings.open_endpoint()
        priced = _Priced(self._endpoint, self._prices, self.ledger)
        with Journal(settings.journal) as journal:
            self._budget: Budget = settings.budget()
            self._chat = CachedChat(BudgetedChat(priced, self._budget), journal)
            try:
                yield
            finally:
                self._endpoint.stop()
                await self._chat.drain(DRAIN_SECONDS)
                await self._endpoint.aclose()

    def _refusal(self, request: Request) -> _Refusal | None:
        """Return why a request is refused before it is read, if it is."""
        if self._settings.loopback and not is_of_this_machine(request):
            host = request.headers.get("host", "")
            return _Refusal(403, f"{host!r} is not a name of this server", "wrong_host")
        if has_token(request, self._token):
            return None
        return _Refusal(401, "send this proxy's token as Authorization: Bearer", "invalid_api_key")

    async def _complete(self, request: Request) -> Response:
        given = await self._read(request)
        reply = await self._answer(request, given, given)
        model = given["model"]
        if not given.get("stream"):
            return _json(wire.completion(reply, model, self._created))
        with_usage = bool((given.get("stream_options") or {}).get("include_usage"))
        found = wire.chunks(reply, model, self._created, with_usage)
        return _stream([*(f"data: {_text(one)}\n\n" for one in found), "data: [DONE]\n\n"])

    async def _respond(self, request: Request) -> Response:
        given = await self._read(request)
        try:
            body = responses_wire.to_chat(given)
        except WrongRequest as error:
            raise self._wrong(given["model"], error) from None
        reply = await self._answer(request, given, body)
        whole = responses_wire.response(reply, given, self._created)
        if not given.get("stream"):
            return _json(whole)
        found = responses_wire.events(whole)
        return _stream(f"event: {one['type']}\ndata: {_text(one)}\n\n" for one in found)

    async def _read(self, request: Request) -> dict[str, Any]:
        try:
            return wire.decoded(await read_body(request, MAX_BODY_BYTES))
        except WrongRequest as error:
            raise self._wrong("", error) from None

    async def _answer(
        self, request: Request, given: dict[str, Any], body: dict[str, Any]
    ) -> ChatReply:
        """Return the reply to a request, which is then in the journal.

        Raises:
            _Refusal: There is none.
        """
        figures, began = self.ledger.of(given["model"]), time.monotonic()
        figures.requests += 1
        try:
            asked = wire.chat_request(body, request.headers.get(SAMPLE, ""))
            if self._settings.max_usd is not None:
                needed_price(asked.model, self._prices)
            reply = await self._chat.complete(asked)
        except WrongRequest as error:
            figures.requests -= 1  # it is counted there
            raise self._wrong(given["model"], error) from None
        except (PriceError, PolicyError, BudgetSpent, JournalError) as error:
            refusal = _of(error)
            figures.errors[refusal.code] += 1
            raise refusal from None
        figures.answer(time.monotonic() - began)
        return reply

    def _wrong(self, model: str, error: WrongRequest) -> _Refusal:
        figures = self.ledger.of(model)
        figures.requests += 1
        figures.errors["invalid_request"] += 1
        return _Refusal(400, str(error), "invalid_request", error.param)

    async def _models(self, request: Request) -> Response:
        return _json(await self._endpoint.models())

    async def _health(self, request: Request) -> Response:
        return _json({"status": "ok"})

    async def _metrics(self, request: Request) -> Response:
        return PlainTextResponse(self.ledger.metrics(), media_type=MEDIA_TYPE)

    def _spent(self) -> dict[str, Any]:
        spent, bounds = self._budget.spent, self._settings
        return {
            "upstream": self._endpoint.base_url,
            "journal": str(bounds.journal),
            "spent": {"calls": spent.calls, "tokens": spent.tokens, "usd": round(spent.usd, 6)},
            "bounds": {
                "calls": bounds.max_calls,
                "tokens": bounds.max_tokens,
                "usd": bounds.max_usd,
            },
        }

    async def _usage(self, request: Request) -> Response:
        return _json(self._spent() | {"models": self.ledger.to_dict()})

    async def _page(self, request: Request) -> Response:
        spent = self._spent()
        rows = [
            [name, *(str(value) for key, value in one.items() if key != "errors")]
            + [", ".join(f"{code} {number}" for code, number in one["errors"].items())]
            for name, one in self.ledger.to_dict().items()
        ]
        head = "model,requests,answered,from the journal,paid,prompt tokens,cached,completion,$"
        return HTMLResponse(
            _PAGE.format(
                upstream=html.escape(spent["upstream"]),
                journal=html.escape(spent["journal"]),
                spent=html.escape(_told(spent)),
                head="".join(f"<th>{name}</th>" for name in (*head.split(","), "errors")),
                rows="".join(
                    f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>"
                    for row in rows
                ),
            )
        )


def _told(spent: dict[str, Any]) -> str:
    units = {"calls": "{:,} replies", "tokens": "{:,} tokens", "usd": "${:,.4f}"}
    return "; ".join(
        text.format(spent["spent"][name])
        + (f" of {text.format(bound)}" if (bound := spent["bounds"][name]) is not None else "")
        for name, text in units.items()
    )


def _of(error: Exception) -> _Refusal:
    """Return what a client is told of an error."""
    if isinstance(error, BudgetSpent):
        return _Refusal(402, f"{error}: restart the proxy with a higher bound", _SPENT)
    if isinstance(error, JournalError):
        return _Refusal(500, str(error), "journal")
    if isinstance(error, PriceError):
        return _Refusal(400, str(error), "no_price")
    if isinstance(error, EndpointUnusable) or getattr(error, "used_up", False):
        return _Refusal(502, str(error), "upstream_failed")
    return _Refusal(400, str(error), "upstream_refused")


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, _Refusal)
    found = {"message": error.words, "type": error.code, "code": error.code}
    # The proxy has tried again already; this header keeps OpenAI's clients from doing so.
    headers = {"x-should-retry": "false"}
    body = {"error": {**found, "param": error.param or None}}
    return Response(_text(body), error.status, headers, "application/json")


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _refused(request, _Refusal(error.status_code, error.detail, "invalid_request"))


def _json(value: object) -> Response:
    return Response(_text(value), media_type="application/json")


def _text(value: object) -> str:
    return json.dumps(replace_surrogates(value), ensure_ascii=False)


def _stream(parts: Iterable[str]) -> Response:
    return Response("".join(parts), media_type="text/event-stream")


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Treegraft proxy</title>
<meta name="viewport" content="width=device-width">
<style>body {{ font: 1rem/1.5 system-ui; margin: 1rem; color-scheme: light dark }}
td, th {{ padding: .2rem .6rem; text-align: right }} td:first-child {{ text-align: left }}</style>
</head><body><h1>Treegraft proxy</h1>
<p>Requests go to {upstream}; replies are kept in {journal}. In the journal: {spent}.</p>
<h2>Since the start</h2><table><tr>{head}</tr>{rows}</table>
<p><a href="/usage">as JSON</a>, <a href="/metrics">for Prometheus</a></p></body></html>
"""
