"""Addresses of endpoints: which one is meant, and what of it may be shown."""

import os
from urllib.parse import urlsplit

from search.policy import PolicyError

OPENAI_URL = "https://api.openai.com/v1"


def public_address(base_url: str | None = None) -> str:
    """The address that is meant (see `reached`), without user and password.

    Raises:
        PolicyError: as `reached`, and where it is no address.
    """
    url, _ = reached(base_url)
    return split(url)[0]


def reached(base_url: str | None) -> tuple[str, str]:
    """`base_url`, else OPENAI_BASE_URL, else OpenAI's; and the key, from OPENAI_API_KEY.

    Raises:
        PolicyError: OpenAI's own address without a key, or an address that is none.
    """
    url = base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    if not key and urlsplit(split(url)[0]).hostname == urlsplit(OPENAI_URL).hostname:
        raise PolicyError(
            f"{OPENAI_URL} needs a key: set OPENAI_API_KEY, or name another server by --base-url"
        )
    return url, key


def split(base_url: str) -> tuple[str, str]:
    """An address without user and password, and the password ("" if none).

    Raises:
        PolicyError: it is no address.
    """
    try:
        parts = urlsplit(base_url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname)
        valid = valid and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid:
        raise PolicyError("the base URL must look like http://127.0.0.1:8000/v1")
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}".rstrip("/"), parts.password or ""
