"""Match an action that no tool has to the nearest tool by BLEU (AgentTuning, section 2.3).

AgentTuning (Zeng et al. 2023, arXiv:2310.12823) takes, for an action that is none of the allowed
ones, the allowed action with the highest BLEU. Names of tools are too short for words, so the
n-grams here are of characters: the geometric mean of the precisions for n = 1 to 4, smoothed by
adding one for n > 1, times BLEU's brevity penalty (Papineni et al. 2002). Case and separators do
not count.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import exp, log

from engine.templates.base import Message, World
from engine.templates.wrapped import Wrapped
from environments.tools import Tool
from environments.types import Action, Task

_LONGEST_GRAM = 4


def bleu(candidate: str, reference: str) -> float:
    """Return the BLEU of two names, by n-grams of characters, in [0, 1]."""
    if not candidate or not reference:
        return 0.0
    logs = []
    for size in range(1, min(_LONGEST_GRAM, len(candidate)) + 1):
        given, right = _grams(candidate, size), _grams(reference, size)
        same, smooth = (given & right).total(), 0 if size == 1 else 1
        if not same and not smooth:
            return 0.0
        logs.append(log((same + smooth) / (given.total() + smooth)))
    brevity = min(0.0, 1 - len(reference) / len(candidate))
    return exp(brevity + sum(logs) / len(logs))


def nearest(name: str, tools: Sequence[Tool]) -> str:
    """Return the name of the tool nearest to `name`; "" if no letter agrees, or two are as near."""
    scores = {tool.name: bleu(_folded(name), _folded(tool.name)) for tool in tools}
    best = max(scores.values(), default=0.0)
    found = [tool for tool, score in scores.items() if score == best]
    return found[0] if best > 0 and len(found) == 1 else ""


class Nearest(Wrapped):
    """A template whose parsed actions name the nearest tool where they name none."""

    def parse(self, message: Message, tools: Sequence[Tool] = ()) -> Action:
        """See `Template.parse`."""
        action = self.template.parse(message, tools)
        if not action.tool or any(tool.name == action.tool for tool in tools):
            return action
        if self.conclusion(World("", tuple(tools)), Task("", ""), (), action):
            return action  # it completes the task, which is no tool of the world's
        name = nearest(action.tool, tools)
        if not name:
            return action
        repaired = [*action.reply.get("repaired", ()), "nearest"]
        return replace(action, tool=name, reply={**action.reply, "repaired": repaired})


def _grams(text: str, size: int) -> Counter[str]:
    return Counter(text[start : start + size] for start in range(len(text) - size + 1))


def _folded(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()
