"""The nouns of the project: frozen data, no I/O, standard library only."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Task:
    """One problem.

    id: unique within a data set.
    prompt: what the policy reads.
    secret: what only the grader reads (gold SQL, target item); never rendered, never exported.
    details: what the environment needs to set the task up (a database file); not shown as such.
    tags: public labels for statistics ("difficulty": "simple").
    group: what a held-out split must not share with a training split (the database, the product).
    split: "train", "test", "dev", ... ; "" where the data has no splits.
    """

    id: str
    prompt: str
    secret: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    group: str = ""
    split: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """One tool call, with the text that the policy wrote before it ("" if none).

    A reply that could not be read as a call is an action too, made by `Action.malformed`: its
    `tool` is "", its `thought` is the whole reply, and `error` says what is wrong with it.
    """

    tool: str
    arguments: Mapping[str, Any]
    thought: str = ""
    error: str = ""

    @classmethod
    def malformed(cls, reply: str, error: str) -> "Action":
        return cls("", {}, reply, error)

    @property
    def key(self) -> str:
        """Equal for two actions that do the same: canonical JSON of what the environment sees.

        The thought does not count, except in a malformed reply, where it is all there is.
        """
        seen = [self.tool, self.arguments] if self.tool else ["", self.thought]
        return json.dumps(seen, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Step:
    """An action and what came back.

    reward: in [0, 1]; 0 until the episode ends.
    terminated: the task is over (answered or given up).  truncated: a limit cut it.
    info: what the environment says beside the observation, JSON only; never shown to the policy.
        "error": the kind of the agent's mistake, if it made one ("malformed", "unknown_tool",
        "bad_arguments", or the environment's own word); "gave_up": True after a give-up.
    """

    action: Action
    observation: str
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    info: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        return self.terminated or self.truncated

    @property
    def solved(self) -> bool:
        return self.terminated and self.reward >= 1.0


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A task and one path of steps to its end: the unit of export and of evaluation."""

    task: Task
    steps: tuple[Step, ...]

    @property
    def reward(self) -> float:
        return self.steps[-1].reward
