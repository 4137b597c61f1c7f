"""Names of people and places in texts: Microsoft's Presidio, with a language model of spaCy's.

A model that was trained on prose takes parts of rows for names that are none: labels ("Action
Input"), keys of JSON, names of tools, words of SQL, and quotation marks beside a name. Replaced,
they would break the call. So a hit counts only if it can be a name, and without what stands beside
it. What has a form (an e-mail address, a card's number) is found by `private_texts` alone.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from treegraft.errors import TreegraftError

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine

KINDS = {"PERSON": "person", "LOCATION": "place", "PHONE_NUMBER": "phone"}
"""Our kinds by Presidio's, of those that are taken."""

_LEAST_SCORE = 0.4
_NAME = re.compile(r"[^\W\d_](?:[^\W\d_]|[ .,'’-])*[^\W\d_]")
_LABELS = "Thought|Action Input|Action|Observation|Final Answer|Question|Result|GOAL|Goal"
_STRUCTURE = re.compile(rf'^[ \t]*(?:{_LABELS})[ \t]*:|"[^"\n]*"[ \t]*:', re.MULTILINE)
_SQL = re.compile(
    r"\b(?:SELECT|FROM|WHERE|JOIN|ON|AND|OR|NOT|IN|LIKE|GROUP|ORDER|BY|HAVING|LIMIT|COUNT|SUM|AVG"
    r"|MIN|MAX|DISTINCT|AS|INNER|LEFT|UNION|CASE|WHEN|THEN|ELSE|END|NULL|DESC|ASC|BETWEEN)\b"
)

Hit = tuple[str, int, int]
"""A kind, and where a piece of a text begins and ends."""


@cache
def presidio(model: str = "", language: str = "en") -> Callable[[str], Iterable[Hit]]:
    """Return a detector of names, places and telephone numbers.

    Args:
        model: A package of spaCy's, or a folder; "" for Presidio's own choice, which it downloads.
        language: The texts'.

    Raises:
        TreegraftError: Presidio is not installed, or has no model of the language.
    """
    try:
        engine = _engine(model, language)
    except ImportError:
        raise TreegraftError(
            "--personal presidio needs packages: pip install 'treegraft[pii]'"
        ) from None
    except (OSError, ValueError, SystemExit) as error:  # spaCy's model is a download of its own
        raise TreegraftError(
            f"--personal presidio cannot start: {error}; name a model of spaCy's that is "
            "installed: --personal presidio:MODEL"
        ) from error

    def detect(text: str) -> Iterator[Hit]:
        found = engine.analyze(
            text, language=language, entities=list(KINDS), score_threshold=_LEAST_SCORE
        )
        for one in found:
            kind = KINDS[one.entity_type]
            span = (one.start, one.end) if kind == "phone" else name_in(text, one.start, one.end)
            if span:
                yield kind, *span

    return detect


def _engine(model: str, language: str) -> "AnalyzerEngine":
    import logging

    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)  # its other languages
    if not model:
        return AnalyzerEngine(supported_languages=[language])
    from spacy.util import is_package

    if not (is_package(model) or Path(model).is_dir()):
        raise ValueError(f"no package and no folder {model}")
    chosen = {"lang_code": language, "model_name": model}
    settings = {"nlp_engine_name": "spacy", "models": [chosen]}
    engine = NlpEngineProvider(nlp_configuration=settings).create_engine()
    return AnalyzerEngine(nlp_engine=engine, supported_languages=[language])


def name_in(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Return where the name in a piece of `text` begins and ends; None if it can be none."""
    found = _NAME.search(text, start, end)
    if found is None or re.search(r"[\w\n]", text[start : found.start()] + text[found.end() : end]):
        return None  # with a digit, an underscore or a line's end it is no name
    beside = text[max(found.start() - 1, 0) : found.start()] + text[found.end() : found.end() + 1]
    if re.search(r"\w", beside) or _SQL.search(found[0]):
        return None
    labels = _STRUCTURE.finditer(text)
    if any(one.start() < found.end() and found.start() < one.end() for one in labels):
        return None
    return found.span()
