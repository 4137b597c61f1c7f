"""A person's annotations ("marks") of nodes and trajectories: `marks.jsonl` beside a run's store.

The file holds one annotation per line. Lines are only appended, and synced before they are
acknowledged, so that `kill -9` loses none. The last line about a target counts, and an empty
annotation retracts the earlier ones. The run itself is never written.

An annotation identifies its node by a signature of the actions that lead to it: after the task is
searched again, it still applies where the new tree has the same actions at that node.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, get_args

from engine.errors import UsageError
from engine.runs.codec import dumps
from search.tree import ROOT, Node, Tree
from treegraft.file_errors import reason
from treegraft.text_files import read_text

FILE = "marks.jsonl"
MAX_WHY = 2000
"""Characters of `Annotation.why`."""

Scope = Literal["node", "trajectory"]
Verdict = Literal["good", "bad", ""]
Target = tuple[str, int, Scope]


@dataclass(frozen=True, slots=True)
class Annotation:
    """A person's opinion of a node or of a trajectory.

    Attributes:
        node: id of the node, or ROOT for the task itself.
        signature: of the node, see `path_signatures`.
        scope: that node, and so every path through it; or the trajectory that ends there.
        verdict: good, bad, or "" for none.
        score: 1 (worst) to 5, or None.
        why: the reason, at most `MAX_WHY` characters.
        at: time, ISO 8601.

    Raises:
        UsageError: a value does not fit.
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
        valid = (
            all(isinstance(text, str) for text in texts)
            and len(self.why) <= MAX_WHY
            and type(self.node) is int
            and self.scope in get_args(Scope)
            and self.verdict in get_args(Verdict)
            and (self.score is None or (type(self.score) is int and 1 <= self.score <= 5))
        )
        if not valid:
            raise UsageError(f"not a mark: {dumps(asdict(self))[:200]}")

    @classmethod
    def from_json(cls, line: str, **fields: Any) -> Self:
        """Return the annotation written in `line`, with `fields` in place of its own.

        Raises:
            UsageError: `line` is not an annotation.
        """
        try:
            return cls(**{**json.loads(line), **fields})
        except (ValueError, TypeError) as error:
            raise UsageError(f"not a mark: {line[:200]!r} ({error})") from error

    @property
    def target(self) -> Target:
        """What it is about; a later annotation of the same target replaces it."""
        return (self.task, self.node, self.scope)

    @property
    def is_empty(self) -> bool:
        """Whether it only retracts an earlier one."""
        return not (self.verdict or self.score or self.why)

    def matches(self, signatures: Sequence[str]) -> bool:
        """Return whether the tree with these `path_signatures` has the annotated node."""
        return ROOT <= self.node < len(signatures) and signatures[self.node] == self.signature

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class TreeAnnotations:
    """What people and a judge say of one tree.

    Attributes:
        bad_nodes: nodes marked bad, and with them every path through them; may hold ROOT.
        bad_leaves: leaves whose trajectory was marked bad.
        scores: scores of trajectories, 1 to 5, by leaf.
        step_scores: a judge's scores of steps, 0 to 1, by node; see `engine.runs.judgements`.
        detours: the nodes that a successful path does not need, by its leaf.
    """

    bad_nodes: frozenset[int] = frozenset()
    bad_leaves: frozenset[int] = frozenset()
    scores: Mapping[int, int] = field(default_factory=dict)
    step_scores: Mapping[int, float] = field(default_factory=dict)
    detours: Mapping[int, frozenset[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, annotations: Sequence[Annotation]) -> Self:
        """Collect `annotations`, which must all be on the same tree and match it."""
        bad = [mark for mark in annotations if mark.verdict == "bad"]
        return cls(
            frozenset(mark.node for mark in bad if mark.scope == "node"),
            frozenset(mark.node for mark in bad if mark.scope == "trajectory"),
            {m.node: m.score for m in annotations if m.scope == "trajectory" and m.score},
        )

    def is_bad_path(self, tree: Tree, leaf: Node) -> bool:
        """Return whether the trajectory that ends in `leaf`, or a node of it, was marked bad."""
        on_path = {ROOT, *(node.id for node in tree.lineage(leaf.id))}
        return leaf.id in self.bad_leaves or not self.bad_nodes.isdisjoint(on_path)

    def least_step_score(self, tree: Tree, leaf: Node) -> float | None:
        """Return the lowest score of the steps to `leaf`, detours aside; None if one has none."""
        left_out = self.detours.get(leaf.id, frozenset())
        path = [node.id for node in tree.lineage(leaf.id) if node.id not in left_out]
        if not all(id in self.step_scores for id in path):
            return None
        return min(self.step_scores[id] for id in path)

    def any_bad(self, nodes: Iterable[Node]) -> bool:
        """Return whether one of `nodes`, or a trajectory that ends in one, was marked bad."""
        return any(node.id in self.bad_nodes or node.id in self.bad_leaves for node in nodes)


def annotations_file(run: Path) -> Path:
    """Return the file of annotations of a run, which is a folder or its store."""
    return (run if run.is_dir() else run.parent) / FILE


def read_annotations(file: Path, *, whole: bool = False) -> list[Annotation]:
    """Return every line of `file` in order; an empty list if there is no file.

    A last line without a line break is skipped: it is still being written. It is read if the file
    is known to be `whole`.

    Raises:
        UsageError: the file cannot be read, or a line is not an annotation.
    """
    if not file.exists():
        return []
    text = read_text(file)
    complete = text if whole else text[: text.rfind("\n") + 1]
    return [Annotation.from_json(line) for line in complete.split("\n") if line.strip()]


def current_annotations(annotations: Iterable[Annotation]) -> dict[str, list[Annotation]]:
    """Return by task the last annotation of each target, without those that are empty."""
    found: dict[str, list[Annotation]] = {}
    for annotation in {each.target: each for each in annotations}.values():
        if not annotation.is_empty:
            found.setdefault(annotation.task, []).append(annotation)
    return found


def append_annotations(file: Path, annotations: Iterable[Annotation]) -> None:
    """Add `annotations` to `file`; they are on the disk when this returns.

    Raises:
        UsageError: the file cannot be written.
    """
    lines = "".join(dumps(annotation.to_dict()) + "\n" for annotation in annotations)
    with _locked(file) as handle:
        data = memoryview(lines.encode("utf-8", "replace"))
        while data:
            data = data[os.write(handle, data) :]
        os.fsync(handle)


@contextmanager
def _locked(file: Path) -> Iterator[int]:
    """Open `file` for one writer at a time, and cut off a line that a killed writer left torn."""
    try:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError as error:
        raise UsageError(f"cannot write marks: {file}: {reason(error)}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        os.ftruncate(handle, file.read_bytes().rfind(b"\n") + 1)
        yield handle
    finally:
        os.close(handle)


def path_signatures(tree: Tree) -> list[str]:
    """Return, by node id and for ROOT first, a hash of the task and the actions that lead there.

    Equal paths of the same task have equal signatures, of 12 hexadecimal digits.
    """
    found = [_hash("", f"{tree.task.id}\0{tree.task.prompt}")]
    for node in tree.nodes:
        found.append(_hash(found[node.parent], node.step.action.key))
    return found


def _hash(parent: str, text: str) -> str:
    return hashlib.sha256(f"{parent}\0{text}".encode("utf-8", "surrogatepass")).hexdigest()[:12]
