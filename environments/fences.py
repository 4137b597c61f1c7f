"""Take code out of the Markdown that models wrap it in: fences, and backticks around a query.

Code is left as it is where it is code already, also if a string in it holds a fence. What is code
is for the world to say.
"""

import re
from collections.abc import Callable

_BLOCK = re.compile(
    r"^[ \t]*(?P<fence>`{3,}|~{3,})[ \t]*[\w+.#-]*[ \t]*\n(?P<code>.*?)"
    r"(?:\n?^[ \t]*(?P=fence)[ \t]*$|\Z)",
    re.DOTALL | re.MULTILINE,
)
_ON_A_LINE = re.compile(r"(?P<fence>`{3,}|~{3,})(?P<code>.+?)(?P=fence)", re.DOTALL)
_LANGUAGE = re.compile(r"\A(?:sql(?:ite)?|python3?|py|pycon)(?=\s)", re.IGNORECASE)
_CLOSING = re.compile(r"\n[ \t]*(?:`{3,}|~{3,})\s*\Z")
_INLINE = re.compile(r"\A`(?P<code>[^`]+)`\Z")


def unwrap(text: str, is_code: Callable[[str], bool]) -> str:
    """Return the code in `text`; `text` itself if it is code, or holds none in Markdown.

    Of several blocks, the first that is code counts. A text that is one block is unwrapped even if
    the block is no code, so that an error is about what the block holds.
    """
    if not ("`" in text or "~~~" in text) or is_code(text):
        return text
    lines = text.replace("\r\n", "\n").strip()
    found = [block["code"] for block in _BLOCK.finditer(lines)]
    found += [_LANGUAGE.sub("", one["code"]).strip() for one in _ON_A_LINE.finditer(lines)]
    found += [_CLOSING.sub("", lines)] if _CLOSING.search(lines) else []
    found += [inline["code"]] if (inline := _INLINE.match(lines)) else []
    code = next(filter(is_code, found), None)
    if code is not None:
        return code
    whole = _BLOCK.fullmatch(lines) or _ON_A_LINE.fullmatch(lines)
    return found[0] if whole else text
