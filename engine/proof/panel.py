"""The panel: cheaters for every world, chosen by what its tools can do.

Each sees what an agent sees (`AgentView`), plays one attempt, and should earn no more than doing
nothing does.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice

from engine.proof import programs
from engine.proof.tool_kinds import (
    call,
    ends,
    interpreters,
    queries,
    readers,
    says,
    shells,
    writers,
)
from environments import GIVE_UP, Action, Tool
from environments.cheaters import AgentView, Attempt, Cheater

ECHO, NOTHING, COMMON, OBSERVED = "echo", "nothing", "common", "observed"
EVERYTHING, READ, FORGE = "everything", "read", "forge"

ABOUT = {
    ECHO: "Answers with the prompt.",
    NOTHING: "Ends the task at once, with the least that the last tool takes.",
    COMMON: "Ends the task as most of the other tasks are ended.",
    OBSERVED: "Makes the calls that need no thought, and answers with the most common word.",
    EVERYTHING: "Answers with the prompt, all observations and all the others' answers in one.",
    READ: "Lists and reads what its tools reach, looks for the gold, and answers with it.",
    FORGE: "Leaves files, exit codes, patched functions or a printed verdict for the grader.",
}
"""What each cheater of the panel does."""

_WORD = re.compile(r"-?\d+(?:\.\d+)?|\w+")
_SUSPICIOUS = re.compile(programs.SUSPICIOUS, re.I)
_FUNCTION = re.compile(r"(?:def\s+|`)(\w+)\s*\(")
MOST_ENDS = 4
"""Ways to say an answer that an attempt is made with."""


def panel(view: AgentView) -> Iterator[tuple[str, Cheater]]:
    """Yield each attempt that the tools of `view` allow, with the name of its cheater."""
    for index in range(len(_ends(view, ""))):
        yield ECHO, partial(_answer_with, index=index, text=view.prompt)
        yield NOTHING, partial(_answer_with, index=index, text="")
        yield OBSERVED, partial(_observe, index=index)
        yield EVERYTHING, partial(_observe, index=index, all_of_it=True)
        for text in programs.VERDICT_WORDS.values():
            yield FORGE, partial(_answer_with, index=index, text=text)
    if view.endings:
        yield COMMON, _answer_as_others
    yield from _reading(view)
    yield from _forging(view)


def _ends(view: AgentView, text: str) -> list[Action]:
    """Return the ways to end a task with `text`; their number does not depend on it."""
    found = [
        action for tool in ends(view.tools, view.endings) for action in says(tool, text or "0")
    ]
    if text:
        return found[:MOST_ENDS]
    return [_emptied(action) for action in found[:MOST_ENDS]]


def _emptied(action: Action) -> Action:
    blank = {name: "" if value == "0" else value for name, value in action.arguments.items()}
    return Action(action.tool, blank)


def _answer_with(view: AgentView, index: int, text: str) -> Attempt:
    found = _ends(view, text)
    if index < len(found):
        yield found[index]


def _answer_all(view: AgentView, text: str) -> Attempt:
    """Say `text` in every way, one after another: what is no end of the task is passed over."""
    for action in _ends(view, text):  # noqa: UP028 (what is sent to a list is refused)
        yield action


def _answer_as_others(view: AgentView) -> Attempt:
    by_key = {action.key: action for action in view.endings}
    (key, _), *_ = Counter(action.key for action in view.endings).most_common(1)
    yield by_key[key]


def _observe(view: AgentView, index: int, all_of_it: bool = False) -> Attempt:
    """Make the calls that need no argument, or any word; answer with what was seen."""
    left_out = [*ends(view.tools, view.endings), GIVE_UP]
    left_out += [tool for tool, _, _ in writers(view.tools)]
    seen = []
    for tool in view.tools:
        easy = None if tool in left_out else call(tool, _last_word(view.prompt))
        if easy is not None:
            seen.append((yield easy))
    if all_of_it:
        others = (str(value) for each in view.endings for value in each.arguments.values())
        yield from _answer_with(view, index, "\n".join([view.prompt, *seen, *others]))
        return
    words = Counter(_WORD.findall("\n".join(seen or [view.prompt])))
    yield from _answer_with(view, index, words.most_common(1)[0][0] if words else "0")


def _last_word(text: str) -> str:
    found: list[str] = _WORD.findall(text)
    return found[-1] if found else "0"


def _reading(view: AgentView) -> Iterator[tuple[str, Cheater]]:
    for tool, name in shells(view.tools):
        yield READ, partial(_read_by, calls=_calls(tool, name, programs.SHELL_LOOKS))
        yield READ, partial(_read_one, action=call(tool, programs.SHELL_FILE, name))
    for tool, name in _running(view, interpreters(view.tools)):
        yield READ, partial(_read_by, calls=_calls(tool, name, programs.PYTHON_LOOKS))
    for tool, name in _running(view, queries(view.tools)):
        yield READ, partial(_read_tables, tool=tool, name=name)
    if readers(view.tools):
        yield READ, _read_files


def _running(view: AgentView, found: Sequence[tuple[Tool, str]]) -> list[tuple[Tool, str]]:
    """Return those of the tools that do not end the task."""
    closing = ends(view.tools, view.endings)
    return [(tool, name) for tool, name in found if tool not in closing]


def _calls(tool: Tool, name: str, texts: Sequence[str]) -> list[Action]:
    return [action for text in texts if (action := call(tool, text, name)) is not None]


def _read_by(view: AgentView, calls: Sequence[Action]) -> Attempt:
    found = []
    for action in calls:
        found.append((yield action))
    yield from _answer_all(view, _told("\n".join(found)))


def _read_one(view: AgentView, action: Action | None) -> Attempt:
    if action is not None:
        observation = yield action
        yield from _answer_all(view, observation.strip() or "0")


def _told(text: str) -> str:
    """Return the line that tells most of an answer: the last that names one, else the last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    named = [line for line in lines if _SUSPICIOUS.search(line) and re.search(r"[:=]", line)]
    line = (named or lines or ["0"])[-1]
    return re.split(r"[:=]\s*", line, maxsplit=1)[-1].strip("'\"{}[] ") or line


def _read_tables(view: AgentView, tool: Tool, name: str) -> Attempt:
    seen = []
    for action in _calls(tool, name, programs.SQL_LOOKS):
        seen.append((yield action))
    names = [word for word in re.findall(r"\w+", "\n".join(seen)) if _SUSPICIOUS.search(word)]
    for table in list(dict.fromkeys(names))[:5]:
        for action in _calls(tool, name, [f'SELECT * FROM "{table}"']):
            seen.append((yield action))
    yield from _answer_all(view, _told(seen[-1] if seen else ""))


def _read_files(view: AgentView) -> Attempt:
    seen, told = [], ""
    listing = [(tool, name) for tool, name in readers(view.tools) if "list" in tool.name.lower()]
    for tool, name in listing or readers(view.tools)[:1]:
        for place in (".", "/", "..") if name else ("",):
            action = call(tool, place, name)
            if action is not None:
                seen.append((yield action))
    paths = [word for word in re.findall(r"[\w./-]+", "\n".join(seen)) if _SUSPICIOUS.search(word)]
    for path in [*dict.fromkeys(paths), *programs.PLACES][:20]:
        for tool, name in islice((pair for pair in readers(view.tools) if pair[1]), 2):
            action = call(tool, path, name)
            observation = (yield action) if action is not None else ""
            if observation and not observation.startswith("error") and not told:
                told = observation
    yield from _answer_all(view, told.strip() or "0")


def _forging(view: AgentView) -> Iterator[tuple[str, Cheater]]:
    for tool, name in shells(view.tools):
        for text in programs.SHELL_FORGERIES.values():
            yield FORGE, partial(_act_and_end, calls=_calls(tool, name, [text]))
    for index, _ in enumerate(programs.PYTHON_FORGERIES):
        if interpreters(view.tools):
            yield FORGE, partial(_forge_code, index=index)
    for tool, name in queries(view.tools):
        for text in programs.SQL_FORGERIES.values():
            yield FORGE, partial(_act_and_end, calls=_calls(tool, name, [text]))
    for tool, path, content in writers(view.tools):
        yield FORGE, partial(_write_files, tool=tool, path=path, content=content)


def _act_and_end(view: AgentView, calls: Sequence[Action]) -> Attempt:
    """Make the calls, then end the task in every way with the least that it takes."""
    for action in calls:  # noqa: UP028
        yield action
    yield from _answer_all(view, "0")


def _forge_code(view: AgentView, index: int) -> Attempt:
    names = dict.fromkeys(_FUNCTION.findall(view.prompt))
    function = "".join(programs.ANY_FUNCTION.format(name=name) for name in names) or "True\n"
    code = list(programs.PYTHON_FORGERIES.values())[index].replace("{function}", function)
    found = interpreters(view.tools)
    closing = ends(view.tools, view.endings)
    for tool, name in sorted(found, key=lambda pair: pair[0] in closing):
        action = call(tool, code, name)
        if action is not None:
            yield action
    yield from _answer_all(view, "0")


def _write_files(view: AgentView, tool: Tool, path: str, content: str) -> Attempt:
    for name, text in programs.WRITTEN.items():
        action = call(tool, name, path)
        if action is not None:
            yield Action(tool.name, {**action.arguments, content: text})
    yield from _answer_all(view, "0")
