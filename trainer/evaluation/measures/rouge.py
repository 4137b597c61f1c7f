"""Similarity of texts and calls by ROUGE and BLEU.

Lin 2004, "ROUGE: a package for automatic evaluation of summaries", sections 2 and 3; Papineni et
al. 2002, "BLEU: a method for automatic evaluation of machine translation".
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from engine.make.rouge import rouge_l, words
from engine.templates import nearest

__all__ = ["arguments_likeness", "as_text", "bleu", "rouge_l", "rouge_n", "words"]


def rouge_n(reference: str, reply: str, size: int) -> float:
    """Return F1 of the n-grams of words, in [0, 1]; 1 if neither text has one."""
    one, other = (_grams(words(text), size) for text in (reference, reply))
    if not one and not other:
        return 1.0
    return 2 * (one & other).total() / (one.total() + other.total())


def bleu(reference: str, reply: str) -> float:
    """Return the BLEU of one reply, by n-grams of words up to 4, in [0, 1]; 1 if both are empty.

    Counts of n > 1 are smoothed by adding one: else every short text would score 0 (Lin & Och 2004,
    "ORANGE").
    """
    right, said = words(reference), words(reply)
    return nearest.bleu(said, right) if right or said else 1.0


def arguments_likeness(
    reference: Mapping[str, Any],
    reply: Mapping[str, Any],
    alike: Callable[[str, str], float] = rouge_l,
) -> float:
    """Return the mean likeness over the reference's arguments, in [0, 1].

    A missing argument counts 0; a superfluous one counts only if the reference has no arguments
    (KAgentBench: KwaiAgents, `benchmark_eval.py`).
    """
    if not reference:
        return float(not reply)
    found = (
        alike(as_text(value), as_text(reply[name])) if name in reply else 0.0
        for name, value in reference.items()
    )
    return sum(found) / len(reference)


def as_text(value: Any) -> str:
    """Return an argument's value as text; what is not a text becomes JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _grams(found: list[str], size: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(found[at : at + size]) for at in range(len(found) - size + 1))
