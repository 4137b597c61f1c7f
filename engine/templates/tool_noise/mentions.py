"""Names of tools and arguments where a text mentions them.

A name that is an English word ("answer", "search") is mostly meant as that word. It is taken as a
name only where it must be one: in backticks, before "(", or after words like "call", "use" and
"Action:". Any other name ("run_sql", "argmax") is one wherever it stands as a word. An argument's
name counts outside of backticks only if it has an underscore, a digit or a capital letter inside.

True and shown names are swapped, and whether a name counts depends on both names of its pair and on
the text around, which is no name. So replacing them twice gives the text back.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

_WORDS = """\
act add answer apply ask back bash book buy calculate call cancel change check choose clear
click close command complete compute conclude contact copy count create cut delete describe do
done draw drop edit end enter enumerate estimate execute explain filter find finish fix follow
get give go grep group guess help hint history inspect intersection invite join jump know leave
list load login look make map mark message move name new next note open order overlap pick play
post press print put python query read recall receive record reduce remember remove rename
reply report reset respond rest return run save say scan score scroll search seek select send
set shell shop show skip sleep solve sort speak start state stop store submit sum tap test
think total transfer turn type undo update use view visit wait walk watch work write
"""
WORDS = frozenset(_WORDS.split())
"""English words that tools are named by."""

_CONTEXT = """\
call calls calling called of to use uses using used invoke invokes invoking the
tool function name action command api
"""
CONTEXT = frozenset(_CONTEXT.split())
"""Words before a name that tell it from a word; no shown name is one of them."""

_BEFORE = re.compile(
    r"(?:\b(?:call(?:s|ing|ed)?(?: (?:of|to))?|us(?:e|es|ing|ed)|invok(?:e|es|ing)|tool|function)"
    r"\s+(?:the (?:tool|function) )?"
    r"|\b(?:name|tool|action|function|command|api)[\"'*]*\s*[:=]\s*[\"'*]*)\Z",
    re.IGNORECASE,
)
_NEAR = 40  # characters before a name that can tell


@dataclass(frozen=True)
class Mentions:
    """Swaps names in texts.

    Attributes:
        tools: the shown name of each true name of a tool.
        arguments: the same for arguments.
    """

    tools: Mapping[str, str]
    arguments: Mapping[str, str]

    @cached_property
    def tool_swaps(self) -> dict[str, str]:
        """Each name of a tool, true or shown, and the one that takes its place."""
        return _both_ways(self.tools)

    @cached_property
    def swaps(self) -> dict[str, str]:
        """The same for tools and arguments; a name of both counts as a tool's."""
        found = self.tool_swaps
        clear = {a: b for a, b in self.arguments.items() if not {a, b} & found.keys()}
        return found | _both_ways(clear)

    def shown(self, text: str) -> str:
        """Return a text of the world as the agent sees it. It is its own inverse."""
        return self._pattern.sub(self._swapped, text) if self.swaps else text

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        names = sorted(self.swaps, key=len, reverse=True)
        return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, names))})(?!\w)")

    def _swapped(self, found: re.Match[str]) -> str:
        name, text = found[0], found.string
        other = self.swaps[name]
        before = text[max(0, found.start() - _NEAR) : found.start()]
        after = text[found.end() : found.end() + 1]
        if before.endswith("`") and after == "`":
            return other
        if name in self._arguments:
            return other if _is_identifier(name) and _is_identifier(other) else name
        if {name.casefold(), other.casefold()} & CONTEXT:
            return name
        if not {name.casefold(), other.casefold()} & WORDS:
            return other
        return other if after == "(" or _BEFORE.search(before) else name

    @cached_property
    def _arguments(self) -> frozenset[str]:
        return frozenset(self.swaps.keys() - self.tool_swaps.keys())


def _both_ways(names: Mapping[str, str]) -> dict[str, str]:
    changed = {a: b for a, b in names.items() if a != b}
    return changed | {b: a for a, b in changed.items()}


def _is_identifier(name: str) -> bool:
    return bool(re.search(r"[_\d-]|.[A-Z]", name))
