"""Which refusals every request of the same kind would meet, and what to do about each."""

import json
import re
from collections.abc import Mapping
from typing import Any

from engine.chat.address import APIS, Address
from engine.chat.server_error import ServerError

_BILLING = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
_SEVERAL = re.compile(
    r"\bn\b|completion choice|multiple (choice|completion|candidate|generation)|candidate|best_of",
    re.IGNORECASE,
)
_TOOLS = re.compile(r"tool|function.?call|\bfunctions?\b", re.IGNORECASE)
_NO_TOOLS = re.compile(  # llama.cpp says so with status 500
    r"(not|n't) support\w* .{0,30}(tool|function)|(tool|function).{0,40}(not |un)support"
    r"|(tool|function).{0,60}require",
    re.IGNORECASE | re.DOTALL,
)
_NO_PARAMETER = re.compile(
    r"unrecognized|unknown (parameter|field|argument|name)|unsupported|not support|n't support"
    r"|extra (inputs|fields)|unexpected|not permitted|not allowed|incompatible",
    re.IGNORECASE,
)
_MODEL = re.compile(r"\bmodels?\b|deployment", re.IGNORECASE)
_NO_MODEL = re.compile(
    r"not (be )?found|not exist|n't exist|no such|unknown|invalid|not (a )?valid|not available"
    r"|unavailable|not (be )?load|access",
    re.IGNORECASE,
)
_ABOUT_REQUEST = re.compile(r"context|token|length|content|policy|safety", re.IGNORECASE)


def advice(error: ServerError, body: Mapping[str, Any], address: Address) -> str | None:
    """Return what to do about a refusal that any request like `body` would meet.

    None: it concerns this request only, or may pass.
    """
    text = f"{error.words} {error.code}"
    if error.status in (401, 403, 407) or re.search(r"api.?key|unauthori[sz]ed", text, re.I):
        return f"check the key in {address.key_variable}"
    if error.status == 402 or error.code in _BILLING:
        return "the account cannot pay"
    if error.page or error.status in (301, 302, 303, 307, 308, 405, 410):
        return _path(address)
    if error.status in (408, 409, 425, 429) or error.status > 501:
        return None
    if (what := _parameter(error, text, body)) is not None:
        return what
    model = re.escape(str(body["model"]))
    named = _MODEL.search(text) or re.search(rf"(?<!\w){model}(?!\w)", text)
    if named and _NO_MODEL.search(text) and not _ABOUT_REQUEST.search(error.words):
        return f"name a model that the server has, not {body['model']!r}"
    return _path(address) if error.status == 404 else None


def _parameter(error: ServerError, text: str, body: Mapping[str, Any]) -> str | None:
    """Return what to do if a parameter of the request is refused."""
    asked = error.status < 500
    if asked and (body.get("n") or 1) > 1 and _SEVERAL.search(text):
        return "the server gives one choice a request: use --siblings diverse"
    if body.get("tools") and (_NO_TOOLS.search(text) or (asked and _TOOLS.search(text))):
        return "the server takes no tools for this model: use --template react"
    if not asked or not _NO_PARAMETER.search(text):
        return None
    for name in body.keys() - {"model", "messages", "tools", "n"}:
        if re.search(rf"(?<!max_)\b{re.escape(name)}\b", text):
            without: dict[str, Any] = {name: None}
            if "max_completion_tokens" in text:
                without["max_completion_tokens"] = body[name]
            return f"leave {name} out: --sampling '{json.dumps(without)}'"
    return None


def _path(address: Address) -> str:
    url = address.public + APIS[address.api]
    hint = "" if address.public.endswith("/v1") else ", which usually ends in /v1"
    return f"requests go to {url}: check the base URL{hint}"
