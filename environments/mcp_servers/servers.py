"""What servers there are: from a command line, a URL, or JSON in the form of `mcpServers`."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, get_args

from environments.errors import DataError
from treegraft.file_errors import FileError
from treegraft.text_files import decode, read_bytes

State = Literal["replay", "folder", "fork"]


@dataclass(frozen=True, slots=True)
class Server:
    """A server.

    Attributes:
        command: program and arguments, for a server over stdio; () for one with a URL.
        env: environment variables of the program, the only ones besides the sandbox's.
        state: where its state is: "folder" if all of it lies in the work folder, so that a copy of
            the folder is a copy of the state; "fork" if it is a program of Python's that can be
            forked; "replay" if nothing is known.
        hidden: patterns of names of tools that are not shown: those that tell the time, say.
        tools: patterns of the tools that are shown; () for all.
    """

    name: str
    command: tuple[str, ...] = ()
    url: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    state: State = "replay"
    hidden: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()

    def shows(self, tool: str) -> bool:
        """Return whether the agent may call `tool`."""
        if any(fnmatchcase(tool, pattern) for pattern in self.hidden):
            return False
        return not self.tools or any(fnmatchcase(tool, pattern) for pattern in self.tools)


def servers_of(text: str, state: State, hidden: tuple[str, ...]) -> dict[str, Server]:
    """Return the servers that an option names: a command line, a URL, or a file "*.json".

    Raises:
        DataError: the text, or the file, describes no server.
    """
    if text.endswith(".json") and " " not in text:
        known = described(_read(Path(text)), text)
        return {
            name: replace(server, hidden=(*server.hidden, *hidden))
            for name, server in known.items()
        }
    if text.startswith(("http://", "https://")):
        return {"server": Server("server", url=text, state=state, hidden=hidden)}
    try:
        command = tuple(shlex.split(text))
    except ValueError as error:
        raise DataError(f"server={text}: not a command line: {error}") from error
    if not command:
        raise DataError("server= is empty: give a command line, a URL or a .json file")
    name = Path(command[0]).name
    return {name: Server(name, command, state=state, hidden=hidden)}


def described(value: Any, place: str) -> dict[str, Server]:
    """Return the servers that JSON describes, in the form of MCP clients' settings.

    That is `{"mcpServers": {NAME: {"command": ..., "args": [...], "env": {...}}}}`, or with "url".
    Besides, "state", "hidden" and "tools" may be given; see `Server`.

    Raises:
        DataError: something in it has the wrong form.
    """
    servers = value.get("mcpServers") if isinstance(value, dict) else None
    if not isinstance(servers, dict) or not servers:
        raise DataError(f"{place}: 'mcpServers' must be an object that names servers")
    return {
        name: _server(name, entry, f"{place}: server {name!r}") for name, entry in servers.items()
    }


def _server(name: str, entry: Any, place: str) -> Server:
    if not isinstance(entry, dict):
        raise DataError(f"{place} must be an object")
    command, url, env = entry.get("command", ""), entry.get("url", ""), entry.get("env", {})
    if not isinstance(command, str) or not isinstance(url, str) or bool(command) == bool(url):
        raise DataError(f"{place} needs either 'command' or 'url', as text")
    if not isinstance(env, dict) or not all(isinstance(each, str) for each in env.values()):
        raise DataError(f"{place}: 'env' must be an object of texts")
    state = entry.get("state", "replay")
    if state not in get_args(State):
        raise DataError(f"{place}: 'state' must be one of {', '.join(get_args(State))}")
    lists = [_texts(entry, key, place) for key in ("args", "hidden", "tools")]
    words = (command, *lists[0]) if command else ()
    return Server(name, words, url, env, state, lists[1], lists[2])


def _texts(entry: Mapping[str, Any], key: str, place: str) -> tuple[str, ...]:
    given = entry.get(key, [])
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise DataError(f"{place}: {key!r} must be a list of texts")
    return tuple(given)


def _read(path: Path) -> Any:
    try:
        return json.loads(decode(read_bytes(path)))
    except FileError as error:
        raise DataError(str(error)) from error
    except ValueError as error:
        raise DataError(f"{path}: not JSON: {error}") from error
