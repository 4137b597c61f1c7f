"""Addresses and keys of chat endpoints, with passwords kept out of what is shown."""

import os
from urllib.parse import urlsplit

from search.policy import PolicyError

OPENAI_URL = "https://api.openai.com/v1"


def resolve_address(base_url: str) -> tuple[str, str]:
    """Return the endpoint's address (default: OPENAI_BASE_URL, else OpenAI's) and OPENAI_API_KEY.

    Raises:
        PolicyError: the address is not a URL, or is OpenAI's own and there is no key.
    """
    url = base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI_URL
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    if not key and urlsplit(split_password(url)[0]).hostname == urlsplit(OPENAI_URL).hostname:
        raise PolicyError(
            f"{OPENAI_URL} needs a key: set OPENAI_API_KEY, or name another server by --base-url"
        )
    return url, key


def split_password(base_url: str) -> tuple[str, str]:
    """Return an address without user and password, and the password ("" if there is none).

    Raises:
        PolicyError: the address is not a URL.
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
