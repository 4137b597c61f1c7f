"""Similarity of texts and calls by ROUGE-L.

Lin 2004, "ROUGE: a package for automatic evaluation of summaries", section 3.
"""

import json
from collections.abc import Mapping
from typing import Any

from engine.make.rouge import rouge_l, words

__all__ = ["arguments_likeness", "as_text", "rouge_l", "words"]


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
