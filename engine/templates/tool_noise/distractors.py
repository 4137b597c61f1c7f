"""Tools of other worlds, which are of no use in this one."""

from collections.abc import Collection
from functools import cache
from random import Random

from engine.templates.reading.names import is_answer
from environments.registry import find_class
from environments.tools import GIVE_UP, Tool, is_say

WORLDS = ("bird", "browser", "kg", "os", "python", "search-qa", "webshop")
"""Worlds whose classes have tools and need no extra to be read."""


def choose(number: int, rng: Random, taken: Collection[str]) -> list[Tool]:
    """Return `number` tools, or as many as there are, whose folded names are not `taken`."""
    found: list[Tool] = []
    names = set(taken)
    for tool in rng.sample(pool(), len(pool())):
        if len(found) < number and fold(tool.name) not in names:
            found.append(tool)
            names.add(fold(tool.name))
    return found


@cache
def pool() -> tuple[Tool, ...]:
    """Return the tools to choose from: none that ends a task or speaks to the user."""
    tools = [tool for world in WORLDS for tool in find_class(world).tools]
    return tuple(
        tool
        for tool in tools
        if not (is_say(tool) or tool.name == GIVE_UP.name or is_answer(tool.name))
    )


def fold(name: str) -> str:
    """Return a name as readers compare names: without case and separators."""
    return "".join(c for c in name.casefold() if c.isalnum())
