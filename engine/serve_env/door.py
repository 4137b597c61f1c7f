"""What stands between the network and OpenEnv's server: who may come in, and for how long."""

import asyncio
import json
from collections.abc import Collection
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Door:
    """Middleware that refuses browsers, ends idle sessions, and understands short actions.

    OpenEnv ends no session while its client is connected, however long it is silent.

    Args:
        hosts: the names under which the server is called; empty for any. Other names are refused:
            a page of the web can make a browser call this machine under a name of its own.
        idle: seconds after which a silent session is ended.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str], idle: float) -> None:
        self._app, self._hosts, self._idle = app, hosts, idle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif refusal := self._refusal(Headers(scope=scope)):
            await _refuse(refusal, scope, receive, send)
        elif scope["type"] == "websocket":
            await self._app(scope, self._guarded(receive, send), send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, headers: Headers) -> str:
        if "origin" in headers:
            return "this server is for programs, not for web pages"
        if self._hosts and headers.get("host") not in self._hosts:
            return "this server answers under its loopback address only"
        return ""

    def _guarded(self, receive: Receive, send: Send) -> Receive:
        async def guarded() -> Message:
            try:
                async with asyncio.timeout(self._idle):
                    message = await receive()
            except TimeoutError:
                await send({"type": "websocket.send", "text": _idle_text(self._idle)})
                return {"type": "websocket.disconnect", "code": 1001}
            if isinstance(text := message.get("text"), str):
                message["text"] = in_full(text)
            return message

        return guarded


async def _refuse(why: str, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": why})
    else:
        await PlainTextResponse(why, 403)(scope, receive, send)


def in_full(text: str) -> str:
    """Return a client's message, with an action `{"tool": ..., "arguments": ...}` as MCP's."""
    try:
        message: Any = json.loads(text)
    except ValueError:
        return text  # OpenEnv's server says what is wrong with it
    action = message.get("data") if isinstance(message, dict) else None
    if not (isinstance(action, dict) and "tool" in action and message.get("type") == "step"):
        return text
    others = {key: value for key, value in action.items() if key != "tool"}
    full = {"type": "call_tool", "tool_name": action["tool"], **others}
    return json.dumps({**message, "data": full})


def _idle_text(seconds: float) -> str:
    told = f"the session was silent for {seconds:g} s, and is closed"
    return json.dumps({"type": "error", "data": {"message": told, "code": "SESSION_ERROR"}})
