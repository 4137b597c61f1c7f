"""A SOCKS5 proxy, an HTTP proxy and certificates, on loopback: real ones, as small as they get."""

import select
import socket
import socketserver
import ssl
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    used = 0


class _Proxy(socketserver.BaseRequestHandler):
    request: socket.socket

    def relay(self, host: str, port: int, first: bytes = b"") -> None:
        cast(_Server, self.server).used += 1
        with socket.create_connection((host, port)) as other:
            other.sendall(first)
            ways = {self.request: other, other: self.request}
            while True:
                for source in select.select(list(ways), [], [])[0]:
                    data = source.recv(65536)
                    if not data:
                        return
                    ways[source].sendall(data)


class _Socks5(_Proxy):
    def handle(self) -> None:
        _, methods = self.request.recv(2)
        self.request.recv(methods)
        self.request.sendall(b"\x05\x00")
        *_, kind = self.request.recv(4)
        if kind == 3:
            host = self.request.recv(self.request.recv(1)[0]).decode()
        else:
            host = socket.inet_ntoa(self.request.recv(4))
        (port,) = struct.unpack("!H", self.request.recv(2))
        self.request.sendall(b"\x05\x00\x00\x01" + bytes(6))
        self.relay(host, port)


class _Http(_Proxy):
    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.request.recv(65536)
        method, target, _ = head.split(b" ", 2)
        if method == b"CONNECT":
            host, _, port = target.decode().partition(":")
            self.request.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            return self.relay(host, int(port))
        host, _, port = target.split(b"/")[2].decode().partition(":")
        origin = b"/" + b"/".join(target.split(b"/")[3:])
        return self.relay(host, int(port), head.replace(target, origin, 1))


class _Refusing(_Proxy):
    def handle(self) -> None:
        self.request.recv(65536)
        self.request.sendall(b"HTTP/1.1 407 Login First\r\nContent-Length: 0\r\n\r\n")


@contextmanager
def proxy(kind: str) -> Iterator[_Server]:
    """A proxy: "socks5", "http", or "refusing" (HTTP, wants a login); `used` counts connections."""
    handler = {"socks5": _Socks5, "http": _Http, "refusing": _Refusing}[kind]
    with _Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def certificate(folder: Path, name: str = "localhost", days: int = 30) -> tuple[Path, Path]:
    """Make a self-signed certificate for a name, and its key; Debian's package is openssl."""
    key, made = folder / f"{name}.key", folder / f"{name}.pem"
    command = (
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {key} "
        f"-out {made} -subj /CN={name} -addext subjectAltName=DNS:{name} -days {days}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    return made, key


def tls(folder: Path, name: str = "localhost") -> ssl.SSLContext:
    """What a server needs to speak TLS under `name`; `folder` then holds NAME.pem."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(folder, name))
    return context
