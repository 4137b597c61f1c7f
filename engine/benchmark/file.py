"""The file of a benchmark: one turn per line, as a row of one model call with its references.

A line has the columns of `engine export --rows per_call` (`messages` ends with the first accepted
reply), `reference` (what a reply is compared with, and who reviewed it), and `benchmark`: a hash of
all lines, so that a file that was changed since is noticed. The split is "test", which the trainer
refuses to train on.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.runs.codec import dumps
from environments.types import Action
from treegraft.text_files import read_text
from treegraft.write_files import write_text

HASH = "benchmark"
"""The column that says of which benchmark a line is."""

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Words:
    """An accepted reply that is no call: an answer in words."""

    text: str


@dataclass(slots=True)
class Reference:
    """What a reply at a turn is compared with.

    Attributes:
        task: Id of the task.
        last: Whether the turn ends the trajectory.
        before: Action of the turn before, if any.
        after_mistake: Whether that action was a mistake (an error or a repeat).
        accepted: Right replies, at least one.
        tools: Those of the task, to read the reply with: name, description, schema.
        dialect: The template's, "" for its own.
        source: Text of the template, if it came from a file.
        profile: Whose words the agent speaks, if the template is a user's own and says it.
        reviewed: Why the turn is a reference: how, when, why, by whom.
    """

    task: str
    last: bool
    before: Action | None
    after_mistake: bool
    accepted: list[Action | Words] = field(default_factory=list)
    tools: Sequence[Sequence[Any]] = ()
    dialect: str = ""
    source: str = ""
    profile: str = ""
    reviewed: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "task": self.task,
            "last": self.last,
            "before": None if self.before is None else _to_json(self.before),
            "after_mistake": self.after_mistake,
            "accepted": [_to_json(one) for one in self.accepted],
            "tools": [list(tool) for tool in self.tools],
            "dialect": self.dialect,
            "source": self.source,
            "profile": self.profile,
            "reviewed": self.reviewed,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Reference":
        """Return what `to_json` made `value` of."""
        accepted = [_of_json(one) for one in value["accepted"]]
        before = value["before"] and _of_json(value["before"])
        return cls(**{**value, "accepted": accepted, "before": before})


def write_benchmark(lines: Sequence[Line], file: Path) -> str:
    """Write `lines` and return their hash. A benchmark that is there already is not replaced.

    Raises:
        UsageError: Another benchmark is there, or the file cannot be written.
    """
    found = _hash(lines)
    text = "".join(dumps({**line, HASH: found}) + "\n" for line in lines)
    if file.is_file() and read_text(file) != text:
        raise UsageError(
            f"{file}: another file is there; a benchmark is frozen, so give a new name"
        )
    write_text(file, text)
    return found


def read_benchmark(file: Path) -> list[Line]:
    """Return the lines of a benchmark.

    Raises:
        UsageError: It was changed since it was written, or it is no benchmark.
    """
    lines = []
    for number, text in enumerate(read_text(file).split("\n"), 1):
        if text.strip():
            lines.append(_line(file, number, text))
    said = {line.pop(HASH, "") for line in lines}
    found = _hash(lines)
    if said != {found}:
        raise UsageError(
            f"{file}: was changed since it was frozen: it says {', '.join(map(str, said))}, and "
            f"holds {found}; take the original, or freeze a new one with engine benchmark"
        )
    return lines


def _line(file: Path, number: int, text: str) -> Line:
    try:
        line: Line = json.loads(text)
        line["reference"] = Reference.from_json(line["reference"]).to_json()
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{file}, line {number}: is no turn of a benchmark ({error})") from error
    return line


def _hash(lines: Sequence[Line]) -> str:
    """Return a hash of the content, whatever the order of keys."""
    text = json.dumps(lines, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _to_json(one: Action | Words) -> dict[str, Any]:
    if isinstance(one, Words):
        return {"words": one.text}
    return {"tool": one.tool, "arguments": dict(one.arguments), "thought": one.thought}


def _of_json(value: dict[str, Any]) -> Any:
    if "words" in value:
        return Words(str(value["words"]))
    return Action(value["tool"], value["arguments"], value["thought"])
