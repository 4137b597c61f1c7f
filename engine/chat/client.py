"""The HTTP clients of an endpoint, and what it means if they cannot connect.

Proxies (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY) and certificates (SSL_CERT_FILE,
SSL_CERT_DIR) are the environment's.
"""

import os
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from engine.chat.address import Address
from search.policy import PolicyError
from treegraft.urls import redact_url

if TYPE_CHECKING:
    from openai import AsyncOpenAI

CONNECT_SECONDS = 4.0
"""How long opening the first connection may take."""

_PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")


def open_clients(address: Address, key: str, timeout: float, number: int) -> "list[AsyncOpenAI]":
    """Return `number` clients, each with connections of its own.

    Raises:
        PolicyError: a variable for proxies or certificates holds what cannot be used.
    """
    import httpx2
    import openai

    _check_proxies()
    trusted = _certificates(https=address.url.startswith("https:"))
    limits = openai.Timeout(timeout, connect=min(timeout, 10.0))

    def client() -> "AsyncOpenAI":
        http = openai.DefaultAsyncHttpxClient(verify=trusted)
        # Retries are ours: counted, bounded and shared with the limiter.
        if not address.azure:
            version = {"api-version": address.api_version} if address.api_version else None
            return openai.AsyncOpenAI(
                base_url=address.url,
                api_key=key or "none",
                max_retries=0,
                timeout=limits,
                http_client=http,
                default_query=version,
            )
        token = None if key else os.environ.get("AZURE_OPENAI_AD_TOKEN")
        return openai.AsyncAzureOpenAI(
            base_url=address.url,
            api_version=address.api_version,
            api_key=None if token else key or "none",
            azure_ad_token=token,
            max_retries=0,
            timeout=limits,
            http_client=http,
        )

    try:
        return [client() for _ in range(number)]
    except (ValueError, OSError, ImportError, httpx2.InvalidURL) as error:
        raise PolicyError(f"{address.public}: no connection can be set up: {error}") from error


def _certificates(https: bool) -> ssl.SSLContext:
    """Return what is trusted."""
    file, folders = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if https and folders and not file and not any(map(os.path.isdir, folders.split(os.pathsep))):
        raise PolicyError(f"SSL_CERT_DIR={folders}: no such folder; correct or unset it")
    try:
        return _trusted(file, folders)
    except (ssl.SSLError, OSError) as error:
        words = str(error.strerror or error).lower()
        if isinstance(error, ssl.SSLError):
            words = "holds no certificate in PEM"
        named = f"SSL_CERT_FILE={file}" if file else f"SSL_CERT_DIR={folders}"
        raise PolicyError(f"{named}: {words}; correct or unset it") from None


@cache
def _trusted(file: str | None, folders: str | None) -> ssl.SSLContext:
    """Read what the variables name; all clients share it, because reading it takes 30 ms."""
    import httpx2

    return httpx2.create_ssl_context()


def _check_proxies() -> None:
    found = getproxies()
    for scheme in ("http", "https", "all"):
        given = found.get(scheme, "")
        if not given:
            continue
        try:
            parts = urlsplit(given if "://" in given else f"http://{given}")
            valid = parts.scheme in _PROXY_SCHEMES and bool(parts.hostname) and parts.port != 0
            valid = valid and given.isprintable() and given.isascii()
        except ValueError:  # the port
            valid = False
        if not valid:
            raise PolicyError(
                f"{_variable(scheme)}={redact_url(given)}: not a proxy's address; use "
                "http://HOST:PORT or socks5://HOST:PORT, or unset it"
            )


def _variable(scheme: str) -> str:
    """Return the name of the variable that sets the proxy for `scheme`; the lower case wins."""
    lower = f"{scheme}_proxy"
    return lower if os.environ.get(lower) else lower.upper()


def _proxy_of(url: str) -> tuple[str, str]:
    """Return the proxy for `url` and the variable that names it; "" twice for none."""
    parts, found = urlsplit(url), getproxies()
    if proxy_bypass(parts.netloc.rpartition("@")[2]):
        return "", ""
    scheme = parts.scheme if found.get(parts.scheme) else "all"
    given = found.get(scheme, "")
    return (redact_url(given), _variable(scheme)) if given else ("", "")


@dataclass(frozen=True, slots=True)
class NoConnection:
    """Why a request brought no response.

    Attributes:
        words: what happened, and what to do if that is known.
        final: another attempt cannot succeed (a certificate).
        unreached: no server was reached; another attempt may, if one was reached before.
    """

    words: str
    final: bool = False
    unreached: bool = False


@dataclass(frozen=True, slots=True)
class _Way:
    """Where a connection goes first: the server, or the proxy that a variable names."""

    host: str
    target: str
    variable: str

    @classmethod
    def to(cls, url: str) -> "_Way":
        parts = urlsplit(url)
        proxy, variable = _proxy_of(url)
        if proxy:
            return cls(urlsplit(proxy).hostname or proxy, f"the proxy {proxy}", variable)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return cls(parts.hostname or "", f"{parts.hostname}:{port}", "")

    @property
    def correct(self) -> str:
        return f"correct or unset {self.variable}" if self.variable else "correct the base URL"


def no_connection(error: BaseException, address: Address) -> NoConnection:
    """Explain the client's error by its causes."""
    import httpx2

    way, causes = _Way.to(address.url), list(_causes(error))
    for kind, explain in _EXPLAINED:
        for cause in causes:
            if isinstance(cause, getattr(httpx2, kind) if isinstance(kind, str) else kind):
                final = isinstance(cause, ssl.SSLCertVerificationError)
                return NoConnection(explain(cause, way), final=final, unreached=True)
    words = " ".join(dict.fromkeys(str(each) for each in (causes[0], causes[-1]) if str(each)))
    unreached = any(isinstance(cause, httpx2.ConnectError) for cause in causes)
    return NoConnection(words if not unreached else f"{way.target}: {words}", unreached=unreached)


_EXPLAINED: tuple[tuple[type[Exception] | str, Callable[[Any, _Way], str]], ...] = (
    (ssl.SSLCertVerificationError, lambda error, way: _certificate(error)),
    (ssl.SSLEOFError, lambda error, way: f"{way.target} closes the connection in the TLS greeting"),
    (
        ssl.SSLError,
        lambda error, way: f"no TLS with {way.target} ({error.reason or error}): is it http://?",
    ),
    ("ProxyError", lambda error, way: f"{way.target} says: {error}; {way.correct}"),
    ("ConnectTimeout", lambda error, way: f"{way.target} does not answer; {way.correct}"),
    ("TooManyRedirects", lambda error, way: f"redirected in a circle; {way.correct}"),
    (socket.gaierror, lambda error, way: f"no host is called {way.host} (DNS); {way.correct}"),
    (
        ConnectionRefusedError,
        lambda error, way: (
            f"nothing listens at {way.target} (connection refused); start it, or {way.correct}"
        ),
    ),
)
"""What a cause means; a text names a class of httpx2. The first that is found counts."""


def _certificate(error: ssl.SSLCertVerificationError) -> str:
    words = error.verify_message or str(error)
    if "self-signed" in words or "self signed" in words or "issuer" in words:
        return f"its TLS certificate is not trusted ({words}): name your CA's file in SSL_CERT_FILE"
    if "mismatch" in words.lower():
        return f"its TLS certificate is for another name ({words}): use that name in the base URL"
    return f"its TLS certificate is not valid ({words})"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        if isinstance(error, BaseExceptionGroup) and not error.__cause__:
            error = error.exceptions[0]
        else:
            error = error.__cause__ or error.__context__
