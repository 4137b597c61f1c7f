"""What a tool is for, told from its name, description and arguments alone."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from environments import GIVE_UP, Action, Tool
from environments.tools import violation

_ENDS = re.compile(r"answer|finish|submit|final|done|complete|conclude", re.I)
_SHELL = re.compile(r"\b(bash|shell|terminal|sh|command line)\b", re.I)
_LISTS = re.compile(r"list|(^|_)ls($|_)|tree|dir", re.I)
_READS = re.compile(r"read|cat|open|view|show|get", re.I)
_WRITES = re.compile(r"write|create|save|edit|put", re.I)
_PATHS = ("path", "file_path", "file_name", "filename", "file", "name")
_CONTENTS = ("content", "contents", "text", "file_text", "data")
_CODES = ("code", "source", "program", "script")
_COMMANDS = ("command", "cmd", "commands", "script")
_QUERIES = ("sql", "query", "statement")


def words_of(tool: Tool) -> str:
    """Return the name and the description of a tool, as words."""
    return f"{tool.name.replace('_', ' ')} {tool.description}"


def properties(tool: Tool) -> Mapping[str, Any]:
    """Return the schemas of a tool's arguments."""
    return dict(tool.parameters.get("properties", {}))


def call(tool: Tool, text: str, name: str = "") -> Action | None:
    """Return a valid call with `text` as one argument and the least for the others, or None.

    name: the argument that gets the text; "" for none.
    """
    given = {}
    for each, schema in properties(tool).items():
        if each == name:
            given[each] = _as(schema, text)
        elif each in tool.parameters.get("required", ()):
            given[each] = _least(schema, text)
    action = Action(tool.name, given)
    return action if violation(action, [tool]) is None else None


def says(tool: Tool, text: str) -> Iterator[Action]:
    """Yield the calls of `tool` that say `text`: one for each argument that takes a text."""
    names = [name for name, schema in properties(tool).items() if _takes_text(schema)]
    seen = set[str]()
    for name in names or [""]:
        action = call(tool, text, name)
        if action is not None and action.key not in seen:
            seen.add(action.key)
            yield action


def ends(tools: Sequence[Tool], endings: Sequence[Action]) -> list[Tool]:
    """Return the tools that end a task: those that ended others, and those whose name says so."""
    used = {action.tool for action in endings}
    known = [tool for tool in tools if tool.name in used]
    named = [tool for tool in tools if tool not in known and _ENDS.search(tool.name)]
    return [tool for tool in [*known, *named] if tool.name != GIVE_UP.name]


def shells(tools: Sequence[Tool]) -> list[tuple[Tool, str]]:
    """Return the tools that run commands, with the argument that takes one."""
    return [
        (tool, name)
        for tool in tools
        if _SHELL.search(words_of(tool)) and (name := _one_of(tool, _COMMANDS))
    ]


def interpreters(tools: Sequence[Tool]) -> list[tuple[Tool, str]]:
    """Return the tools that run Python, or take it as an answer, with its argument."""
    return [(tool, name) for tool in tools if (name := _one_of(tool, _CODES))]


def queries(tools: Sequence[Tool]) -> list[tuple[Tool, str]]:
    """Return the tools that run SQL, or take it as an answer, with its argument."""
    return [
        (tool, name)
        for tool in tools
        if (name := _one_of(tool, _QUERIES)) and re.search(r"\bsql", words_of(tool) + name, re.I)
    ]


def readers(tools: Sequence[Tool]) -> list[tuple[Tool, str]]:
    """Return the tools that list folders or show files, with the argument of the path, or ""."""
    found = []
    for tool in tools:
        name = _one_of(tool, _PATHS)
        lists = _LISTS.search(tool.name) and (name or not tool.parameters.get("required"))
        if lists or (name and _READS.search(tool.name)):
            found.append((tool, name))
    return found


def writers(tools: Sequence[Tool]) -> list[tuple[Tool, str, str]]:
    """Return the tools that write files, with the arguments of the path and of the content."""
    return [
        (tool, path, content)
        for tool in tools
        if _WRITES.search(tool.name)
        and (path := _one_of(tool, _PATHS))
        and (content := _one_of(tool, _CONTENTS))
        and path != content
    ]


def _one_of(tool: Tool, names: Sequence[str]) -> str:
    known = properties(tool)
    return next((name for name in names if name in known and _takes_text(known[name])), "")


def _takes_text(schema: Any) -> bool:
    if not isinstance(schema, Mapping) or "enum" in schema or "const" in schema:
        return False
    kinds = [schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())]
    kinds = kinds[1:] or kinds
    return any(_kind(kind) in ("string", "number", "integer", "array", "") for kind in kinds)


def _kind(schema: Any) -> str:
    kind = schema.get("type", "") if isinstance(schema, Mapping) else ""
    return str(kind[0] if isinstance(kind, list) else kind)


def _as(schema: Mapping[str, Any], text: str) -> Any:
    """Return `text` as a value of `schema`."""
    kinds = [schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())]
    names = {_kind(kind) for kind in kinds[1:] or kinds}
    if names & {"string", ""}:
        return text
    if "array" in names:
        return [text]
    found = re.search(r"-?\d+(\.\d+)?", text)
    number = float(found[0]) if found else 0.0
    return int(number) if "integer" in names or number.is_integer() else number


def _least(schema: Mapping[str, Any], text: str) -> Any:
    """Return a value of `schema` that says nothing; a text where one is needed."""
    if schema.get("enum"):
        return next((each for each in schema["enum"] if "give_up" not in str(each)), text)
    if "const" in schema:
        return schema["const"]
    least = {
        "integer": schema.get("minimum", 0),
        "number": schema.get("minimum", 0),
        "boolean": True,
        "array": [],
        "object": {},
        "null": None,
    }
    return least.get(_kind(schema), text)
