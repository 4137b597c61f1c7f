"""OpenAI's routes over a model in this process: health, models, chat completions."""

import hmac
import json
import time
from urllib.parse import unquote

from search.policy import PolicyError
from trainer.inference.local_chat import LocalChat, PromptTooLong
from trainer.serving.http import Request, Response, trouble
from trainer.serving.openai_api import Refused, answer, read

_LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}


class Api:
    """A handler of `http.Server`.

    name: what requests call the model.   key: what clients must send; "" for nothing.
    loopback: the server listens to this machine only, and is called by no other name: a page in
        a browser that found its way here by DNS rebinding is refused.
    answered, tokens: requests for a reply that were answered, and the tokens generated for them.
    """

    def __init__(self, chat: LocalChat, name: str, key: str = "", *, loopback: bool = True) -> None:
        self._chat, self._name, self._key, self._loopback = chat, name, key, loopback
        self._since = int(time.time())
        self.answered = self.tokens = 0

    async def __call__(self, request: Request) -> Response:
        try:
            self._check_host(request)
            if request.path == "/health":
                return _ok({"status": "ok"}) if not self._chat.broken else _broken()
            self._check_key(request)
            return await self._routed(request)
        except Refused as refused:
            return trouble(refused.status, str(refused), **refused.more)

    def _check_host(self, request: Request) -> None:
        host = request.headers.get("host", "")
        if self._loopback and host.rpartition(":")[0] not in _LOOPBACK and host not in _LOOPBACK:
            raise Refused(403, f"{host!r} is not this server")

    def _check_key(self, request: Request) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        given = given.strip() if scheme.lower() == "bearer" else ""
        if self._key and not hmac.compare_digest(given.encode(), self._key.encode()):
            words = "this server wants a key: send Authorization: Bearer KEY"
            raise Refused(401, words, code="invalid_api_key")

    async def _routed(self, request: Request) -> Response:
        listed, chat = "/v1/models", "/v1/chat/completions"
        wanted = "POST" if request.path == chat else "GET"
        if request.path not in (listed, chat) and not request.path.startswith(f"{listed}/"):
            raise Refused(404, f"there is no {request.path} here")
        if request.method != wanted:
            raise Refused(405, f"{request.path} takes {wanted}")
        if request.path == chat:
            return await self._complete(request)
        if request.path == listed:
            return _ok({"object": "list", "data": [self._model()]})
        if (name := unquote(request.path.removeprefix(f"{listed}/"))) != self._name:
            raise Refused(404, f"there is no model {name!r} here", code="model_not_found")
        return _ok(self._model())

    def _model(self) -> dict[str, object]:
        return {
            "id": self._name,
            "object": "model",
            "created": self._since,
            "owned_by": "treegraft",
            "max_model_len": self._chat.context,
        }

    async def _complete(self, request: Request) -> Response:
        asked = read(request.body, self._name, self._chat.context)
        try:
            replies = await self._chat.generate(asked)
        except PromptTooLong as error:
            more = {"code": "context_length_exceeded", "param": "messages"}
            raise Refused(400, str(error), **more) from error
        except PolicyError as error:
            raise Refused(400, str(error)) from error
        self.answered += 1
        self.tokens += sum(reply.completion for reply in replies)
        return _ok(answer(asked, replies, self._chat.fingerprint))


def _ok(value: object) -> Response:
    return Response(200, json.dumps(value).encode())


def _broken() -> Response:
    return trouble(503, "the model has failed", "server_error")
