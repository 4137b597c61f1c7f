"""The tools of MCP servers as a world: any server over stdio, in the sandbox; or one with a URL.

A state is saved by what the servers are. If all of them keep their state in the work folder, the
folder is copied, and the same processes go on. One server of Python's may be forked. Else a state
is the calls that led to it: the servers are started anew, the calls are made again, and each result
must be what it was (`StateLost`).
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
from environments.mcp_servers.forked_world import Forked, ForkedWorld
from environments.mcp_servers.grading import verdict
from environments.mcp_servers.inside.paths import WORK
from environments.mcp_servers.mistakes import wrong_arguments
from environments.mcp_servers.servers import Server, State, servers_of
from environments.mcp_servers.world import Listed, World
from environments.thoughts import after_error, goal_of, plain_thought, told_by
from environments.tools import GIVE_UP, SAY, Tool
from environments.types import Action, Step, Task
from environments.written_calls import actions_of
from sandbox.check import choose
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
BRANCHING: Mapping[State, str] = {
    "folder": "a copied folder",
    "fork": "a fork of the server",
    "replay": "replay",
}
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
            is copied; "fork": the server is a program of Python's, and is forked with its memory;
            "replay": not known, so calls are made again.
        hidden: names of tools that the agent does not see, with commas; may have wildcards.
        programs: folders where servers are installed (a virtual environment, an npm folder), with
            commas; servers may read them.
        only: names of the servers whose tasks are played, with commas; "" for all.
        call_limit: seconds that a call may take.
        allow_network: whether servers may use this machine's network. Servers with a URL need it.
    """

    sandboxed = True
    branching = "a copied folder, a fork of the server, or replay"
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
        self._worlds: dict[bool, World | ForkedWorld] = {}
        self._world: World | ForkedWorld
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
            _check_network(server, self._network)
        if self._only:
            found = [task for task in found if self._only.issuperset(task.details["servers"])]
            if not found:
                known = ", ".join(self._servers)
                raise DataError(f"mcp: only={','.join(self._only)}: no task; the servers: {known}")
        used = {_state(self._named(task)) for task in found}
        self.branching = " or ".join(BRANCHING[state] for state in sorted(used))
        return found

    def tools_of(self, task: Task) -> tuple[Tool, ...]:
        """See `ToolEnv.tools_of`. Starts the servers of `task` once, to ask them."""
        names = tuple(task.details["servers"])
        if names not in self._tools:
            worlds = {} if self._playing else self._worlds
            try:
                self._list(names, task, worlds)
            finally:
                for world in worlds.values() if self._playing else ():
                    world.close()
        return self._tools[names]

    def begin(self, task: Task) -> None:
        """See `ToolEnv.begin`."""
        self._playing = True
        self._world = self._begun(task, self._worlds)

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

    def save(self) -> Any:
        """See `ToolEnv.save`."""
        if isinstance(self._world, ForkedWorld) and (marks := self._world.unforkable):
            self._not_forked(f"it has {', '.join(marks)}")
        return self._world.save()

    def load(self, state: Any) -> None:
        """See `ToolEnv.load`."""
        self._worlds[isinstance(state, Forked)].load(state)

    def free(self, state: Any) -> None:
        """See `ToolEnv.free`."""
        self._worlds[isinstance(state, Forked)].free(state)

    def end(self) -> None:
        """See `ToolEnv.end`."""
        self._playing = False
        for world in self._worlds.values():
            world.close()

    def solution(self, task: Task) -> list[Action] | None:
        """See `Demonstrable.solution`."""
        calls = task.secret["solution"]
        if not calls:
            return None
        return [*actions_of(calls), self._last(task)]

    def mistakes(self, task: Task, action: Action) -> list[Action]:
        """See `Demonstrable.mistakes`."""
        steps = self.solution(task) or []
        given = actions_of(
            [
                call
                for call in task.secret["mistakes"]
                if call["at"] < len(steps) and steps[call["at"]].key == action.key
            ]
        )
        files = list(task.details["files"])
        made = [
            Action(action.tool, arguments, action.thought)
            for arguments in wrong_arguments(action.arguments, files)
        ]
        return [*given, *made]

    def thought(self, task: Task, path: Sequence[Step], action: Action) -> str:
        """See `Demonstrable.thought`. Data of the user's own may bring its thoughts along."""
        if self.data and action.thought:
            return action.thought
        if action.tool == FINISH.name:
            answer = action.arguments.get("answer", "")
            return after_error(path) + told_by(goal_of(task.prompt), path, str(answer))
        return plain_thought(task, path, action)

    def noop(self, task: Task) -> list[Action]:
        """See `Demonstrable.noop`."""
        return [Action(FINISH.name, {})]

    def _finish(self, task: Task, answer: str) -> Outcome:
        right, facts = verdict(task, self._world, answer)
        return Outcome("finished", float(right), terminated=True, info=facts)

    def _last(self, task: Task) -> Action:
        grader = task.secret["grader"]
        answer = {"answer": grader["answer"]} if "answer" in grader else {}
        return Action(FINISH.name, answer)

    def _not_forked(self, why: str) -> None:
        told = f"replay, as the server cannot be forked: {why}"
        if self.branching != told:
            _log.warning("mcp: its calls are made again: %s", told)
        self.branching = told

    def _named(self, task: Task) -> list[Server]:
        return [self._servers[name] for name in task.details["servers"]]

    def _begun(self, task: Task, worlds: dict[bool, World | ForkedWorld]) -> World | ForkedWorld:
        """Return the world of `worlds` in which `task` is played, at its start."""
        _require_sdk()
        self.tasks  # noqa: B018  (reads the servers, if a task comes from elsewhere)
        servers = self._named(task)
        forks = _state(servers) == "fork"
        if forks and choose(self.sandbox).backend.name == "docker":
            self._not_forked("an image has not the libraries that this machine's programs need")
            forks = False
        if forks not in worlds:
            given = self.sandbox, self._folders
            worlds[forks] = (
                ForkedWorld(*given, seconds=self._seconds)
                if forks
                else World(*given, network=self._network, seconds=self._seconds)
            )
        worlds[forks].begin(task, servers)
        return worlds[forks]

    def _list(
        self, names: tuple[str, ...], task: Task, worlds: dict[bool, World | ForkedWorld]
    ) -> None:
        world, servers = self._begun(task, worlds), self._named(task)
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


def _state(servers: Sequence[Server]) -> State:
    """Return how the states of a task are saved; of several servers, none is forked."""
    states = {server.state for server in servers}
    if len(states) == 1 and (states != {"fork"} or len(servers) == 1):
        return servers[0].state
    return "replay"


def _check_network(server: Server, network: bool) -> None:
    if server.url and not network:
        raise DataError(
            f"mcp: server {server.name} has a URL, and servers have no network: "
            "--env-arg allow_network=true gives it to them"
        )
    if server.state == "fork" and (server.url or network):
        raise DataError(
            f"mcp: server {server.name}: one that is forked is a command without network; "
            "use state=replay"
        )


def _folder(text: str) -> Path:
    path = Path(text).expanduser().absolute()
    if not path.is_dir():
        raise DataError(f"--env-arg programs={text}: no such folder")
    return path


def _require_sdk() -> None:
    if importlib.util.find_spec("mcp") is None:
        raise SandboxError("the MCP SDK is not installed: pip install 'treegraft[mcp]'")
