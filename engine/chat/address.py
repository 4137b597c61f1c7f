"""Addresses and keys of chat endpoints, with passwords kept out of what is shown."""

import os
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qs, urlsplit

from search.policy import PolicyError

OPENAI_URL = "https://api.openai.com/v1"
KEY, AZURE_KEY = "OPENAI_API_KEY", "AZURE_OPENAI_API_KEY"
APIS = {"chat": "/chat/completions", "responses": "/responses"}
"""The APIs of OpenAI that are spoken, and where they are below the base URL."""

_AZURE_HOSTS = (".openai.azure.com", ".openai.azure.us", ".cognitiveservices.azure.com")


@dataclass(frozen=True, slots=True)
class Address:
    """Where an endpoint is, and what it speaks.

    Attributes:
        url: the base URL; may hold a user and a password.
        public: the same without them, which may be shown and kept.
        api: a key of `APIS`.
        api_version: Azure's `api-version`; "" for other servers.
        key_variable: the environment variable that holds the key.
    """

    url: str = field(repr=False)
    public: str
    password: str = field(default="", repr=False)
    api: str = "chat"
    api_version: str = ""
    key_variable: str = KEY

    @classmethod
    def of(
        cls, base_url: str, api: str = "", api_version: str = "", key_variable: str = KEY
    ) -> Self:
        """Read a base URL, as people paste them: with the API's own path, with a query.

        A URL that ends in /responses asks for the Responses API.

        Raises:
            PolicyError: it is not a URL, or is Azure's and the version is missing.
        """
        base_url = base_url.strip()
        public, password = split_password(base_url)
        url, _, query = base_url.partition("?")
        url, public = url.rstrip("/"), public.rstrip("/")
        for name, path in APIS.items():
            if public.endswith(path):
                api, url, public = name, url.removesuffix(path), public.removesuffix(path)
        version = api_version or parse_qs(query).get("api-version", [""])[0]
        if not version and _is_azure(public) and not public.endswith("/v1"):
            version = os.environ.get("OPENAI_API_VERSION", "").strip()
            if not version:
                raise PolicyError(
                    f"{public} is Azure OpenAI, which needs --api-version, such as 2024-10-21 "
                    "(or OPENAI_API_VERSION)"
                )
        address = cls(url, public, password, api or "chat", version, key_variable)
        if address.azure and "/openai" not in urlsplit(public).path:
            return cls(
                f"{url}/openai", f"{public}/openai", password, address.api, version, key_variable
            )
        return address

    @property
    def azure(self) -> bool:
        """Whether requests go to Azure's deployments; Azure's /openai/v1 is as OpenAI's own."""
        return bool(self.api_version) and not self.public.endswith("/v1")

    @property
    def where(self) -> str:
        """The address in the journal's keys, which differs by API."""
        return self.public if self.api == "chat" else self.public + APIS[self.api]


def resolve(base_url: str, api: str = "", api_version: str = "") -> tuple[Address, str]:
    """Return the endpoint's address (default: OPENAI_BASE_URL, else OpenAI's) and its key.

    The key is OPENAI_API_KEY; for Azure, AZURE_OPENAI_API_KEY comes first.

    Raises:
        PolicyError: the address is not a URL, or is OpenAI's own or Azure's and there is no key.
    """
    url = base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL
    address = Address.of(url, api, api_version)
    azure = address.azure or _is_azure(address.public)
    variable = AZURE_KEY if azure and os.environ.get(AZURE_KEY, "").strip() else KEY
    address = Address.of(url, api, api_version, variable)
    key = os.environ.get(variable, "").strip()
    host = urlsplit(address.public).hostname
    if not key and host == urlsplit(OPENAI_URL).hostname:
        raise PolicyError(
            f"{OPENAI_URL} needs a key: set OPENAI_API_KEY, or name another server by --base-url"
        )
    if not key and _is_azure(address.public) and not os.environ.get("AZURE_OPENAI_AD_TOKEN"):
        raise PolicyError(f"{address.public} needs a key: set {AZURE_KEY}")
    return address, key


def check_key(key: str, variable: str) -> None:
    """Refuse a key that no request can carry, without showing it.

    Raises:
        PolicyError: it holds other characters than printable ASCII without spaces.
    """
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise PolicyError(
            f"the key ({variable}) holds characters that are not printable ASCII, or a space: "
            "set the key alone"
        )


def split_password(base_url: str) -> tuple[str, str]:
    """Return an address without user and password, and the password ("" if there is none).

    Raises:
        PolicyError: the address is not a URL.
    """
    try:
        parts = urlsplit(base_url.strip())
        valid = parts.scheme in ("http", "https") and bool(parts.hostname)
        valid = valid and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid:
        bare = "://" not in base_url and "@" not in base_url and base_url.strip()
        meant = f"; did you mean http://{base_url.strip()}?" if bare else ""
        raise PolicyError(f"the base URL must look like http://127.0.0.1:8000/v1{meant}")
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}".rstrip("/"), parts.password or ""


def _is_azure(public: str) -> bool:
    return (urlsplit(public).hostname or "").endswith(_AZURE_HOSTS)
