"""Other words for a prompt by rule: typos, and frames around a question or an order.

Only the sentence that asks is changed. Lines with a label ("Database: shop"), quotes, code, names
and numbers stay as they are.
"""

import re
from collections.abc import Collection
from random import Random

KEPT = re.compile(
    r"\"[^\"\n]*\"|“[^”\n]*”|`[^`\n]*`|(?<!\w)'[^'\n]*'(?!\w)"  # quoted
    r"|\S*\w[._/@\\]\w\S*|\S*\d\S*"  # names of files, addresses, numbers, identifiers
)
"""Parts of a prompt that must stay as they are."""

_LABEL = re.compile(r"(?:Question|Task|Instruction): ?", re.IGNORECASE)
_LABELLED = re.compile(r"[A-Z][\w ]{0,20}:(?: |\Z)|.*\[\w+\]")
_WORD = re.compile(r"(?<![\w'’-])[a-z]{4,}(?![\w'’(-])")
_WORDS_PER_TYPO = 10

_QUESTION = ("Please tell me: {}", "I would like to know: {}", "Here is a question. {}")
_ORDER = ("Please {}", "I need you to {}", "Your job is to {}")
_OTHER = ("Here is what I need. {}", "This is the task. {}")
_ASKS = re.compile(
    r"(?:what|which|who|whose|where|when|why|how|is|are|do|does|did|can|has|have)\b", re.IGNORECASE
)
_ORDERS = re.compile(
    r"(?:add|answer|append|buy|change|compute|copy|count|create|delete|fetch|find|get|give|list|"
    r"make|move|name|print|put|remove|rename|replace|return|save|set|show|sort|update|write)\b",
    re.IGNORECASE,
)


def typos(prompt: str, rng: Random, kept: Collection[str] = ()) -> str:
    """Return `prompt` with a wrong letter in one of ten words, at least in one.

    Args:
        kept: words that keep their spelling, in small letters.
    """
    start, end = _asking(prompt)
    text = prompt[start:end]
    fixed = [match.span() for match in KEPT.finditer(text)]
    words = [
        word
        for word in _WORD.finditer(text)
        if word[0] not in kept and not any(a < word.end() and word.start() < b for a, b in fixed)
    ]
    number = min(len(words), max(1, len(words) // _WORDS_PER_TYPO))
    for word in sorted(rng.sample(words, number), key=lambda each: -each.start()):
        text = text[: word.start()] + _mistyped(word[0], rng) + text[word.end() :]
    return prompt[:start] + text + prompt[end:]


def paraphrase(prompt: str, rng: Random) -> str:
    """Return `prompt` with other words around its question or order."""
    start, end = _asking(prompt)
    text = prompt[start:end]
    kinds = ((_ASKS, _QUESTION), (_ORDERS, _ORDER))
    frames = next((frames for pattern, frames in kinds if pattern.match(text)), _OTHER)
    frame = rng.choice(frames)
    if not frame.endswith(". {}"):
        text = text[:1].lower() + text[1:]
    return prompt[:start] + frame.format(text) + prompt[end:]


def _asking(prompt: str) -> tuple[int, int]:
    """Return where the line that asks begins and ends: the first that has no label of data."""
    at = 0
    for line in prompt.split("\n"):
        label = _LABEL.match(line)
        begin = label.end() if label else 0
        if len(line[begin:].split()) > 2 and (label or not _LABELLED.match(line)):
            return at + begin, at + len(line)
        at += len(line) + 1
    return 0, len(prompt)


def _mistyped(word: str, rng: Random) -> str:
    """Swap, drop or double a letter inside of a word."""
    at = rng.randrange(1, len(word) - 2)
    swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    others = [swapped, word[:at] + word[at + 1 :], word[: at + 1] + word[at:]]
    return rng.choice([other for other in others if other != word])
