"""How alike texts and calls are, by ROUGE-L (Lin 2004, "ROUGE: a package for automatic evaluation
of summaries", section 3)."""

import json
import re
from collections.abc import Mapping
from typing import Any

from rapidfuzz.distance import LCSseq

_CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af"
_WORD = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+|[^\w\s]")


def words(text: str) -> list[str]:
    """Words, punctuation marks, and the characters of scripts without blanks each by itself, as
    KAgentBench cuts them (KwaiAgents, `benchmark_eval.py`). Case counts."""
    return _WORD.findall(text)


def rouge_l(reference: str, said: str) -> float:
    """F1 of the longest common subsequence of words, in [0, 1]; two texts without words are
    equal."""
    ours, theirs = words(reference), words(said)
    if not ours and not theirs:
        return 1.0
    return 2 * LCSseq.similarity(ours, theirs) / (len(ours) + len(theirs))


def arguments_likeness(reference: Mapping[str, Any], said: Mapping[str, Any]) -> float:
    """Mean ROUGE-L over the reference's arguments, in [0, 1]; one that was not given counts 0, one
    too many only where the reference has none (KAgentBench: KwaiAgents, `benchmark_eval.py`)."""
    if not reference:
        return float(not said)
    found = (
        rouge_l(as_text(value), as_text(said[name])) if name in said else 0.0
        for name, value in reference.items()
    )
    return sum(found) / len(reference)


def as_text(value: Any) -> str:
    """A value of a call's arguments: a text as it is, another as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
