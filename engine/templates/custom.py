r"""A user's template: a TOML file of Jinja texts, with a parser by regular expression or JSON.

    name = "at-sign"
    dialect = "typescript"            # optional: how {{ tools }} is written; "lines" by default
    stop = ["\nResult:"]              # optional
    system = "{{ instructions }}\n\nCall like this: @name {json}\n\n{{ tools }}"
    user = "{{ prompt }}"             # optional
    call = "{{ thought }}\n@{{ tool }} {{ arguments | json }}"
    observation = "Result: {{ observation }}"

    [parse]                           # either a regular expression with these groups,
    regex = '(?s)\A(?P<thought>.*)\n@(?P<tool>\S+) (?P<arguments>\{.*\})\Z'
    # or, if a call is one JSON object, the dotted paths to its parts:
    # json = { tool = "command.name", arguments = "command.args", thought = "thoughts.text" }

`thought` is optional in both; without it, thoughts are neither written nor read. When the file is
read, it is tested on sample calls: if `parse` does not return what `call` wrote, the file is
rejected. This is not a proof: a thought that contains the file's own delimiters can be misread.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.templates.base import TemplateError
from engine.templates.dialects import dialect
from engine.templates.reading.arguments import Unreadable
from engine.templates.reading.arguments import read as read_arguments
from engine.templates.reading.json_calls import Call, lines_of
from engine.templates.reading.json_text import NotJson, read_json
from engine.templates.reading.reader import ANYWHERE, Reader, is_plain
from engine.templates.text import Text
from environments.tools import Tool
from environments.types import Action
from treegraft.file_errors import FileError
from treegraft.text_files import read_text

_TEXTS = {"system": None, "call": None, "observation": None, "user": "{{ prompt }}"}
_KEYS = {*_TEXTS, "name", "dialect", "stop", "parse"}
_PROBES = (
    Action("look", {"at": "x"}, "I look."),
    Action("look", {}, "First.\nThen."),
    Action("query", {"sql": "SELECT 'a' <> \"b\"\nFROM {t}", "rows": 3, "all": [True, None]}, "é"),
)
_SILENT = Action("look", {"at": "x"})


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
        parser = _parser(settings.get("parse"))
        template = _template(file.stem, settings, _reader(parser))
        _try_out(template, parser.thoughts)
    except (ValueError, TypeError, RecursionError, re.error, jinja2.TemplateError) as error:
        raise TemplateError(f"{file}: {' '.join(str(error).split())}") from error
    except TemplateError as error:
        raise TemplateError(f"{file}: {error}") from error
    return template


def _template(name: str, settings: Mapping[str, Any], read: Reader) -> Text:
    if unknown := sorted(set(settings) - _KEYS):
        raise TemplateError(f"unknown key {unknown[0]!r}; the keys are {', '.join(sorted(_KEYS))}")
    jinja = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    jinja.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)
    texts = {}
    for key, default in _TEXTS.items():
        text = settings.get(key, default)
        if not isinstance(text, str):
            raise TemplateError(f"{key!r} must be a string")
        texts[key] = jinja.from_string(text)
    return Text(
        str(settings.get("name", name)),
        lambda instructions, tools: texts["system"].render(instructions=instructions, tools=tools),
        dialect(str(settings.get("dialect", "lines"))),
        lambda action: texts["call"].render(
            tool=action.tool, arguments=dict(action.arguments), thought=action.thought
        ),
        read,
        lambda observation: texts["observation"].render(observation=observation),
        lambda prompt: texts["user"].render(prompt=prompt),
        tuple(map(str, settings.get("stop", ()))),
    )


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
        return None if call is None or mended or not is_plain(call.thought) else call

    lost = "no call was found in the form that was asked for"
    return Reader(exact, (parser.find, *ANYWHERE), parser.find, lambda _: lost)


def _try_out(template: Text, thoughts: bool) -> None:
    """Raise a TemplateError if `parse` does not return what `call` wrote."""
    for action in (*_PROBES, _SILENT):
        written = template.write(action)
        found = template.read(written, ())
        if found != (action if thoughts else replace(action, thought="")):
            raise TemplateError(
                f"[parse] does not return the call that was written: wrote {written!r}, "
                f"read {found}"
            )
    template.observed("seen")
    template.asked("?")
    template.system("rules", "tools")
