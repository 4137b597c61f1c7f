"""What a person thinks of nodes and trajectories: `marks.jsonl` beside a run's store.

A line a mark, only ever appended and synced before it is acknowledged, so that none is lost to
`kill -9`; of two marks on the same target the later one holds, and a mark that says nothing takes
the earlier back. The run itself is never written. A mark names the actions that lead to its node
by a signature: in a tree that was searched anew, it holds where they still lead there.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from engine.errors import UsageError
from engine.runs.codec import dumps
from search.tree import ROOT, Tree

FILE = "marks.jsonl"
LONGEST_WHY = 2000
"""Characters."""

Scope = Literal["node", "trajectory"]
Verdict = Literal["good", "bad", ""]
Target = tuple[str, int, Scope]


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark.

    node: an id, or ROOT for the task itself.   scope: that node (and so every path through it),
    or the trajectory that ends there.   signature: see `signatures`.
    score: 1 (worst) to 5; None where none was given.   at: when, ISO 8601.
    """

    task: str
    node: int
    signature: str
    scope: Scope
    verdict: Verdict = ""
    score: int | None = None
    why: str = ""
    at: str = ""

    def __post_init__(self) -> None:
        texts = (self.task, self.signature, self.why, self.at)
        fit = (
            all(isinstance(text, str) for text in texts)
            and len(self.why) <= LONGEST_WHY
            and type(self.node) is int
            and self.scope in get_args(Scope)
            and self.verdict in get_args(Verdict)
            and (self.score is None or (type(self.score) is int and 1 <= self.score <= 5))
        )
        if not fit:
            raise UsageError(f"not a mark: {dumps(asdict(self))[:200]}")

    @classmethod
    def read(cls, line: str, **more: Any) -> "Mark":
        """A mark as JSON, with `more` of its fields. Raises UsageError where it is none."""
        try:
            return cls(**{**json.loads(line), **more})
        except (ValueError, TypeError) as error:
            raise UsageError(f"not a mark: {line[:200]!r} ({error})") from error

    @property
    def target(self) -> Target:
        return (self.task, self.node, self.scope)

    @property
    def removes(self) -> bool:
        """Whether it only takes an earlier one back."""
        return not (self.verdict or self.score or self.why)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def read_marks(file: Path) -> list[Mark]:
    """Every line of `file` in order; none where there is no file.

    The last line counts from its line break on: until then it is being written.

    Raises:
        UsageError: a line is not a mark.
    """
    try:
        text = file.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"cannot read marks: {error}") from error
    whole = text[: text.rfind("\n") + 1]
    return [Mark.read(line) for line in whole.split("\n") if line.strip()]


def standing(marks: Iterable[Mark]) -> dict[str, list[Mark]]:
    """By task, the marks that hold: the last of each target, unless it takes the others back."""
    found: dict[str, list[Mark]] = {}
    for mark in {mark.target: mark for mark in marks}.values():
        if not mark.removes:
            found.setdefault(mark.task, []).append(mark)
    return found


def append(file: Path, marks: Iterable[Mark]) -> None:
    """Add `marks` to `file`; they are on the disk when this returns."""
    lines = "".join(dumps(mark.to_dict()) + "\n" for mark in marks)
    with _appending(file) as handle:
        data = memoryview(lines.encode("utf-8", "replace"))
        while data:
            data = data[os.write(handle, data) :]
        os.fsync(handle)


@contextmanager
def _appending(file: Path) -> Iterator[int]:
    """The open file, for one writer at a time; a line torn by an earlier death is cut off."""
    try:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError as error:
        raise UsageError(f"cannot write marks: {error}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        whole = file.read_bytes().rfind(b"\n") + 1
        os.ftruncate(handle, whole)
        yield handle
    finally:
        os.close(handle)


def signatures(tree: Tree) -> list[str]:
    """Of the start and of each node, by id: a hash of the task and of the actions that lead there.

    Equal for equal paths of the same task; 12 hexadecimal digits.
    """
    found = [_digest("", f"{tree.task.id}\0{tree.task.prompt}")]
    for node in tree.nodes:
        found.append(_digest(found[node.parent], node.step.action.key))
    return found


def _digest(before: str, text: str) -> str:
    told = f"{before}\0{text}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(told).hexdigest()[:12]


def fits(mark: Mark, known: Sequence[str]) -> bool:
    """Whether the tree with these signatures has the node that was marked."""
    return ROOT <= mark.node < len(known) and known[mark.node] == mark.signature


def marks_file(run: Path) -> Path:
    """Of the run in folder `run`, or in the file `run`."""
    return (run if run.is_dir() else run.parent) / FILE
