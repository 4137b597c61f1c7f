"""Thoughts of a shopper, made by rule: what is asked for, and what the page shows of it.

Only texts are read, as the agent reads them: the instruction, and the pages so far.
"""

import re
from collections.abc import Sequence

from environments.thoughts import after_error, argument, listed, plain_thought, shortened
from environments.types import Action, Step, Task
from environments.webshop.pages.parts import BUY, NEXT, PREV

_PARTS = re.compile(r"[,;]|\.(?!\d)|\b(?:and|with|that is|that are|which is|which are)\b")
_PRICE_CAP = re.compile(r"price lower than ([\d.]+) dollars")
_PRICE = re.compile(r"\$([\d.]+)")
_MARK = re.compile(r"\[(?:clicked )?button_?\]|\[clicked button_\]")
_FILLERS = (
    "i a an the want need would like am is are be it they should looking for to buy find please me"
    " show do you sell some of in also my that this can help color colour size price lower than get"
    " any so after sold as"
)
_FILLER = frozenset(_FILLERS.split())
"""Words that say that something is asked for, not what."""
_LOOKS = ("description", "features", "reviews", "attributes")


def thought(task: Task, path: Sequence[Step], action: Action) -> str:
    """Return the thought before a step; see `Demonstrable.thought`."""
    wanted = constraints(task.prompt)
    if action.tool == "search":
        again = any(step.action.tool == "search" for step in path)
        words = argument(action, "query")
        other = "I try other words" if again else "I search"
        return f"{after_error(path)}Asked for: {'; '.join(wanted)}. {other}: {words}."
    if action.tool == "click" and path:
        return after_error(path) + _click(wanted, path, argument(action, "element"))
    return plain_thought(task, path, action)


def constraints(prompt: str) -> list[str]:
    """Return what an instruction asks for, one thing each, in its own words."""
    lines = [line for line in _lines(prompt) if line not in ("WebShop", "Instruction:", "Search")]
    text = (lines or [""])[0].removeprefix("Instruction:").strip().lower()
    cap = _PRICE_CAP.search(text)
    parts = (_core(part) for part in _PARTS.split(_PRICE_CAP.sub("", text)))
    found = [part for part in dict.fromkeys(parts) if part]
    return [*found, *([cap[0]] if cap else [])]


def _core(part: str) -> str:
    """Return a part of an instruction without the words around what it asks for."""
    words = part.split()
    while words and words[0].strip("'?:") in _FILLER:
        words.pop(0)
    return " ".join(words).strip(" ?!:")


def _click(wanted: Sequence[str], path: Sequence[Step], element: str) -> str:
    name, seen = element.lower(), _seen(path)
    shown, missing = _fulfilled(wanted, seen)
    if name == NEXT.lower():
        return f"No product of this page is clearly {listed(wanted[:3])}; I look at the next page."
    if name == PREV.lower():
        lacks = f"I do not see {listed(missing)}" if missing else "This is not it"
        return f"{lacks}; I go back."
    if name == BUY.lower():
        lacks = f" Not shown: {listed(missing)}." if missing else ""
        return f"The page shows {listed(shown) or 'little of it'}.{lacks} I buy it."
    if name in _LOOKS:
        return f"{element} may tell about {listed(missing) or 'the rest'}."
    place = [line.lower() for line in _lines(path[-1].observation)]
    if "total results" in path[-1].observation.lower() and name in place:
        return _product(wanted, _lines(path[-1].observation), place.index(name))
    asked = [each for each in wanted if _shows(name, each) or _shows(each, name)]
    why = f"Asked for is {listed(asked)}" if asked else "The page offers it"
    return f"{why}: I choose {element}."


def _product(wanted: Sequence[str], lines: Sequence[str], place: int) -> str:
    """Return the thought before a product of the results is clicked."""
    title, price = lines[place + 1 : place + 2], lines[place + 2 : place + 3]
    about = "\n".join((*title, *price))
    shown, missing = _fulfilled(wanted, about)
    fits = f" names {listed(shown)}" if shown else " may fit"
    rest = f"; its page has to tell about {listed(missing)}" if missing else ""
    return f"{shortened(''.join(title), 80)}, for {''.join(price)},{fits}{rest}."


def _fulfilled(wanted: Sequence[str], shown: str) -> tuple[list[str], list[str]]:
    """Return which of the things asked for a text shows, and the others."""
    found = [each for each in wanted if _shows(shown, each)]
    return found, [each for each in wanted if each not in found]


def _shows(text: str, wanted: str) -> bool:
    if cap := _PRICE_CAP.fullmatch(wanted):
        prices = [float(each) for each in _PRICE.findall(text)]
        return bool(prices) and prices[-1] < float(cap[1])
    words = {_stem(word) for word in re.findall(r"[\w.]+", text.lower())}
    parts = [word for word in re.findall(r"[\w.]+", wanted) if word not in _FILLER]
    return bool(parts) and all(_stem(word) in words for word in parts)


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


def _seen(path: Sequence[Step]) -> str:
    """Return what the pages of this product show and what is chosen, without the instruction.

    Options that are offered and not chosen are left out.
    """
    texts = []
    for step in reversed(path):
        if "total results" in step.observation.lower():
            break
        lines = step.observation.splitlines()
        texts += [
            _MARK.sub("", line)
            for line in lines
            if "[button]" not in line and not line.startswith("Instruction")
        ]
    return "\n".join(line for line in texts if not _PRICE_CAP.search(line))


def _lines(page: str) -> list[str]:
    """Return the texts of a page, without what marks its buttons."""
    lines = (_MARK.sub("", line).strip() for line in re.split(r"\n|\[SEP\]", page))
    return [line for line in lines if line]
