"""A server on this machine's loopback that answers its own pages only.

Whoever can open a connection to the loopback can look; requests under another host name (DNS
rebinding) are refused, and so is what would act and comes from another origin.
"""

from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from engine.errors import UsageError

HOST = "127.0.0.1"
_QUIET_SECONDS = 30  # a browser opens connections ahead, and may never speak on them


class LoopbackServer(ThreadingHTTPServer):
    """Listens on loopback; `port` 0 takes a free one.

    Raises:
        UsageError: the port is taken.
    """

    daemon_threads = True

    def __init__(self, port: int, handler: type["LoopbackHandler"]) -> None:
        try:
            super().__init__((HOST, port), handler)
        except OSError as error:
            raise UsageError(
                f"cannot serve on port {port} ({error}); try another --port"
            ) from error

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.server_port}/"

    @property
    def names(self) -> set[str]:
        """What a browser may call this server."""
        return {f"{name}:{self.server_port}" for name in (HOST, "localhost")}


class LoopbackHandler(BaseHTTPRequestHandler):
    """Requests of one connection."""

    server: LoopbackServer
    protocol_version = "HTTP/1.1"
    timeout = _QUIET_SECONDS
    policy = "default-src 'none'; frame-ancestors 'none'"
    """Content-Security-Policy of every answer."""

    def meant_for_us(self) -> bool:
        return self.headers.get("Host", "") in self.server.names

    def from_us(self) -> bool:
        """Browsers name the origin of what they post; who names none is no browser of ours."""
        return self.headers.get("Origin", "") in {f"http://{name}" for name in self.server.names}

    def answer(
        self, text: str, kind: str = "text/plain", status: HTTPStatus = HTTPStatus.OK
    ) -> None:
        """Send a text; SEE_OTHER leads to the first page."""
        body = text.encode("utf-8", "replace")
        self.send_response(status)
        if status == HTTPStatus.SEE_OTHER:
            self.send_header("Location", "/")
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", self.policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "same-origin")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the terminal says what matters."""
