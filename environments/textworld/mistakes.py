"""Commands that a beginner might type instead of the right one."""

import re
from collections.abc import Iterator

_DIRECTIONS = ("north", "east", "south", "west")
_OTHER_VERBS = {
    "take": "examine",
    "open": "examine",
    "unlock": "open",
    "put": "drop",
    "insert": "drop",
    "cook": "eat",
    "slice": "eat",
    "chop": "eat",
    "dice": "eat",
    "prepare": "examine",
    "eat": "drop",
    "drop": "examine",
    "close": "open",
    "lock": "close",
}
"""A verb that needs the same thing, but does not do the job."""
_NUMBERED = re.compile(r"(.+ )(\d+)")


def other_commands(command: str) -> list[str]:
    """Return wrong versions of `command`, likeliest first; none of them is the command itself."""
    return [other for other in dict.fromkeys(_others(command)) if other != command]


def _others(command: str) -> Iterator[str]:
    verb, _, rest = command.partition(" ")
    if rest in _DIRECTIONS:
        at = _DIRECTIONS.index(rest)
        yield from (f"go {_DIRECTIONS[(at + turn) % 4]}" for turn in (2, 1, 3))
        return
    if numbered := _NUMBERED.fullmatch(command):  # "cabinet 2" and its neighbours
        at = int(numbered[2])
        yield from (f"{numbered[1]}{other}" for other in (at + 1, at - 1) if other > 0)
    thing = rest
    for word in (" from ", " with ", " on ", " into "):
        thing = thing.partition(word)[0]
    if verb in _OTHER_VERBS:
        yield f"{_OTHER_VERBS[verb]} {thing}"
    if thing != rest:  # the second thing forgotten
        yield f"{verb} {thing}"
    yield "look"
