"""Personal data and secrets in rows: finding them, and replacing the personal data.

Personal data are found by regular expressions whose hits must pass the check that their kind has
(the checksum of an IBAN, of a card's number); with Presidio (the extra `pii`) also by a language
model (`names`). Secrets are found by detect-secrets, without its guesses by entropy and by key
words, which take ordinary identifiers of data for keys.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

Detector = Callable[[str], Iterable["Found"]]


@dataclass(frozen=True, slots=True)
class Found:
    """A piece of a text: `kind` is "email", "phone", ...; `start` and `end` count characters."""

    kind: str
    start: int
    end: int


def _checksum_of_card(text: str) -> bool:
    digits = [int(one) for one in reversed(text) if one.isdigit()]
    doubled = [sum(divmod(2 * one, 10)) for one in digits[1::2]]
    issued = not text.startswith("0")  # nor is a stand-in
    return issued and 13 <= len(digits) <= 19 and (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _checksum_of_iban(text: str) -> bool:
    plain = re.sub(r"\s", "", text)
    if plain.startswith("XX"):  # no country's: a stand-in
        return False
    return int("".join(str(int(one, 36)) for one in plain[4:] + plain[:4])) % 97 == 1


def _digits_of_phone(text: str) -> bool:
    return 8 <= sum(map(str.isdigit, text)) <= 15


def _public(text: str) -> bool:
    from ipaddress import AddressValueError, IPv4Address

    try:
        return IPv4Address(text).is_global
    except AddressValueError:
        return False


_FORMS = {
    "email": r"\b[\w.%+-]+@(?!example\.)[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}\b",
    "iban": r"\b[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){2,7}(?:\s?[A-Z0-9]{1,4})?\b",
    "card": r"(?<![\w.-])(?:\d[ -]?){12,18}\d(?![\w-])",
    "us_social_security": (r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])"),
    "phone": (
        r"(?<![\w.+-])(?:\+[1-9]\d{0,2}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){1,4}"
        r"|\(\d{3}\) ?\d{3}-\d{4}|\d{3}-\d{3}-\d{4})(?![\w-])"
    ),
    "ip_address": r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\w)",
}
_CHECKS = {
    "iban": _checksum_of_iban,
    "card": _checksum_of_card,
    "phone": _digits_of_phone,
    "ip_address": _public,
}
PATTERNS: Mapping[str, tuple[re.Pattern[str], Callable[[str], bool]]] = {
    kind: (re.compile(form), _CHECKS.get(kind, bool)) for kind, form in _FORMS.items()
}
"""By kind: the form, and the check that a hit must pass."""

STAND_INS: Mapping[str, str] = {
    "email": "person{}@example.com",
    "iban": "XX00 0000 0000 {:04}",
    "card": "0000 0000 0000 {:04}",
    "us_social_security": "000-00-{:04}",
    "phone": "+000 0000 {:04}",
    "ip_address": "192.0.2.{}",
}
"""By kind: what stands in the place of the n-th value; of no real person."""


def by_patterns(text: str) -> Iterator[Found]:
    """Yield the personal data in `text`, by regular expressions."""
    for kind, (pattern, holds) in PATTERNS.items():
        for match in pattern.finditer(text):
            if holds(match[0]):
                yield Found(kind, *match.span())


def with_names(model: str = "") -> Detector:
    """Return a detector of what `by_patterns` finds, and of names, places and more telephones.

    Raises:
        TreegraftError: Presidio is not installed, or has no model.
    """
    from treegraft.audit.names import presidio

    names = presidio(model)

    def detect(text: str) -> Iterator[Found]:
        yield from by_patterns(text)
        yield from (Found(*hit) for hit in names(text))

    return detect


def detector_for(message: Mapping[str, Any], detect: Detector) -> Detector:
    """Return what finds personal data in a message.

    A system message is the template's and the world's: a model would take its words for names.
    """
    return by_patterns if message.get("role") == "system" else detect


def secrets_in(text: str) -> Iterator[str]:
    """Yield the kinds of secrets in `text` ("AWS Access Key", ...)."""
    from detect_secrets.core.scan import scan_line

    for line in text.splitlines():
        if len(line) > 8:
            yield from (secret.type for secret in scan_line(line))


def secret_rules() -> Any:
    """Return the context in which `secrets_in` works: detect-secrets' rules for keys' own forms."""
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    from detect_secrets.settings import transient_settings

    guesses = {"Base64HighEntropyString", "HexHighEntropyString", "KeywordDetector",
               "IPPublicDetector", "BasicAuthDetector"}  # fmt: skip
    plugins: Mapping[str, type] = get_mapping_from_secret_type_to_class()
    known = {plugin.__name__ for plugin in plugins.values()}
    return transient_settings({"plugins_used": [{"name": n} for n in sorted(known - guesses)]})


class Anonymiser:
    """Replaces personal data; the same value becomes the same stand-in everywhere.

    So rows keep their sense: what a call names is what the observation before it showed.
    """

    def __init__(self, detect: Detector = by_patterns) -> None:
        self._detect = detect
        self._stand_ins: dict[tuple[str, str], str] = {}
        self._numbers: dict[str, int] = {}

    def row(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row without personal data in its messages.

        What is found in one message is replaced in all: a model may see a name in an observation,
        and not in the call that follows from it.
        """
        changed = deepcopy(dict(value))
        messages = [
            message
            for column in ("messages", "prompt", "chosen", "rejected", "completion")
            for message in changed.get(column) or ()
        ]
        found: dict[str, str] = {}
        for message in messages:
            for text in _texts_of(message):
                found |= self._found(text, detector_for(message, self._detect))
        for message in messages:
            self._message(message, found)
        return changed

    def text(self, text: str) -> str:
        """Return `text` without personal data."""
        return _replaced(text, self._found(text, self._detect))

    def _found(self, text: str, detect: Detector) -> dict[str, str]:
        """Return the stand-ins for the personal data in `text`."""
        stand_ins, end = {}, 0
        for found in sorted(detect(text), key=lambda one: (one.start, -one.end)):
            if found.start >= end:  # of two that overlap, the first and longer one
                value, end = text[found.start : found.end], found.end
                stand_ins[value] = self._stand_in(found.kind, value)
        return stand_ins

    def _message(self, message: dict[str, Any], found: Mapping[str, str]) -> None:
        if span := message.get("thought_span"):
            # The parts apart, so that the span still says where the thought stands.
            content, (start, end) = message["content"], span
            parts = [_replaced(content[:start], found), _replaced(content[start:end], found)]
            message["thought_span"] = [len(parts[0]), len("".join(parts))]
            message["content"] = "".join([*parts, _replaced(content[end:], found)])
        elif message.get("content"):
            message["content"] = _replaced(message["content"], found)
        if message.get("reasoning_content"):
            message["reasoning_content"] = _replaced(message["reasoning_content"], found)
        for call in message.get("tool_calls") or ():
            function = call["function"]
            function["arguments"] = _replaced(function["arguments"], found)

    def _stand_in(self, kind: str, value: str) -> str:
        key = kind, re.sub(r"\s", "", value).lower()
        if key not in self._stand_ins:
            number = self._numbers[kind] = self._numbers.get(kind, 0) + 1
            self._stand_ins[key] = STAND_INS.get(kind, f"[{kind} {{}}]").format(number)
        return self._stand_ins[key]


def _texts_of(message: Mapping[str, Any]) -> Iterator[str]:
    for name in ("content", "reasoning_content"):
        if message.get(name):
            yield message[name]
    for call in message.get("tool_calls") or ():
        yield call["function"]["arguments"]


def _replaced(text: str, stand_ins: Mapping[str, str]) -> str:
    """Return `text` with the stand-ins for values that stand in it as whole words."""
    if not stand_ins:
        return text
    values = sorted(stand_ins, key=len, reverse=True)
    pattern = rf"(?<!\w)(?:{'|'.join(map(re.escape, values))})(?!\w)"
    return re.sub(pattern, lambda found: stand_ins[found[0]], text)
