"""A candidate: the file of a template, and whether it can be used at all."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.templates.base import TemplateError, World
from engine.templates.custom import make_template
from engine.templates.parts import NAMES
from engine.templates.text import Text
from environments.types import Task

BASES = ("react", "autogpt", "modelscope", "hermes", "toolllama")
"""Built-in templates whose form of a call a made template may take: students meet several."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A made template.

    Attributes:
        name: its file's name, without the ending.
        source: the text of the file; "" if what a model wrote is no template.
        made: how it was made; see `Task.made`.
        seeds: the queries that it was written for.
        text: what the model wrote; "" for one that rules made.
    """

    name: str
    source: str
    made: Mapping[str, Any]
    seeds: tuple[str, ...] = ()
    text: str = ""

    @property
    def template(self) -> Text:
        """The template.

        Raises:
            TemplateError: the file is not valid.
        """
        return make_template(Path(f"{self.name}.toml"), self.source)


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a candidate.

    Attributes:
        why: why it was dropped, in words that begin with the kind; "" if it is kept.
        mean: the mean gain over the benchmark template; None if it was not scored.
        scores: one per query: query, benchmark, candidate, kept, and the keys of the replies.
    """

    candidate: Candidate
    why: str = ""
    mean: float | None = None
    scores: tuple[Mapping[str, Any], ...] = field(default=())

    def line(self) -> dict[str, Any]:
        """Return the decision as JSON values."""
        one = self.candidate
        return {
            "template": one.name,
            "kept": not self.why,
            "why": self.why,
            "mean": self.mean,
            "scores": [dict(score) for score in self.scores],
            "seeds": list(one.seeds),
            "made": dict(one.made),
            "file": one.source,
            "text": one.text,
        }


def to_toml(name: str, settings: Mapping[str, str], parts: Mapping[str, str]) -> str:
    """Return the file of a template: plain settings, then the table of its parts."""
    lines = [f"name = {_text(name)}"]
    lines += [f"{key} = {_text(value)}" for key, value in settings.items()]
    lines += ["", "[parts]", *(f"{key} = {_text(value)}" for key, value in parts.items())]
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    # A JSON string is a basic string of TOML, but for the one control character JSON lets stand.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def flaw(candidate: Candidate, world: World, task: Task) -> str:
    """Return why a template cannot be used for `task`, in words that begin with the kind.

    A template must be valid, and a student must see the task, the world's rules and every tool.
    """
    if not candidate.source:
        return "malformed: the reply holds no JSON object with the six parts"
    try:
        messages = candidate.template.request(world, task, ())
    except TemplateError as error:
        return f"malformed: {error}"
    shown = "\n".join(str(message["content"]) for message in messages)
    tools = world.of(task).tools
    hidden = [
        *([] if task.prompt in shown else ["the task"]),
        *([] if world.instructions in shown else ["the instructions"]),
        *(f"the tool {tool.name}" for tool in tools if tool.name not in shown),
    ]
    return f"incomplete: it does not show {hidden[0]}" if hidden else ""


def read_parts(text: str) -> dict[str, str] | None:
    """Return the six parts in a model's reply, a JSON object; None if it holds none."""
    start, end = text.find("{"), text.rfind("}")
    try:
        value = json.loads(text[start : end + 1])
    except ValueError:
        return None
    if not (isinstance(value, dict) and value.keys() == set(NAMES)):
        return None
    parts = {name: value[name] for name in NAMES}
    return parts if all(isinstance(part, str) for part in parts.values()) else None


def benchmark_named(name: str) -> Text:
    """Return the benchmark template called `name`.

    Raises:
        UsageError: there is no such template, or it has no text of its own.
    """
    from engine.templates import get

    try:
        found = get(name)
    except (TemplateError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"--benchmark: {error}") from error
    if not isinstance(found, Text):
        raise UsageError(f"--benchmark {name}: the tools of this template are not in its text")
    return found
