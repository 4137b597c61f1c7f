"""Read JSON as models write it, and never more than they wrote.

Three attempts, each only if the one before fails:

1. JSON, also with line breaks and tabs within strings.
2. What differs from JSON in its spelling only, token by token: single and triple quotes, Python's
   True, False and None, trailing commas, comments, keys without quotes, unknown escapes.
3. Quotes within strings that are not escaped, with `json_repair`. Its guess is taken only if it
   holds every character of the text, in order, and nothing else.

NaN, infinities and numbers beyond a float's range are not JSON and are refused.

**Text that stops.** Missing closing brackets are counted (`Found.missing`); no other end is added.
A string, number or key that the text stops in makes it unreadable. Whether brackets may be missing
is for the caller to decide, who knows what was to come.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, NoReturn

DEEPEST = 100
"""Maximum nesting of a value."""

LONGEST_REPAIR = 20_000
"""Maximum characters of a text whose quotes are mended, which takes longest."""

END_MARK = re.compile(r"\s*(?:</?[\w:]+>|```|<[|｜][^<>\n]*[|｜]>|\n\s*\**Observation\b)")
"""What follows a call: a closing tag, a fence, a control token, an observation."""

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<comment>//[^\n]*|/\*.*?\*/|\#[^\n]*)
    |(?P<triple>\"\"\"(?:[^\\]|\\.)*?\"\"\"|'''(?:[^\\]|\\.)*?''')
    |(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<number>-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w.]))
    |(?P<word>[^\W\d][\w-]*)
    |(?P<mark>[{}\[\]:,])""",
    re.VERBOSE | re.DOTALL,
)
_WORDS = {"True": "true", "False": "false", "None": "null"}
_WORDS |= {word: word for word in _WORDS.values()}
_CLOSING = {"{": "}", "[": "]"}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", **{c: c for c in "\"'\\/"}}


class NotJson(ValueError):
    """The text is not JSON, not even with mistakes that can be mended."""


@dataclass(frozen=True, slots=True)
class Found:
    """A value at the beginning of a text.

    Attributes:
        end: where the text after the value begins.
        repaired: whether the value was not JSON as it was written.
        missing: number of closing brackets that the text lacks.
        ended: whether a mark follows that ends the call, so that the text does not just stop.
    """

    value: Any
    end: int
    repaired: bool = False
    missing: int = 0
    ended: bool = False


def read_json(text: str) -> Found:
    """Return the JSON value that `text` begins with, after blanks.

    Raises:
        NotJson: there is none.
    """
    start = len(text) - len(text.lstrip())
    try:
        return _decoded(_STRICT, text, start, repaired=False)
    except NotJson:
        raise
    except (ValueError, RecursionError) as error:
        wrong = NotJson(f"not valid JSON ({error})")
    for attempt in (_decoded_loosely, _respelled, _requoted):
        try:
            return attempt(text, start)
        except (ValueError, RecursionError):
            continue
    raise wrong


def whole_json(text: str) -> Any:
    """Return the JSON value that all of `text` is; None if there is none, or it needs repair."""
    try:
        found = read_json(text)
    except NotJson:
        return None
    return None if found.repaired or found.end != len(text) else found.value


def plain(value: Any, depth: int = 0) -> Any:
    """Return `value` as plain JSON, lone surrogates replaced by U+FFFD.

    Raises:
        NotJson: it holds NaN, an infinity or something that JSON has not, or is nested too deeply.
    """
    if depth > DEEPEST:
        raise NotJson("the JSON is nested too deeply")
    if isinstance(value, str):
        return replace_surrogates(value)
    if isinstance(value, Mapping):
        return {replace_surrogates(str(k)): plain(inner, depth + 1) for k, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner, depth + 1) for inner in value]
    if isinstance(value, float) and not isfinite(value):
        raise NotJson(f"{value} is not JSON")
    if value is None or isinstance(value, bool | int | float):
        return value
    raise NotJson(f"{type(value).__name__} is not JSON")


def replace_surrogates(value: Any) -> Any:
    """Return `value` with each lone surrogate replaced by U+FFFD.

    Python strings and JSON escapes can hold lone surrogates; UTF-8, and so most servers, files and
    tokenizers, cannot.
    """
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        pairs = value.items()
        return {replace_surrogates(name): replace_surrogates(inner) for name, inner in pairs}
    if isinstance(value, list | tuple):
        return [replace_surrogates(inner) for inner in value]
    return value


def _refuse(word: str) -> NoReturn:
    raise NotJson(f"not valid JSON ({word} is not JSON)")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if isfinite(number) else _refuse(digits)


_STRICT = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
_LOOSE = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite, strict=False)


def _decoded(decoder: json.JSONDecoder, text: str, start: int, repaired: bool) -> Found:
    value, end = decoder.raw_decode(text, start)
    return Found(plain(value), end, repaired)


def _decoded_loosely(text: str, start: int) -> Found:
    return _decoded(_LOOSE, text, start, repaired=True)


def _respelled(text: str, start: int) -> Found:
    """Read a value whose tokens are spelled as other languages spell them."""
    spelled: list[str] = []
    open_: list[str] = []
    end, ended = len(text), False
    for place, kind, token in _tokens(text, start):
        if kind == "end":
            end, ended = place, bool(token)
            break
        _spell(kind, token, spelled, open_)
        if not open_:
            end = place + len(token)
            break
    whole = spelled[-1:] and (spelled[-1][-1] in '"}]' or spelled[-1] in _WORDS)
    if open_ and not (ended or whole):
        raise NotJson("it stops within a value")
    closing = "".join(reversed(open_))
    return Found(plain(_STRICT.decode("".join(spelled) + closing)), end, True, len(open_), ended)


def _tokens(text: str, start: int) -> Iterator[tuple[int, str, str]]:
    """Yield place, kind and text of tokens; the last is of the kind "end", with a mark or ""."""
    place = start
    while place < len(text):
        if mark := END_MARK.match(text, place):
            yield place, "end", mark[0]
            return
        found = _TOKEN.match(text, place)
        if found is None:
            raise NotJson(f"no token at character {place}")
        kind = str(found.lastgroup)
        if kind not in ("space", "comment"):
            yield place, kind, found[0]
        place = found.end()
    yield place, "end", ""


def _spell(kind: str, token: str, spelled: list[str], open_: list[str]) -> None:
    """Add a token to `spelled` as JSON spells it; `open_` holds the brackets to close."""
    if kind in ("string", "triple"):
        cut = 3 if kind == "triple" else 1
        spelled.append(json.dumps(_unescaped(token[cut:-cut])))
    elif kind == "word":
        spelled.append(_WORDS.get(token) or _key(token))
    elif token == ":" and spelled and spelled[-1].startswith("\0"):
        spelled[-1:] = [json.dumps(spelled[-1][1:]), ":"]
    elif token in _CLOSING:
        open_.append(_CLOSING[token])
        spelled.append(token)
    elif token in _CLOSING.values():
        if not open_ or open_.pop() != token:
            raise NotJson("a bracket has no partner")
        if spelled[-1] == ",":
            spelled.pop()
        spelled.append(token)
    else:
        spelled.append(token)


def _key(word: str) -> str:
    """Mark a word that JSON does not know: only as a key can it be read."""
    return f"\0{word}"


def _unescaped(text: str) -> str:
    """Return the text that a string's escapes stand for; an unknown escape is a backslash."""

    def one(found: re.Match[str]) -> str:
        code = found[1]
        if len(code) > 1:
            return chr(int(code[1:], 16))
        return _ESCAPES.get(code, found[0])

    return _ESCAPE.sub(one, text)


def _requoted(text: str, start: int) -> Found:
    """Read an object with unescaped quotes in its strings, if that loses and adds no text."""
    from json_repair import loads  # few replies need it

    if len(text) - start > LONGEST_REPAIR:
        raise NotJson("too long to be mended")
    stop = END_MARK.search(text, start)
    for limit in dict.fromkeys((len(text), stop.start() if stop else len(text))):
        end = text.rfind("}", start, limit) + 1
        body = text[start:end]
        if body.startswith("{") and _holds_all(value := loads(body, skip_json_loads=True), body):
            return Found(plain(value), end, True)
    raise NotJson("the text can be read in several ways")


def _holds_all(value: Any, body: str) -> bool:
    """Return whether an object holds every character of `body`, and nothing else."""
    source = _unescaped(body)
    return (
        isinstance(value, dict)
        and _squeezed(_unquoted(value)) == _squeezed(source)
        and all(_stands_in(source, text) for text in _strings(value))
    )


def _stands_in(source: str, text: str) -> bool:
    """Return whether a string stands between quotes in `source`, its own quotes in pairs."""
    between = re.compile(rf'"{re.escape(text)}\s*"')
    return text.count('"') % 2 == 0 and between.search(source) is not None


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _unquoted(value: Any) -> str:
    """Return a value as JSON whose strings have no escapes."""
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, dict):
        return "{" + ",".join(f'"{k}":{_unquoted(inner)}' for k, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_unquoted, value)) + "]"
    return json.dumps(value)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
