"""A session with a server of OpenEnv, through OpenEnv's own client. Needs `openenv`."""

import asyncio
import json
import re
import urllib.error
import urllib.request
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any
from urllib.parse import quote, urlsplit

from openenv.core.generic_client import GenericEnvClient
from websockets.exceptions import ConnectionClosed, WebSocketException

from environments.bounds import cut
from environments.openenv.connection import (
    LONGEST_MESSAGE,
    ActionRefused,
    ConnectionLost,
    Reply,
    split_name,
)
from sandbox.errors import SandboxError

MOST_MEGABYTES = 16
"""The largest message that is read of a server."""
OPEN_SECONDS = 20.0
"""How long to wait for a free session of the server."""
_RETRY_SECONDS = 0.2
_TOO_BIG = 1009  # a close code of WebSocket
_CODE = re.compile(r"^Server error: (.*) \(code: (\w+)\)$", re.DOTALL)
_OF_THE_ACTION = ("VALIDATION_ERROR", "EXECUTION_ERROR")
_NO_TASKS = (404, 405, 501)


class ServerFull(SandboxError):
    """The server has no free session."""


_KINDS = {"CAPACITY_REACHED": ServerFull, "SESSION_ERROR": ConnectionLost}


class RemoteConnection:
    """A session with the server at `url`; an answer may take `seconds`."""

    def __init__(self, url: str, seconds: float) -> None:
        self._url, self._seconds = url.rstrip("/"), seconds
        self._client: Any = None

    async def reset(self, arguments: Mapping[str, Any]) -> Reply:
        """See `Connection.reset`. Waits for a session while the server has no free one."""
        until = monotonic() + OPEN_SECONDS
        while True:
            try:
                return await self._reset(arguments)
            except ActionRefused as error:
                raise SandboxError(f"{self._url} cannot start the task: {error}") from error
            except (ServerFull, ConnectionLost):
                await self.close()
                if monotonic() > until:
                    raise
                await asyncio.sleep(_RETRY_SECONDS)

    async def _reset(self, arguments: Mapping[str, Any]) -> Reply:
        if self._client is None:
            self._client = _OneSession(
                base_url=self._url,
                message_timeout_s=self._seconds,
                max_message_size_mb=MOST_MEGABYTES,
                # Without pings: the event loop may rest between two calls for minutes.
                websocket_ping_interval_s=None,
                mode="simulation",
            )
            await self._answer(self._client.connect())
        return _reply(await self._answer(self._client.reset(**arguments)), self._url)

    async def step(self, action: Mapping[str, Any]) -> Reply:
        """See `Connection.step`."""
        if self._client is None:
            raise ConnectionLost(f"{self._url}: there is no session")
        return _reply(await self._answer(self._client.step(dict(action))), self._url)

    async def close(self) -> None:
        """See `Connection.close`."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(OSError, WebSocketException, RuntimeError):  # it is gone already
                await client.close()

    async def action_schema(self) -> Mapping[str, Any]:
        """See `Connection.action_schema`."""
        schema = (await self._page("/schema") or {}).get("action")
        if not isinstance(schema, dict):
            raise SandboxError(f"{self._url}/schema describes no action: is it OpenEnv's server?")
        return schema

    async def splits(self) -> Sequence[str] | None:
        """See `Connection.splits`."""
        names = await self._page("/list_environments")
        if not isinstance(names, list) or not names:
            return None
        self._name = str(names[0])
        found = await self._page(f"/{quote(self._name)}/splits")
        return [split_name(each) for each in found] if isinstance(found, list) else None

    async def tasks(self, split: str) -> Sequence[Mapping[str, Any]]:
        """See `Connection.tasks`."""
        answer = await self._page(f"/{quote(self._name)}/tasks", {"split": split})
        found = answer.get("tasks") if isinstance(answer, dict) else None
        return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []

    async def _answer(self, request: Awaitable[Any]) -> Any:
        """Wait for the client's answer; turn what it raises into our errors."""
        try:
            return await request
        except TimeoutError as error:
            await self.close()
            raise SandboxError(
                f"{self._url} did not answer within {self._seconds:g} s "
                "(--env-arg seconds=... waits longer)"
            ) from error
        except ConnectionClosed as error:
            await self.close()
            if any(frame and frame.code == _TOO_BIG for frame in (error.sent, error.rcvd)):
                raise SandboxError(
                    f"{self._url} sent a message of more than {MOST_MEGABYTES} MB"
                ) from error
            raise ConnectionLost(f"{self._url} closed the connection") from error
        except OSError as error:
            await self.close()
            raise SandboxError(cut(f"{self._url}: {error}", LONGEST_MESSAGE)) from error
        except RuntimeError as error:
            raise await self._refusal(error) from error
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            await self.close()
            raise SandboxError(f"{self._url} does not answer as OpenEnv's servers do") from error

    async def _refusal(self, error: RuntimeError) -> Exception:
        told = _CODE.match(str(error))
        message, code = told.groups() if told else (str(error), "")
        message = cut(message, LONGEST_MESSAGE)
        if code in _OF_THE_ACTION:
            return ActionRefused(message)
        await self.close()
        return _KINDS.get(code, SandboxError)(f"{self._url}: {message}")

    async def _page(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON of a page; None if the server has no such page."""
        return await asyncio.to_thread(partial(_page, self._url, path, body, self._seconds))


class _OneSession(GenericEnvClient):  # type: ignore[misc]  # it has no types
    """OpenEnv's client, without its reconnecting before a request: the state would be lost unseen.

    `tests/environments/openenv` ends a connection, to notice if a version of OpenEnv changes this.
    """

    _opened = False

    async def _connect_async(self) -> Any:
        if self._opened and (self._ws is None or self._ws.state.name != "OPEN"):
            raise ConnectionLost("the connection was closed")
        client = await super()._connect_async()
        self._opened = True
        return client


def _reply(result: Any, url: str) -> Reply:
    if not isinstance(result.observation, dict):
        raise SandboxError(f"{url} does not answer as OpenEnv's servers do")
    return Reply(result.observation, result.reward, bool(result.done))


def _page(url: str, path: str, body: Mapping[str, Any] | None, seconds: float) -> Any:
    address = re.sub(r"^ws", "http", url if "://" in url else f"http://{url}") + path
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    local = urlsplit(address).hostname in ("127.0.0.1", "localhost", "::1")
    proxies = [urllib.request.ProxyHandler({})] if local else []
    try:
        with urllib.request.build_opener(*proxies).open(request, timeout=seconds) as answer:
            return json.loads(answer.read(MOST_MEGABYTES << 20))
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in _NO_TASKS:
            return None
        raise SandboxError(f"{address} answers {error.code} {error.reason}") from error
    except OSError as error:
        raise SandboxError(f"cannot reach {address}: {error}") from error
    except ValueError as error:
        raise SandboxError(f"{address} answers no JSON: is it OpenEnv's server?") from error
