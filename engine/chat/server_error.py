"""A server's error: read in whatever form it comes, and told in the server's own words.

OpenAI sends {"error": {"message", "type", "code"}} with an HTTP status. Other servers and proxies
send the error with status 200, as a text, under other names, as a page, or as an event stream.
"""

import json
import re
from collections.abc import Mapping, Sequence
from html import unescape
from typing import Any

from engine.chat.retry import FINAL_CODES, Transient, http_error
from search.policy import PolicyError

_WORDS = ("message", "detail", "error_msg", "errorMessage", "status_msg", "msg", "reason", "title")
_CODES = ("code", "error_code", "status_code", "status", "type")
_PASSING = re.compile(
    r"rate.?limit|too many|overload|busy|try again|timed? ?out|unavailable|loading|capacity"
    r"|temporar|internal|upstream|gateway|connection|reset",
    re.IGNORECASE,
)
_FINAL = re.compile(
    r"not (be )?found|no such|not exist|n't exist|unknown|invalid|incorrect|unauthori[sz]ed"
    r"|forbidden|denied|not allowed|not permitted|unsupported|not support|n't support|api.?key"
    r"|quota|billing|credit|insufficient|must be|required|too long|context (length|window)"
    r"|maximum context|unrecognized|authenticat|expired|login",
    re.IGNORECASE,
)


class ServerError(Exception):
    """A server answered with an error.

    Attributes:
        words: the server's.
        status: the HTTP status, or the one that the body names; 0 if there is none.
        code: the server's name for the error, as "insufficient_quota", or "".
        page: whether the answer is a web page.
    """

    def __init__(
        self,
        words: str,
        status: int = 0,
        code: str = "",
        headers: Mapping[str, str] | None = None,
        page: bool = False,
    ) -> None:
        super().__init__(words)
        self.words, self.status, self.code, self.page = words, status, code, page
        self.headers = headers or {}

    @property
    def text(self) -> str:
        """The words, with the status if there is one."""
        return f"HTTP {self.status}: {self.words}" if self.status else self.words

    def of_request(self) -> Exception:
        """Return what the error is for the request: a PolicyError, or Transient if it may pass."""
        if self.status:
            return http_error(self.status, self.words, self.code, self.headers)
        return PolicyError(self.words) if self._is_final() else Transient(self.words)

    def _is_final(self) -> bool:
        if self.code in FINAL_CODES or re.fullmatch(r"4\d{4}", self.code):  # FastChat: 40301
            return True
        text = f"{self.words} {self.code.replace('_', ' ')}"
        return not self.page and bool(_FINAL.search(text)) and not _PASSING.search(text)


def error_in(raw: Mapping[str, Any]) -> ServerError | None:
    """Return the error that a decoded answer without choices holds, if it holds one."""
    found = raw.get("error") or raw.get("errors") or raw.get("base_resp")
    if not found:
        named = any(raw.get(name) for name in _WORDS) or raw.get("object") == "error"
        if not named:
            return None
        found = raw
    words, code = words_of(found)
    outer = words_of(raw)[1]
    code = code or (outer if outer != "error" else "")
    status = int(code) if code.isdecimal() and 400 <= int(code) < 600 else 0
    return ServerError(words, status, code)


def words_of(body: object) -> tuple[str, str]:
    """Return a server's message and code for an error, from the decoded response body."""
    if isinstance(body, Sequence) and not isinstance(body, str) and body:
        parts = [words_of(part)[0] for part in body[:3]]
        return "; ".join(parts), words_of(body[0])[1]
    if not isinstance(body, Mapping):
        text = str(body or "no message")
        return (page_text(text) if is_page(text) else text), ""
    inner = body.get("error")
    if isinstance(inner, Mapping | str) and inner:
        words, code = words_of(inner)
        return words, code or words_of({**body, "error": None})[1]
    said = next((body[name] for name in _WORDS if body.get(name)), None)
    words = json.dumps(body, ensure_ascii=False) if said is None else _flat(said)
    code = next((str(body[name]) for name in _CODES if _is_code(body.get(name))), "")
    return words, code


def _flat(said: Any) -> str:
    """Return a message as one text; FastAPI's `detail` is a list of objects."""
    if isinstance(said, str):
        return said
    if isinstance(said, list) and said and all(isinstance(one, dict) for one in said):
        return "; ".join(
            f"{'.'.join(map(str, one.get('loc', [])))}: {one.get('msg', one)}" for one in said[:3]
        )
    return json.dumps(said, ensure_ascii=False)


def _is_code(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and bool(value)


def is_page(text: str) -> bool:
    """Return whether `text` is a web page."""
    return re.match(r"\s*<(!doctype|html|head|body|\?xml)", text, re.IGNORECASE) is not None


def page_text(page: str) -> str:
    """Return a page's title, or its text without marks."""
    title = re.search(r"<title[^>]*>(.*?)</title>", page, re.IGNORECASE | re.DOTALL)
    shown = title[1] if title else re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", page, flags=re.S)
    return f"a web page, {' '.join(unescape(shown).split())[:200]!r}"


def page_error(text: str) -> ServerError:
    """Return the error of a page in place of an answer."""
    return ServerError(f"the server's response is {page_text(text)}, not JSON", page=True)
