"""The nouns of the project: frozen data, no I/O, standard library only."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from environments.tools import Tool


def is_finite(value: Any) -> bool:
    """Return whether no number in a JSON value is NaN or infinite: JSON cannot write those."""
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, Mapping):
        return all(map(is_finite, value.values()))
    return not isinstance(value, list | tuple) or all(map(is_finite, value))


@dataclass(frozen=True, slots=True)
class Task:
    """One problem.

    Attributes:
        id: unique within a data set.
        prompt: the text that the policy reads.
        secret: what only the grader reads (gold SQL, target item); never rendered or exported.
        details: what the environment needs to set up the task (a database file); not shown.
        tags: public labels for statistics ("difficulty": "simple").
        group: what a held-out split must not share with a training split (database, product).
        split: "train", "test", "dev", ...; "" if the data has no splits.
        tools: those of this task; None for those of the environment. A tree keeps them.
        made: how the task was made, if it was ("by": "rules" or the model, "how": "self-instruct",
            ...): public JSON, kept in the tree and in its rows. Empty for the data's own tasks.
        findable: places in `secret` whose texts right calls may show before the end, such as the
            answer to a question: names joined by dots ("checks.path"), whatever lists are between.
            The leak check looks for every other text by itself, and for these only in the object
            that holds them.
        opening: the messages before the first reply, in OpenAI's form, if the task is of an
            imported conversation that did not begin with the instructions of the environment.
    """

    id: str
    prompt: str
    secret: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    group: str = ""
    split: str = ""
    tools: "tuple[Tool, ...] | None" = field(default=None, compare=False)
    made: Mapping[str, Any] = field(default_factory=dict, compare=False)
    findable: tuple[str, ...] = ()
    opening: tuple[Mapping[str, Any], ...] | None = field(default=None, compare=False)

    @property
    def instructions(self) -> str | None:
        """The instructions of this task; None for those of the environment."""
        if self.opening is None:
            return None
        said = (each for each in self.opening if each["role"] in ("system", "developer"))
        return "\n\n".join(text_of(each) for each in said)


def text_of(message: Mapping[str, Any]) -> str:
    """Return the text of a message of OpenAI's, whose content may be a list of parts."""
    content = message.get("content")
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, Mapping))
        return "\n".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


@dataclass(frozen=True, slots=True)
class Action:
    """One tool call, with the text that the policy wrote before it ("" if none).

    A reply that could not be parsed as a call is an action, too, made by `Action.malformed`: its
    `tool` is "", its `thought` is the whole reply, and `error` says what is wrong with it.

    Attributes:
        reply: facts about the reply that the action was read from, JSON only: "repaired" (what
            the reader mended), "finish" (why the reply is not complete). A search adds them to
            `Step.info`; environments and requests do not see them.
    """

    tool: str
    arguments: Mapping[str, Any]
    thought: str = ""
    error: str = ""
    reply: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @classmethod
    def malformed(cls, reply: str, error: str, **facts: Any) -> "Action":
        """Make the action of a reply that could not be read as a call."""
        return cls("", {}, reply, error, facts)

    @property
    def key(self) -> str:
        """Canonical JSON of what the environment sees; equal for actions that do the same.

        The thought is left out, except in a malformed reply, which has nothing else.
        """
        seen = [self.tool, self.arguments] if self.tool else ["", self.thought]
        return json.dumps(seen, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Step:
    """An action and its result.

    Attributes:
        action: the call.
        observation: the text returned to the policy.
        reward: in [0, 1]; 0 until the episode ends.
        terminated: the task is over (answered or given up).
        truncated: a limit ended the episode.
        info: facts beside the observation, JSON only; never shown to the policy. "error" is the
            kind of the agent's mistake, if any ("malformed", "unknown_tool", "bad_arguments", or
            a word of the environment); "gave_up" is True after a give-up.
    """

    action: Action
    observation: str
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    info: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether the task is over after this step."""
        return self.terminated or self.truncated

    @property
    def solved(self) -> bool:
        """Whether this step solved the task."""
        return self.terminated and self.reward >= 1.0

    @property
    def incomplete(self) -> str:
        """Why the reply with the action is not complete ("length", ...); "" if it is.

        Such an action is malformed: environments never see it, so "finish" is not a word of theirs.
        """
        return "" if self.action.tool else str(self.info.get("finish") or "")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of `act`: the five values of Gymnasium's `step`, with defaults for most.

    The reward is a number from 0 to 1, and `info` is JSON without NaN: else the task fails.
    """

    observation: str
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    info: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def slip(cls, kind: str, message: str) -> "Outcome":
        """Return the outcome of an agent's mistake, which changes nothing."""
        return cls(f"error: {message}", info={"error": kind})


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A task and one path of steps to its end: the unit of export and of evaluation."""

    task: Task
    steps: tuple[Step, ...]

    @property
    def reward(self) -> float:
        """The reward of the last step."""
        return self.steps[-1].reward
