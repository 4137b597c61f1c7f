"""Other names for tools and arguments: synonyms of their words, and other ways to join them."""

import re
from collections.abc import Callable, Collection, Sequence
from random import Random

from engine.templates.reading.names import is_answer
from engine.templates.tool_noise.distractors import fold
from engine.templates.tool_noise.mentions import CONTEXT
from environments.tools import Tool

_ENDINGS = ("submit", "finish")
_ANSWERS = ("answer", *_ENDINGS, "final_answer", "submit_answer")
"""Templates read a final answer as a call of a tool that is called one of these."""

_SYNONYMS = {
    "add": ("insert", "append"),
    "answer": ("reply", "response", "solution"),
    "argmax": ("largest", "maximum"),
    "argmin": ("smallest", "minimum"),
    "attribute": ("feature", "measure"),
    "attributes": ("features", "measures"),
    "back": ("previous", "go_back"),
    "bash": ("shell", "terminal"),
    "cancel": ("revoke", "undo"),
    "check": ("verify", "inspect"),
    "city": ("town", "place"),
    "click": ("press", "tap"),
    "close": ("shut",),
    "code": ("source", "program"),
    "command": ("cmd", "instruction"),
    "content": ("body", "text_data"),
    "count": ("total", "tally"),
    "create": ("make", "new"),
    "database": ("db",),
    "date": ("day",),
    "delete": ("remove", "erase"),
    "describe": ("inspect", "explain"),
    "element": ("item", "target"),
    "enter": ("confirm", "send"),
    "file": ("document",),
    "files": ("documents",),
    "find": ("locate", "seek"),
    "get": ("fetch", "retrieve"),
    "id": ("identifier", "key"),
    "intersection": ("overlap", "common"),
    "list": ("enumerate", "show"),
    "lookup": ("find_text", "locate"),
    "message": ("note", "text"),
    "move": ("shift", "relocate"),
    "name": ("title", "label"),
    "neighbors": ("linked", "connected"),
    "number": ("index", "position"),
    "open": ("view", "load"),
    "option": ("choice", "entry"),
    "other": ("second", "another"),
    "path": ("location", "filename"),
    "python": ("interpreter", "run_code"),
    "query": ("terms", "keywords"),
    "read": ("load", "view"),
    "relation": ("link", "edge"),
    "relations": ("links", "edges"),
    "role": ("kind", "category"),
    "run": ("execute", "perform"),
    "say": ("speak", "tell"),
    "search": ("find", "seek"),
    "select": ("choose", "pick"),
    "send": ("post", "deliver"),
    "set": ("assign", "put"),
    "show": ("display", "view"),
    "sql": ("statement", "select_query"),
    "start": ("begin", "launch"),
    "stop": ("halt", "end"),
    "table": ("relation_name", "sheet"),
    "tables": ("sheets", "relations"),
    "test": ("check", "trial"),
    "tests": ("checks", "trials"),
    "text": ("words", "string"),
    "title": ("name", "heading"),
    "type": ("fill", "enter_text"),
    "update": ("change", "modify"),
    "user": ("account", "person"),
    "value": ("result", "amount"),
    "variable": ("set_name", "handle"),
    "write": ("save", "store"),
}
_ENDS = ("tool", "op", "call", "api")
_ARGUMENT_ENDS = ("value", "arg", "input", "param")
_TRIES = 6
_LONGEST = 64  # characters of a function's name that endpoints take


def tool_name(tool: Tool, rng: Random, taken: Collection[str]) -> str:
    """Return another name for `tool`, whose folded form is not in `taken`."""
    name = tool.name
    if is_answer(name):
        known = _ANSWERS if tool.parameters.get("properties") else _ENDINGS
        left = [each for each in known if fold(each) not in taken]
        if left:
            return rng.choice(left)
    return _new(name, rng, taken, _ENDS)


def argument_name(name: str, rng: Random, taken: Collection[str]) -> str:
    """Return another name for the argument `name`, whose folded form is not in `taken`."""
    return _new(name, rng, taken, _ARGUMENT_ENDS)


def _new(name: str, rng: Random, taken: Collection[str], ends: Sequence[str]) -> str:
    """Return a name that a reader would not mend to a taken one, nor take for a word around it."""
    words = _words(name)
    for tried in range(_TRIES):
        changed = [rng.choice(_SYNONYMS.get(word, (word,))) for word in words]
        if changed == words or tried:
            changed.append(rng.choice(ends))
        found = _joined("_".join(changed).split("_"), name, rng)
        if fold(found) not in taken and found.casefold() not in CONTEXT and len(found) <= _LONGEST:
            return found
    number = 2
    while fold(f"t{number}") in taken:
        number += 1
    return f"t{number}"


def _words(name: str) -> list[str]:
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)
    return [part.lower() for part in parts] or ["x"]


def _joined(words: list[str], name: str, rng: Random) -> str:
    """Join words with underscores or capitals; rather as `name` is not joined."""
    snake, camel = "_".join, _camel
    ways: list[Callable[[list[str]], str]] = (
        [camel, camel, snake] if "_" in name else [snake, camel]
    )
    return rng.choice(ways)(words)


def _camel(words: list[str]) -> str:
    return words[0] + "".join(word.capitalize() for word in words[1:])
