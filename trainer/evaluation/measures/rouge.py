"""Similarity of texts and calls by ROUGE-L.

Lin 2004, "ROUGE: a package for automatic evaluation of summaries", section 3.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from rapidfuzz.distance import LCSseq

_CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af"
_WORD = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+|[^\w\s]")


def words(text: str) -> list[str]:
    """Split into words and punctuation marks, as KAgentBench does.

    In scripts without blanks each character is a word. Case counts (KwaiAgents,
    `benchmark_eval.py`).
    """
    return _WORD.findall(text)


def rouge_l(reference: str, reply: str) -> float:
    """Return F1 of the longest common subsequence of words, in [0, 1]; 1 if neither has words."""
    ours, theirs = words(reference), words(reply)
    if not ours and not theirs:
        return 1.0
    return 2 * LCSseq.similarity(ours, theirs) / (len(ours) + len(theirs))


def arguments_likeness(reference: Mapping[str, Any], reply: Mapping[str, Any]) -> float:
    """Return the mean ROUGE-L over the reference's arguments, in [0, 1].

    A missing argument counts 0; a superfluous one counts only if the reference has no arguments
    (KAgentBench: KwaiAgents, `benchmark_eval.py`).
    """
    if not reference:
        return float(not reply)
    found = (
        rouge_l(as_text(value), as_text(reply[name])) if name in reply else 0.0
        for name, value in reference.items()
    )
    return sum(found) / len(reference)


def as_text(value: Any) -> str:
    """Return an argument's value as text; what is not a text becomes JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
