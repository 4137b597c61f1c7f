"""What the world asks of an OpenEnv environment, wherever it runs, and how it fails."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sandbox.errors import SandboxError

LONGEST_MESSAGE = 500
"""Characters that are kept of what an environment says about a failure."""
LIST_TOOLS: Mapping[str, Any] = {"type": "list_tools"}
"""The action by which an environment of MCP's kind lists its tools."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a reset or a step; the reward is the environment's own, of any range."""

    observation: Mapping[str, Any]
    reward: Any
    done: bool


class ActionRefused(Exception):
    """The environment does not take the action; the message says why."""


class ConnectionLost(SandboxError):
    """The session has ended, and its state with it. A new one may be opened."""


class Connection(Protocol):
    """A session with one environment. The first reset opens it."""

    async def reset(self, arguments: Mapping[str, Any]) -> Reply:
        """Start an episode.

        Raises:
            SandboxError: It cannot be started.
        """

    async def step(self, action: Mapping[str, Any]) -> Reply:
        """Play an action.

        Raises:
            ActionRefused: The environment does not take it; the episode goes on.
            ConnectionLost: The session ended before the answer.
            SandboxError: There was no answer, or a wrong one.
        """

    async def action_schema(self) -> Mapping[str, Any]:
        """Return the JSON Schema of an action; a session must be open."""

    async def splits(self) -> Sequence[str] | None:
        """Return the names of the splits of its own tasks; None if it has no tasks."""

    async def tasks(self, split: str) -> Sequence[Mapping[str, Any]]:
        """Return what it tells about its own tasks."""

    async def close(self) -> None:
        """End the session, if one is open."""


def split_name(descriptor: Any) -> str:
    """Return the name of a split: OpenEnv describes one by a text or by an object."""
    if isinstance(descriptor, Mapping):
        return str(descriptor.get("name", ""))
    return str(getattr(descriptor, "name", descriptor))
