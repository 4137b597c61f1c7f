"""Servers on loopback that are, or pretend to be, OpenEnv's. Needs `websockets`."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from threading import Thread
from typing import Any

from websockets.http11 import Headers, Request, Response
from websockets.sync.server import ServerConnection, serve

from engine.web import WebServer, listen

GOOD: dict[str, Any] = {
    "type": "observation",
    "data": {"observation": {"text": "ready"}, "reward": None, "done": False},
}
TOOLS: dict[str, Any] = {
    "type": "observation",
    "data": {
        "observation": {"tools": [{"name": "look", "description": "", "input_schema": {}}]},
        "reward": None,
        "done": False,
    },
}


@contextmanager
def bad_server(kind: str) -> Iterator[str]:
    """The address of a server that starts and lists tools, and answers a call in a bad way."""

    def answer(connection: ServerConnection) -> None:
        for text in connection:
            message = json.loads(text)
            if message["type"] == "reset":
                connection.send(json.dumps(GOOD))
            elif message.get("data") == {"type": "list_tools"}:
                connection.send(json.dumps(TOOLS))
            elif kind == "dies":
                connection.socket.shutdown(socket.SHUT_RDWR)
            elif kind == "flood":
                connection.send("x" * (17 << 20))
            elif kind != "hangs":
                connection.send(
                    {
                        "text": "<html>moved</html>",
                        "list": "[1, 2]",
                        "shape": json.dumps({"type": "observation", "data": {"observation": 7}}),
                        "error": json.dumps({"type": "error", "data": {"message": "broken"}}),
                    }[kind]
                )

    def page(connection: ServerConnection, request: Request) -> Response | None:
        if kind != "html":
            return None
        headers = Headers([("Content-Type", "text/html"), ("Content-Length", "6")])
        return Response(HTTPStatus.OK, "OK", headers, b"<html>")

    with serve(answer, "127.0.0.1", 0, process_request=page, close_timeout=0.1) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def openenv_server(environment: Any, action: Any, observation: Any) -> Iterator[str]:
    """The address of OpenEnv's own server of an environment of the package."""
    from openenv.core.env_server.http_server import create_app

    app = create_app(environment, action, observation, env_name="own", max_concurrent_envs=4)
    with WebServer(app, listen("127.0.0.1", 0), websockets=True) as server:
        yield server.address
