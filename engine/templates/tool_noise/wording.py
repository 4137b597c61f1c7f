"""Other words for the descriptions of tools and arguments."""

import re
from random import Random

_VERBS = {
    "add": ("insert", "put in"),
    "answer": (),
    "calculate": ("compute", "work out"),
    "call": ("use",),
    "change": ("alter", "modify"),
    "check": ("verify", "find out"),
    "choose": ("pick", "take"),
    "click": ("press", "activate"),
    "create": ("make", "set up"),
    "delete": ("remove", "erase"),
    "display": ("show", "print"),
    "end": ("finish", "stop"),
    "fetch": ("get", "retrieve"),
    "find": ("look for", "locate"),
    "follow": ("go along", "trace"),
    "get": ("fetch", "retrieve"),
    "go": ("move", "step"),
    "list": ("enumerate", "show all of"),
    "make": ("build", "produce"),
    "move": ("shift", "relocate"),
    "open": ("bring up", "load"),
    "read": ("load", "look at"),
    "remove": ("delete", "take away"),
    "replace": ("overwrite", "swap out"),
    "retrieve": ("fetch", "get"),
    "return": ("give back", "deliver"),
    "run": ("execute", "carry out"),
    "say": ("state", "tell"),
    "search": ("look through", "query"),
    "send": ("transmit", "deliver"),
    "set": ("define", "fix"),
    "show": ("display", "print"),
    "submit": ("hand in", "send in"),
    "update": ("change", "refresh"),
    "write": ("save", "store"),
}
_FRAMES = ("Use this to {}", "Call it to {}", "Lets you {}")
_PLAIN_FRAMES = ("What it does: {}", "Purpose: {}")
_SENTENCES = {
    "This ends the task.": ("The task is over then.", "Nothing can be done afterwards."),
}
_ARGUMENT_FRAMES = ("give {}", "this is {}", "expected here: {}")


def reworded(description: str, rng: Random) -> str:
    """Return a tool's description in other words; "" stays ""."""
    if not description.strip():
        return description
    for sentence, others in _SENTENCES.items():
        description = description.replace(sentence, rng.choice(others))
    first, blank, rest = description.partition(" ")
    verb = first.casefold()
    if first.isalpha() and verb in _VERBS:
        other = rng.choice((verb, *_VERBS[verb]))
        frames = _FRAMES if other == verb else ("{}", *_FRAMES)
        return _capital(rng.choice(frames).format(f"{other}{blank}{rest}"))
    return rng.choice(_PLAIN_FRAMES).format(description)


def reworded_argument(description: str, rng: Random) -> str:
    """Return an argument's description in other words; "" stays ""."""
    if not description.strip():
        return description
    text = description if re.match(r"\W|\w[A-Z0-9]", description) else _small(description)
    return rng.choice(_ARGUMENT_FRAMES).format(text)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _small(text: str) -> str:
    return text[:1].lower() + text[1:]
