"""OpenAI's routes over a model in this process: health, models, chat completions; figures.

There is no TLS and no streaming.
"""

import asyncio
import json
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from engine.prometheus import MEDIA_TYPE
from engine.web import has_token, is_of_this_machine, read_body
from search.policy import PolicyError
from trainer.inference.local_chat import LocalChat, PromptTooLong
from trainer.serving.figures import Figures
from trainer.serving.openai_api import ApiError, read_request, response_body

MAX_BODY_BYTES = 1 << 25
T = TypeVar("T")


class Api:
    """An ASGI app.

    Args:
        chat: the model.
        name: the model's name in requests.
        key: what clients must send as a bearer token; "" for nothing.
        loopback: whether the server listens to this machine only. Then requests under other host
            names are refused: they come from a page in a browser, by DNS rebinding.

    Attributes:
        figures: what was asked and answered.
    """

    def __init__(self, chat: LocalChat, name: str, key: str = "", *, loopback: bool = True) -> None:
        self._chat, self._name, self._key, self._loopback = chat, name, key, loopback
        self._created = int(time.time())
        self._stopping = asyncio.Event()
        self.figures, self._under_way = Figures(), 0
        self._app = Starlette(
            routes=[
                Route("/health", self._health),
                Route("/metrics", self._metrics),
                Route("/v1/models", self._list_models),
                Route("/v1/models/{name:path}", self._get_model),
                Route("/v1/chat/completions", self._complete, methods=["POST"]),
            ],
            exception_handlers={HTTPException: _error, Exception: _defect},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI defines it."""
        request = Request(scope)
        refusal = self._refusal(request)
        app = self._app if refusal is None else _error(request, refusal)
        await app(scope, receive, send)

    def stop(self) -> None:
        """Answer all waiting requests with status 503. Called in the server's event loop."""
        self._stopping.set()

    def _refusal(self, request: Request) -> ApiError | None:
        """Return why `request` is refused before it is routed, if it is."""
        if self._loopback and not is_of_this_machine(request):
            host = request.headers.get("host", "")
            return ApiError(403, f"{host!r} is not a name of this server")
        if request.url.path == "/health" or has_token(request, self._key):
            return None
        message = "this server requires a key: send Authorization: Bearer KEY"
        return ApiError(401, message, code="invalid_api_key")

    async def _health(self, request: Request) -> Response:
        if self._chat.broken:
            raise ApiError(503, "the model has failed")
        return _json({"status": "ok"})

    async def _list_models(self, request: Request) -> Response:
        return _json({"object": "list", "data": [self._model()]})

    async def _get_model(self, request: Request) -> Response:
        if (name := request.path_params["name"]) != self._name:
            raise ApiError(404, f"there is no model {name!r} here", code="model_not_found")
        return _json(self._model())

    def _model(self) -> dict[str, object]:
        return {
            "id": self._name,
            "object": "model",
            "created": self._created,
            "owned_by": "treegraft",
            "max_model_len": self._chat.context,
        }

    async def _metrics(self, request: Request) -> Response:
        return PlainTextResponse(self.figures.metrics(self._under_way), media_type=MEDIA_TYPE)

    async def _complete(self, request: Request) -> Response:
        self._under_way += 1
        try:
            return await self._answer(request)
        except HTTPException as error:
            self.figures.requests[error.status_code] += 1
            raise
        finally:
            self._under_way -= 1

    async def _answer(self, request: Request) -> Response:
        began = time.monotonic()
        body = await read_body(request, MAX_BODY_BYTES)
        chat_request = read_request(body, self._name, self._chat.context)
        try:
            replies = await self._while_awaited(request, self._chat.generate(chat_request))
        except PromptTooLong as error:
            more = {"code": "context_length_exceeded", "param": "messages"}
            raise ApiError(400, str(error), **more) from error
        except PolicyError as error:
            raise ApiError(400, str(error)) from error
        answer = response_body(chat_request, replies, self._chat.fingerprint)
        self.figures.answer(time.monotonic() - began, replies)
        self.figures.calls.see(chat_request.tools, [one["message"] for one in answer["choices"]])
        return _json(answer)

    async def _while_awaited(self, request: Request, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of `work`; cancel it if the client hangs up or the server stops.

        Raises:
            ApiError: it was cancelled.
        """
        task = asyncio.ensure_future(work)
        # Once the body is read, the next message from the client is its disconnection.
        ends = [asyncio.ensure_future(end) for end in (request.receive(), self._stopping.wait())]
        try:
            await asyncio.wait([task, *ends], return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise ApiError(503, "the server is shutting down")
        finally:
            for one in (task, *ends):
                one.cancel()


def _json(value: object, status: int = 200) -> Response:
    """Return `value` as ASCII: a model's text may hold characters that UTF-8 cannot encode."""
    return Response(json.dumps(value), status, media_type="application/json")


def _error(request: Request, error: Exception) -> Response:
    """Return an error in OpenAI's format."""
    assert isinstance(error, HTTPException)
    status, message = error.status_code, error.detail
    more = error.more if isinstance(error, ApiError) else {}
    if status == 404 and not more:
        message = f"there is no {request.url.path} here"
    elif status == 405:
        message = f"{request.url.path} does not take {request.method}"
    kind = "invalid_request_error" if status < 500 else "server_error"
    details = {"message": message, "type": kind, "param": None, "code": None, **more}
    response = _json({"error": details}, status)
    response.headers.update(error.headers or {})
    return response


def _defect(request: Request, error: Exception) -> Response:
    return _error(request, HTTPException(500, f"a defect of the server: {error!r}"))
