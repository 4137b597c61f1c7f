"""Addresses, keys, proxies, certificates: what works, and one line for what does not."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.chat.address import Address
from engine.chat.base import ChatRequest, EndpointUnusable
from engine.chat.endpoint import Endpoint
from engine.chat.open import EndpointSpec
from engine.chat.retry import Retries
from search.policy import PolicyError
from tests.support.chat_server import ChatServer
from tests.support.proxies import proxy, tls

ASK = ChatRequest("m", [{"role": "user", "content": "hi"}])
OPENSSL = pytest.mark.skipif(not shutil.which("openssl"), reason="needs the package openssl")
QUICK = Retries(attempts=4, first=0.01, longest=0.02)


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of this machine counts."""
    names = ["http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"]
    names += ["openai_api_key", "openai_base_url", "openai_api_version", "azure_openai_api_key"]
    for name in names:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def refusing() -> Iterator[int]:
    """A port of this machine at which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


async def ask(url: str, key: str = "") -> str:
    endpoint = EndpointSpec(url, key, retries=QUICK).open(1)
    try:
        return str((await endpoint.complete(ASK)).messages[0]["content"])
    finally:
        await endpoint.aclose()


async def trouble(url: str) -> str:
    """The one line that a request and the check before it both end with."""
    with pytest.raises(EndpointUnusable) as caught:
        await ask(url)
    with pytest.raises(EndpointUnusable) as checked:
        await EndpointSpec(url, retries=QUICK).check()
    assert str(checked.value) == str(caught.value) and "\n" not in str(caught.value)
    return str(caught.value)


def hello(_: object) -> str:
    return "hello"


async def test_a_port_or_a_name_that_is_not_there(refusing: int) -> None:
    assert "connection refused" in await trouble(f"http://127.0.0.1:{refusing}/v1")
    assert "no host is called nosuch.invalid" in await trouble("http://nosuch.invalid/v1")


@OPENSSL
async def test_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ChatServer(hello)
    server.tls = tls(tmp_path)
    with server:
        url = f"https://localhost:{server.port}/v1"
        assert "name your CA's file in SSL_CERT_FILE" in await trouble(url)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "localhost.pem"))
        assert await ask(url) == "hello"
        assert "another name" in await trouble(f"https://127.0.0.1:{server.port}/v1")
    with ChatServer(hello) as plain:
        assert "is it http://?" in await trouble(f"https://localhost:{plain.port}/v1")


@OPENSSL
async def test_a_certificate_is_not_retried_later_either(tmp_path: Path) -> None:
    server = ChatServer(hello)
    server.tls = tls(tmp_path)
    with server:
        patient = Endpoint(f"https://localhost:{server.port}/v1", retries=QUICK)
        with pytest.raises(PolicyError, match="is not trusted") as caught:
            await patient.complete(ASK)
        await patient.aclose()
    assert not isinstance(caught.value, EndpointUnusable)
    assert "gave up" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SSL_CERT_FILE", "/nope.pem", "SSL_CERT_FILE=/nope.pem: no such file"),
        ("SSL_CERT_FILE", "/dev/null", "holds no certificate in PEM"),
        ("SSL_CERT_FILE", "/tmp", "SSL_CERT_FILE=/tmp: is a directory"),
        ("SSL_CERT_DIR", "/nope", "SSL_CERT_DIR=/nope: no such folder"),
        ("ALL_PROXY", "socks://127.0.0.1:9", "ALL_PROXY=socks://127.0.0.1:9: not a proxy"),
        ("HTTPS_PROXY", "socks4://127.0.0.1:9", "HTTPS_PROXY=socks4:"),
        ("http_proxy", "http://a:99999", "http_proxy=http://a:99999: not a proxy"),
        ("HTTP_PROXY", "http://me:hunter22@a:b", "HTTP_PROXY=http://me@a:b: not a proxy"),
        ("ALL_PROXY", "socks5://", "not a proxy"),
    ],
)
def test_variables_that_cannot_be_used_are_named(
    name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(PolicyError) as caught:
        EndpointSpec("https://127.0.0.1:9/v1").open(1)
    assert words in str(caught.value) and "hunter" not in str(caught.value)


@pytest.mark.parametrize("kind", ["socks5", "http"])
async def test_proxies(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer(hello) as server, proxy(kind) as between:
        variable = "ALL_PROXY" if kind == "socks5" else "HTTP_PROXY"
        monkeypatch.setenv(variable, f"{kind}://127.0.0.1:{between.server_address[1]}")
        assert await ask(server.base_url) == "hello" and between.used == 1
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert await ask(server.base_url) == "hello" and between.used == 1


@OPENSSL
@pytest.mark.parametrize("kind", ["socks5", "http"])
async def test_tls_through_a_proxy(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ChatServer(hello)
    server.tls = tls(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "localhost.pem"))
    with server, proxy(kind) as between:
        monkeypatch.setenv("HTTPS_PROXY", f"{kind}://127.0.0.1:{between.server_address[1]}")
        assert await ask(f"https://localhost:{server.port}/v1") == "hello" and between.used == 1


async def test_a_proxy_that_is_not_there_or_refuses(
    refusing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", f"socks5://me:hunter22@127.0.0.1:{refusing}")
    said = await trouble("http://10.0.0.1/v1")
    assert f"the proxy socks5://me@127.0.0.1:{refusing}" in said and "unset ALL_PROXY" in said
    with proxy("refusing") as between:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{between.server_address[1]}")
        said = await trouble("https://10.0.0.1/v1")
        assert "407 Login First" in said and "unset HTTPS_PROXY" in said


@pytest.mark.parametrize(
    ("given", "public"),
    [
        ("http://h:1/v1", "http://h:1/v1"),
        (" http://h:1/v1/ \n", "http://h:1/v1"),
        ("http://h:1/v1/chat/completions", "http://h:1/v1"),
        ("http://h:1/v1/chat/completions/", "http://h:1/v1"),
        ("http://me:hunter22@h:1/v1", "http://h:1/v1"),
        ("https://h", "https://h"),
    ],
)
def test_a_base_url_is_read_as_it_is_pasted(given: str, public: str) -> None:
    address = Address.of(given)
    assert (address.public, address.where, address.api) == (public, public, "chat")
    assert "hunter" not in repr(address)


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/", "/v1/chat/completions"])
async def test_a_base_url_with_and_without_v1(end: str) -> None:
    with ChatServer(hello) as server:
        root = f"http://127.0.0.1:{server.port}"
        assert await ask(root + end) == "hello"
        server.path = "/chat/completions"
        if not end.strip("/"):
            assert await ask(root + end) == "hello"


def test_an_address_without_a_scheme_is_refused_with_what_was_meant() -> None:
    with pytest.raises(PolicyError, match=r"did you mean http://127.0.0.1:8000/v1\?"):
        EndpointSpec.from_environment("127.0.0.1:8000/v1")


@pytest.mark.parametrize("key", ["sk-a b", "sk-a\nb", "Bearer sk-abc", "sk-\u00e9abc"])
def test_a_key_that_cannot_be_sent_is_not_shown(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(PolicyError, match="OPENAI_API_KEY") as caught:
        EndpointSpec.from_environment("http://127.0.0.1:9/v1").open(1)
    assert "sk-" not in str(caught.value)


async def test_a_wrong_key_is_told_by_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer(hello) as server:
        await EndpointSpec(server.base_url).check()  # it has no list of models, and passes
        server.models = ["m"]
        server.key = "sk-right1"
        await EndpointSpec(server.base_url, "sk-right1").check()
        with pytest.raises(EndpointUnusable, match="401: wrong key; check the key in OPENAI_API"):
            await EndpointSpec(server.base_url, "sk-wrong1").check()
    assert not server.requests
