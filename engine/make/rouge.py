"""How alike two texts are, by ROUGE-L.

Lin 2004, "ROUGE: a package for automatic evaluation of summaries", section 3.
"""

import re
from collections.abc import Sequence

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
    return likeness(words(reference), words(reply))


def likeness(one: Sequence[str], other: Sequence[str]) -> float:
    """Return the ROUGE-L of texts that are split already; see `rouge_l`."""
    if not one and not other:
        return 1.0
    return 2 * LCSseq.similarity(one, other) / (len(one) + len(other))
