"""The tools of MCP servers as a world: any server over stdio, in the sandbox; or one with a URL.

A state is saved by what the servers are. If all of them keep their state in the work folder, the
folder is copied, and the same processes go on. Else a state is the calls that led to it: the
servers are started anew, the calls are made again, and each result must be what it was
(`StateLost`).
"""

import importlib.util
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema

from environments.base import Outcome, ToolEnv
from environments.errors import DataError
from environments.mcp_servers import tasks as task_files
from environments.mcp_servers.connection import ServerFailed
from environments.mcp_servers.grading import verdict
from environments.mcp_servers.mistakes import wrong_arguments
from environments.mcp_servers.servers import WORK, Server, State, servers_of
from environments.mcp_servers.world import Listed, Saved, World
from environments.tools import GIVE_UP, SAY, Tool
from environments.types import Action, Task
from sandbox.errors import SandboxError

FINISH = Tool(
    "finish",
    "Say that the task is done. If the task asks a question, give the answer. This ends the task.",
    {
        "type": "object",
        "properties": {
            "answer": {
                "anyOf": [{"type": "string"}, {"type": "number"}],
                "description": "the answer, and nothing else",
            }
        },
        "additionalProperties": False,
    },
)
BRANCHING: Mapping[State, str] = {"folder": "a copied folder", "replay": "replay"}
OWN = frozenset({FINISH.name, GIVE_UP.name, SAY.name})
_log = logging.getLogger("treegraft.data")


class McpEnv(ToolEnv):
    """Tasks over the tools of MCP servers, which run in the sandbox.

    Args:
        data: file of the tasks, JSON lines; None for the bundled ones.
        split: the part of the data to use; None for all of it.
        sandbox: what confines the servers.
        server: a command line, the URL of a server, or a file "*.json" with "mcpServers"; needed
            for tasks whose file describes no servers.
        state: where the state of that server is. "folder": all of it is in the work folder, which
            is copied; "replay": not known, so calls are made again.
        hidden: names of tools that the agent does not see, with commas; may have wildcards.
        programs: folders where servers are installed (a virtual environment, an npm folder), with
            commas; servers may read them.
        only: names of the servers whose tasks are played, with commas; "" for all.
        call_limit: seconds that a call may take.
        allow_network: whether servers may use this machine's network. Servers with a URL need it.
    """

    sandboxed = True
    branching = "a copied folder, or replay"
    extra = "mcp"
    tools = (FINISH, GIVE_UP)
    instructions = (
        f"You solve a task with the tools of a server. Its files are in {WORK}; give paths as "
        f"{WORK}/... Look before you change something, and change only what the task asks for. "
        "Call finish when the task is done, with the answer if the task asks for one. You can "
        "finish once. Call give_up only if there is no way."
    )

    def __init__(  # noqa: PLR0913  (its arguments are the options of `--env-arg`)
        self,
        *,
        data: str | None = None,
        split: str | None = None,
        sandbox: str = "auto",
        server: str = "",
        state: State = "replay",
        hidden: str = "",
        programs: str = "",
        only: str = "",
        call_limit: float = 30.0,
        allow_network: bool = False,
    ) -> None:
        super().__init__(data=data, split=split, sandbox=sandbox)
        patterns = tuple(filter(None, hidden.split(",")))
        self._servers = servers_of(server, state, patterns) if server else {}
        self._folders = [_folder(each) for each in filter(None, programs.split(","))]
        self._only = frozenset(filter(None, only.split(",")))
        self._network, self._seconds = allow_network, call_limit
        self._world = self._new_world()
        self._listed: dict[tuple[str, ...], dict[str, Listed]] = {}
        self._tools: dict[tuple[str, ...], tuple[Tool, ...]] = {}
        self._playing = False
        if allow_network:
            _log.warning("mcp: allow_network=true: servers, and so the agent, reach this network")

    def load_tasks(self) -> Sequence[Task]:
        """See `ToolEnv.load_tasks`."""
        paths = [Path(self.data)] if self.data else sorted(task_files.BUNDLED.glob("*.jsonl"))
        split = self.split or (None if self.data else "train")
        found, self._servers = task_files.load(paths, split, self._servers, self.strict)
        for server in self._servers.values():
            if server.url and not self._network:
                raise DataError(
                    f"mcp: server {server.name} has a URL, and servers have no network: "
                    "--env-arg allow_network=true gives it to them"
                )
        if self._only:
            found = [task for task in found if self._only.issuperset(task.details["servers"])]
            if not found:
                known = ", ".join(self._servers)
                raise DataError(f"mcp: only={','.join(self._only)}: no task; the servers: {known}")
        used = {self._servers[name].state for task in found for name in task.details["servers"]}
        self.branching = " or ".join(BRANCHING[state] for state in sorted(used))
        return found

    def tools_of(self, task: Task) -> tuple[Tool, ...]:
        """See `ToolEnv.tools_of`. Starts the servers of `task` once, to ask them."""
        names = tuple(task.details["servers"])
        if names not in self._tools:
            if self._playing:
                world = self._new_world()
                try:
                    self._list(names, task, world)
                finally:
                    world.close()
            else:
                self._list(names, task, self._world)
        return self._tools[names]

    def begin(self, task: Task) -> None:
        """See `ToolEnv.begin`."""
        self._playing = True
        self._world.begin(task, self._servers_of(task))

    def act(self, action: Action) -> Outcome:
        """See `ToolEnv.act`."""
        assert self.task is not None
        if action.tool == FINISH.name:
            return self._finish(self.task, str(action.arguments.get("answer", "")))
        tool = self._listed[tuple(self.task.details["servers"])][action.tool]
        try:
            answer = self._world.call(tool.server, tool.name, action.arguments)
        except ServerFailed as error:
            told = f"error: the server failed: {error}. The call changed nothing."
            return Outcome(told, info={"error": "server"})
        return Outcome(answer.text, info={"error": "tool"} if answer.wrong else {})

    def save(self) -> Saved:
        """See `ToolEnv.save`."""
        return self._world.save()

    def load(self, state: Saved) -> None:
        """See `ToolEnv.load`."""
        self._world.load(state)

    def free(self, state: Saved) -> None:
        """See `ToolEnv.free`."""
        self._world.free(state)

    def end(self) -> None:
        """See `ToolEnv.end`."""
        self._playing = False
        self._world.close()

    def solution(self, task: Task) -> list[Action] | None:
        """See `Demonstrable.solution`."""
        calls = task.secret["solution"]
        if not calls:
            return None
        return [*map(task_files.action_of, calls), self._last(task)]

    def mistakes(self, task: Task, action: Action) -> list[Action]:
        """See `Demonstrable.mistakes`."""
        steps = self.solution(task) or []
        given = [
            task_files.action_of(call)
            for call in task.secret["mistakes"]
            if call["at"] < len(steps) and steps[call["at"]].key == action.key
        ]
        files = list(task.details["files"])
        made = [
            Action(action.tool, arguments, action.thought)
            for arguments in wrong_arguments(action.arguments, files)
        ]
        return [*given, *made]

    def noop(self, task: Task) -> list[Action]:
        """See `Demonstrable.noop`."""
        return [Action(FINISH.name, {})]

    def _finish(self, task: Task, answer: str) -> Outcome:
        right, facts = verdict(task, self._world, answer)
        return Outcome("finished", float(right), terminated=True, info=facts)

    def _last(self, task: Task) -> Action:
        grader = task.secret["grader"]
        answer = {"answer": grader["answer"]} if "answer" in grader else {}
        return Action(FINISH.name, answer, "That is all the task asks for.")

    def _new_world(self) -> World:
        return World(self.sandbox, self._folders, network=self._network, seconds=self._seconds)

    def _servers_of(self, task: Task) -> list[Server]:
        _require_sdk()
        self.tasks  # noqa: B018  (reads the servers, if a task comes from elsewhere)
        return [self._servers[name] for name in task.details["servers"]]

    def _list(self, names: tuple[str, ...], task: Task, world: World) -> None:
        servers = self._servers_of(task)
        world.begin(task, servers)
        shows = {server.name: server.shows for server in servers}
        listed = [tool for tool in world.tools() if shows[tool.server](tool.name)]
        several = len(servers) > 1
        self._listed[names] = {_name(tool, several): tool for tool in listed}
        made = [
            Tool(name, tool.description, _schema(tool))
            for name, tool in self._listed[names].items()
        ]
        self._tools[names] = (*made, *self.tools)


def _name(tool: Listed, several: bool) -> str:
    """Return a name that a chat API takes, with the server's if that is needed to tell it apart."""
    full = f"{tool.server}_{tool.name}" if several or tool.name in OWN else tool.name
    return re.sub(r"[^\w-]", "_", full, flags=re.ASCII)[:64]


def _schema(tool: Listed) -> Mapping[str, Any]:
    """Return the schema of a tool's arguments; one that is no schema accepts any object."""
    schema = {key: value for key, value in tool.schema.items() if key != "$schema"}
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        _log.warning("mcp: tool %s has a bad schema: %s", tool.name, error.message)
        return {"type": "object"}
    return {"type": "object"} | schema


def _folder(text: str) -> Path:
    path = Path(text).expanduser().absolute()
    if not path.is_dir():
        raise DataError(f"--env-arg programs={text}: no such folder")
    return path


def _require_sdk() -> None:
    if importlib.util.find_spec("mcp") is None:
        raise SandboxError("the MCP SDK is not installed: pip install 'treegraft[mcp]'")
