r"""A user's template: a TOML file of Jinja texts, with a parser by regular expression or JSON.

    name = "at-sign"
    dialect = "typescript"            # optional: how {{ tools }} is written; "lines" by default
    stop = ["\nResult:"]              # optional
    memory = "prompt"                 # optional: one prompt per call; "chat" by default
    call = "{{ thought }}\n@{{ tool }} {{ arguments | json }}"
    observation = "Result: {{ observation }}"

    [parts]                           # all optional; see `parts`
    profile = "You are an assistant."
    instruction = "{{ instructions }}"
    tools = "Call like this: @name {json}\n\n{{ tools }}"
    goal = "{{ prompt }}"
    memory = "{{ history }}"
    format = "Answer with one call."

    [parse]                           # either a regular expression with these groups,
    regex = '(?s)\A(?P<thought>.*)\n@(?P<tool>\S+) (?P<arguments>\{.*\})\Z'
    # or, if a call is one JSON object, the dotted paths to its parts:
    # json = { tool = "command.name", arguments = "command.args", thought = "thoughts.text" }

`base = "react"` takes from a built-in template what the file does not define. A table `[conclude]`,
with the same six keys, makes a second phase. In place of `[parts]`, a file may define `system` and
`user`: the two messages of a growing chat as they are.

`thought` is optional in both parsers; without it, thoughts are neither written nor read. The file
is tested on sample calls when it is read: if `parse` does not return what `call` wrote, it is
rejected. This is not a proof: a thought that contains the file's own delimiters can be misread.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.templates import kwai, phases
from engine.templates.base import TemplateError, World
from engine.templates.dialects import dialect
from engine.templates.parts import MEMORIES, Part, Parts, nothing
from engine.templates.parts import NAMES as PART_NAMES
from engine.templates.reading.arguments import Unreadable
from engine.templates.reading.arguments import read as read_arguments
from engine.templates.reading.json_calls import Call, lines_of
from engine.templates.reading.json_text import NotJson, read_json
from engine.templates.reading.reader import ANYWHERE, Reader, is_plain
from engine.templates.text import NOW, Text
from environments.tools import Tool, text_arguments
from environments.types import Action, Step, Task
from treegraft.file_errors import FileError
from treegraft.text_files import read_text

_FORM = ("call", "observation")
_MESSAGES = ("system", "user")
_KEYS = {
    *_FORM,
    *_MESSAGES,
    *("name", "base", "dialect", "stop", "memory", "order", "parts", "conclude", "parse"),
}
_PROBES = (
    Action("look", {"at": "x"}, "I look."),
    Action("look", {}, "First.\nThen."),
    Action("query", {"sql": "SELECT 'a' <> \"b\"\nFROM {t}", "rows": 3, "all": [True, None]}, "é"),
)
_SILENT = Action("look", {"at": "x"})
_LOOK, _ANSWER = (Tool(name, name, text_arguments(text="a text")) for name in ("look", "answer"))

T = TypeVar("T", bound=str)


def read_source(file: Path) -> str:
    """Return the text of `file`.

    Raises:
        TemplateError: it cannot be read.
    """
    try:
        return read_text(file)
    except FileError as error:
        raise TemplateError(str(error)) from error


def make_template(file: Path, source: str) -> Text:
    """Return the template that `source`, the text of `file`, describes.

    Raises:
        TemplateError: it is not valid; names the file and what to change in it.
    """
    try:
        settings = tomllib.loads(source)
        template, thoughts = _template(file.stem, settings)
        _try_out(template, thoughts)
    except (ValueError, TypeError, RecursionError, re.error, jinja2.TemplateError) as error:
        raise TemplateError(f"{file}: {' '.join(str(error).split())}") from error
    except TemplateError as error:
        raise TemplateError(f"{file}: {error}") from error
    return template


def _template(name: str, settings: Mapping[str, Any]) -> tuple[Text, bool]:
    """Return the template, and whether it writes thoughts."""
    if unknown := sorted(set(settings) - _KEYS):
        raise TemplateError(f"unknown key {unknown[0]!r}; the keys are {', '.join(sorted(_KEYS))}")
    base = _base(settings)
    template, thoughts = base or _EMPTY, True
    if base is None or {*_FORM, "parse"} & settings.keys():
        template, thoughts = _with_form(template, settings)
    if base is None or "dialect" in settings:
        template = replace(template, dialect=dialect(str(settings.get("dialect", "lines"))))
    if "stop" in settings:
        template = replace(template, stop=tuple(map(str, settings["stop"])))
    template = _with_conclusion(replace(template, parts=_parts(settings, template.parts)), settings)
    memory = _one_of(settings, "memory", MEMORIES, template.memory)
    return replace(template, name=str(settings.get("name", name)), memory=memory), thoughts


def _base(settings: Mapping[str, Any]) -> Text | None:
    """Return the built-in template that the file begins from."""
    if "base" not in settings:
        return None
    from engine.templates.registry import builtin

    found = builtin(str(settings["base"]))
    if found is None:
        raise TemplateError(f"base {settings['base']!r} is no built-in template of text")
    return found


def _with_form(template: Text, settings: Mapping[str, Any]) -> tuple[Text, bool]:
    """Return `template` with the file's own form of calls, and whether that holds thoughts."""
    call, observation = (_jinja(settings, key) for key in _FORM)
    parser = _parser(settings.get("parse"))

    def write(action: Action, tools: Sequence[Tool] = ()) -> str:
        """Return a call as the assistant's message."""
        arguments = dict(action.arguments)
        return call({"tool": action.tool, "arguments": arguments, "thought": action.thought})

    formed = replace(
        template,
        write=write,
        read=_reader(parser),
        observed=lambda text: observation({"observation": text}),
        offered=phases.offered if template.conclude else tuple,
        stop=(),
    )
    return formed, parser.thoughts


def _with_conclusion(template: Text, settings: Mapping[str, Any]) -> Text:
    """Return `template` with the file's second phase, if it has one."""
    if "conclude" not in settings:
        return template
    default = template.conclude or kwai.TEMPLATE.conclude
    assert default is not None
    conclude = _table(settings, "conclude", default)
    return replace(template, conclude=conclude, offered=phases.offered)


def _parts(settings: Mapping[str, Any], default: Parts) -> Parts:
    if "system" in settings or ("base" not in settings and "parts" not in settings):
        if "parts" in settings:
            raise TemplateError("define [parts], or system and user, not both")
        system = _jinja(settings, "system")
        user = _jinja(settings, "user") if "user" in settings else Parts().goal
        return Parts(instruction=system, tools=nothing, goal=user)
    if "user" in settings:
        raise TemplateError("user goes with system; in [parts], it is goal")
    return _table(settings, "parts", default)


def _table(settings: Mapping[str, Any], key: str, default: Parts) -> Parts:
    """Return the parts in the table `key`, in the file's order; `default` has the others."""
    table = settings.get(key, {})
    if not isinstance(table, dict) or (unknown := sorted(set(table) - set(PART_NAMES))):
        wrong = f"has the unknown key {unknown[0]!r}" if isinstance(table, dict) else "is no table"
        raise TemplateError(f"[{key}] {wrong}; its keys are {', '.join(PART_NAMES)}")
    order = list(settings.get("order", default.order))
    if sorted(map(str, order)) != sorted(PART_NAMES):
        raise TemplateError(f"order must hold each of {', '.join(PART_NAMES)} once")

    def part(name: str) -> Part:
        found: Part = _jinja(table, name) if name in table else getattr(default, name)
        return found

    return replace(
        default,
        profile=part("profile"),
        instruction=part("instruction"),
        tools=part("tools"),
        goal=part("goal"),
        memory=part("memory"),
        format=part("format"),
        order=order,
    )


def _one_of(settings: Mapping[str, Any], key: str, known: Sequence[T], default: T) -> T:
    given = settings.get(key, default)
    found = next((each for each in known if each == given), None)
    if found is None:
        raise TemplateError(f"{key} is {given!r}; use one of {', '.join(map(str, known))}")
    return found


def _jinja(texts: Mapping[str, Any], key: str) -> Part:
    """Return the text called `key` as a function of its values."""
    text = texts.get(key)
    if not isinstance(text, str):
        raise TemplateError(f"{key!r} must be a string")
    return _environment().from_string(text).render


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    jinja = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    jinja.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)
    return jinja


def _parser(parse: Any) -> "_ByPattern | _ByJson":
    if isinstance(parse, dict) and isinstance(parse.get("regex"), str):
        pattern = re.compile(parse["regex"])
        if not {"tool", "arguments"} <= set(pattern.groupindex):
            raise TemplateError("parse.regex needs the groups (?P<tool>...) and (?P<arguments>...)")
        return _ByPattern(pattern)
    if isinstance(parse, dict) and isinstance(parse.get("json"), dict):
        paths = {part: str(path).split(".") for part, path in parse["json"].items()}
        if not {"tool", "arguments"} <= set(paths):
            raise TemplateError("parse.json needs the paths to tool and to arguments")
        return _ByJson(paths)
    raise TemplateError("[parse] must hold regex, a string, or json, a table")


@dataclass(frozen=True, slots=True)
class _ByPattern:
    pattern: re.Pattern[str]

    @property
    def thoughts(self) -> bool:
        return "thought" in self.pattern.groupindex

    def find(self, text: str, tools: Sequence[Tool]) -> Call | None:
        found = self.pattern.search(text)
        if found is None:
            return None
        thought = (found["thought"] or "") if self.thoughts else ""
        return Call(found["tool"] or "", found["arguments"] or "", thought)


@dataclass(frozen=True, slots=True)
class _ByJson:
    paths: Mapping[str, list[str]]

    @property
    def thoughts(self) -> bool:
        return "thought" in self.paths

    def find(self, text: str, tools: Sequence[Tool]) -> Call | None:
        start = text.find("{")
        if start < 0:
            return None
        try:
            value = read_json(text[start:]).value
        except NotJson as error:
            raise Unreadable(f"the call is {error}") from None
        call = {part: _follow(value, path) for part, path in self.paths.items()}
        if not isinstance(call["tool"], str):
            return None
        return Call(call["tool"], call["arguments"], lines_of(call.get("thought")))


def _follow(value: Any, path: list[str]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _reader(parser: "_ByPattern | _ByJson") -> Reader:
    def exact(reply: str) -> Call | None:
        """Return the call in a reply that `parse` reads as it is."""
        try:
            call = parser.find(reply, ())
            mended = call is not None and read_arguments(call.given, None)[1]
        except Unreadable:
            return None
        if call is None or mended:
            return None
        # A thought in JSON stands for itself.
        inside = isinstance(parser, _ByJson) and reply.startswith("{")
        return call if inside or is_plain(call.thought) else None

    lost = "no call was found in the form that was asked for"
    return Reader(exact, (parser.find, *ANYWHERE), parser.find, lambda _: lost)


def _try_out(template: Text, thoughts: bool) -> None:
    """Raise a TemplateError if `parse` does not return what `call` wrote."""
    for action in (*_PROBES, _SILENT):
        written = template.write(action, ())
        found = template.read(written, ())
        if found != (action if thoughts else replace(action, thought="")):
            raise TemplateError(
                f"[parse] does not return the call that was written: wrote {written!r}, "
                f"read {found}"
            )
    step = Step(_SILENT, "seen")
    world, task = World("rules", (_LOOK, _ANSWER)), Task("", "?", tags={NOW: "today"})
    template.render(world, task, (step,))
    for memory in MEMORIES:
        asked = replace(template, memory=memory)
        asked.request(world, task, (step,))
        asked.conclusion(world, task, (step,), phases.completed(_SILENT))


def _nothing_read(reply: str, tools: Sequence[Tool]) -> Action:
    raise NotImplementedError


_EMPTY = Text("", Parts(), dialect("lines"), kwai.write, _nothing_read, str)
