"""A user's template: a TOML file of Jinja texts, with a parser by regular expression or JSON.

    name = "at-sign"
    dialect = "typescript"            # optional: how {{ tools }} is written; "lines" by default
    stop = ["\\nResult:"]              # optional
    system = "{{ instructions }}\\n\\nCall like this: @name {json}\\n\\n{{ tools }}"
    user = "{{ prompt }}"             # optional
    call = "{{ thought }}\\n@{{ tool }} {{ arguments | json }}"
    observation = "Result: {{ observation }}"

    [parse]                           # either a regular expression with these groups,
    regex = '(?s)\\A(?P<thought>.*)\\n@(?P<tool>\\S+) (?P<arguments>\\{.*\\})\\Z'
    # or, where a call is one JSON object, the dotted ways to its parts:
    # json = { tool = "command.name", arguments = "command.args", thought = "thoughts.text" }

`thought` may be left out of either; then calls are shown and read without one. The file is tried
on some calls when it is read: one whose `parse` does not give back what its `call` wrote is
refused. That is no proof: a thought that holds the file's own marks can still be misread.
"""

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.templates.base import TemplateError
from engine.templates.dialects import dialect
from engine.templates.openai_format import called, first_object
from engine.templates.text import Text
from environments.types import Action

_TEXTS = {"system": None, "call": None, "observation": None, "user": "{{ prompt }}"}
_KEYS = {*_TEXTS, "name", "dialect", "stop", "parse"}
_PROBES = (
    Action("look", {"at": "x"}, "I look."),
    Action("look", {}, "First.\nThen."),
    Action("query", {"sql": "SELECT 'a' <> \"b\"\nFROM {t}", "rows": 3, "all": [True, None]}, "é"),
)
_SILENT = Action("look", {"at": "x"})


def read_source(file: Path) -> str:
    """The text of `file`.

    Raises:
        TemplateError
    """
    try:
        return file.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise TemplateError(f"{file}: {error}") from error


def make_template(file: Path, source: str) -> Text:
    """The template that `source`, the text of `file`, describes.

    Raises:
        TemplateError: naming the file, and what to mend in it.
    """
    try:
        found = tomllib.loads(source)
        parser = _parser(found.get("parse"))
        template = _template(file.stem, found, parser.read)
        _try_out(template, parser.thoughts)
    except (ValueError, re.error, jinja2.TemplateError, TemplateError) as error:
        raise TemplateError(f"{file}: {error}") from error
    return template


def _template(name: str, found: Mapping[str, Any], read: Callable[[str], Action]) -> Text:
    if unknown := sorted(set(found) - _KEYS):
        raise TemplateError(
            f"no key {unknown[0]!r} is known; the keys are {', '.join(sorted(_KEYS))}"
        )
    jinja = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    jinja.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)
    texts = {}
    for key, default in _TEXTS.items():
        text = found.get(key, default)
        if not isinstance(text, str):
            raise TemplateError(f"{key!r} must be a text")
        texts[key] = jinja.from_string(text)
    return Text(
        str(found.get("name", name)),
        lambda instructions, tools: texts["system"].render(instructions=instructions, tools=tools),
        dialect(str(found.get("dialect", "lines"))),
        lambda action: texts["call"].render(
            tool=action.tool, arguments=dict(action.arguments), thought=action.thought
        ),
        read,
        lambda observation: texts["observation"].render(observation=observation),
        lambda prompt: texts["user"].render(prompt=prompt),
        tuple(map(str, found.get("stop", ()))),
    )


def _parser(parse: Any) -> "_ByPattern | _ByJson":
    if isinstance(parse, dict) and isinstance(parse.get("regex"), str):
        pattern = re.compile(parse["regex"])
        if not {"tool", "arguments"} <= set(pattern.groupindex):
            raise TemplateError("parse.regex needs the groups (?P<tool>...) and (?P<arguments>...)")
        return _ByPattern(pattern)
    if isinstance(parse, dict) and isinstance(parse.get("json"), dict):
        ways = {part: str(way).split(".") for part, way in parse["json"].items()}
        if not {"tool", "arguments"} <= set(ways):
            raise TemplateError("parse.json needs the ways to tool and to arguments")
        return _ByJson(ways)
    raise TemplateError("[parse] must hold regex, a text, or json, a table")


@dataclass(frozen=True, slots=True)
class _ByPattern:
    pattern: re.Pattern[str]

    @property
    def thoughts(self) -> bool:
        return "thought" in self.pattern.groupindex

    def read(self, reply: str) -> Action:
        found = self.pattern.search(reply)
        if found is None:
            return Action.malformed(reply, "no call was found in the form that was asked for")
        value, error = first_object(found["arguments"] or "")
        if error:
            return Action.malformed(reply, error)
        thought = found["thought"] if self.thoughts else ""
        call = {"tool": found["tool"], "arguments": value}
        return called(reply, call, ("tool", "arguments", ""), thought or "")


@dataclass(frozen=True, slots=True)
class _ByJson:
    ways: Mapping[str, list[str]]

    @property
    def thoughts(self) -> bool:
        return "thought" in self.ways

    def read(self, reply: str) -> Action:
        value, error = first_object(reply[max(0, reply.find("{")) :])
        if error:
            return Action.malformed(reply, error)
        call = {part: _follow(value, way) for part, way in self.ways.items()}
        return called(reply, call, ("tool", "arguments", "thought"), "")


def _follow(value: Any, way: list[str]) -> Any:
    for key in way:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _try_out(template: Text, thoughts: bool) -> None:
    """Raises TemplateError: `parse` does not read what `call` writes."""
    for action in (*_PROBES, _SILENT):
        written = template.write(action)
        if template.read(written) != (action if thoughts else replace(action, thought="")):
            raise TemplateError(
                f"[parse] does not give back the call that was written: wrote {written!r}, "
                f"read {template.read(written)}"
            )
    template.observed("seen")
    template.asked("?")
    template.system("rules", "tools")
