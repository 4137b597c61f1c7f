"""What a judge says of the steps of a run: `judgements.jsonl` beside the run's store.

One line per judged step, and one per successful path that was proven to succeed without some of its
steps. Like a person's marks, a line names its node by a signature of the actions that lead there.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, Self, get_args

from engine.errors import UsageError
from engine.runs.annotations import path_signatures
from engine.runs.codec import dumps
from search.tree import Node, Tree
from treegraft.text_files import read_lines
from treegraft.write_files import write_text

FILE = "judgements.jsonl"

Label = Literal["right", "detour", "recovered", "wrong"]
"""right: the step was needed. detour: the path succeeds without it, and shows the same.
recovered: it was wrong, and the path succeeded all the same. wrong: nothing below it succeeded."""

LABELS: tuple[Label, ...] = get_args(Label)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is said of a step.

    Attributes:
        task: the task's id.
        node: the step's node.
        signature: of the node, see `path_signatures`.
        label: see `Label`.
        score: 0 (worst) to 1.
        by: "rules", or the model's name.
        reply: the key of the model's reply in the journal; "" without one.
    """

    task: str
    node: int
    signature: str
    label: Label
    score: float
    by: str
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Pruned:
    """A successful path that succeeds without some of its steps, as a replay has proven.

    Attributes:
        task: the task's id.
        leaf: the end of the path.
        signature: of the leaf.
        without: the nodes that the path does not need.
    """

    task: str
    leaf: int
    signature: str
    without: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TreeJudgements:
    """What is said of one tree, by node.

    Attributes:
        scores: scores of judged steps.
        without: of leaves, the nodes that their paths do not need.
    """

    scores: Mapping[int, float] = field(default_factory=dict)
    without: Mapping[int, frozenset[int]] = field(default_factory=dict)

    @classmethod
    def on(cls, tree: Tree, found: Iterable[Judgement | Pruned]) -> Self:
        """Return those of `found` whose nodes `tree` still has."""
        signatures = path_signatures(tree)
        scores: dict[int, float] = {}
        without: dict[int, frozenset[int]] = {}
        for one in found:
            place = one.node if isinstance(one, Judgement) else one.leaf
            if not (0 <= place < len(signatures) and signatures[place] == one.signature):
                continue
            if isinstance(one, Judgement):
                scores[place] = one.score
            else:
                without[place] = frozenset(one.without)
        return cls(scores, without)

    def least(self, path: Sequence[Node]) -> float | None:
        """Return the lowest score of a path's steps; None if one of them was not judged."""
        found = [self.scores.get(node.id) for node in path]
        known = [score for score in found if score is not None]
        return min(known) if known and len(known) == len(found) else None

    def needed(self, path: Sequence[Node], *, prune: bool) -> list[Node]:
        """Return the nodes of a path, with `prune` without those that it does not need."""
        left_out = self.without.get(path[-1].id, frozenset()) if prune and path else frozenset()
        return [node for node in path if node.id not in left_out]


def write_judgements(run: Path, found: Iterable[Judgement | Pruned]) -> Path:
    """Write `found` in place of what was said of the run before; return the file.

    Raises:
        FileError: it cannot be written.
    """
    file = run / FILE
    write_text(file, "".join(dumps(asdict(one)) + "\n" for one in found))
    return file


def read_judgements(run: Path) -> dict[str, list[Judgement | Pruned]]:
    """Return what was said of a run, by task.

    Raises:
        UsageError: the run has not been judged, or a line is no judgement.
    """
    file = run / FILE
    if not file.exists():
        raise UsageError(f"{run} has not been judged: run engine judge {run}")
    found: dict[str, list[Judgement | Pruned]] = {}
    for number, line in enumerate(read_lines(file), 1):
        try:
            value = json.loads(line)
            one = _pruned(value) if "leaf" in value else Judgement(**value)
            if isinstance(one, Judgement) and one.label not in LABELS:
                raise ValueError(f"label {one.label!r}")
        except (TypeError, ValueError, KeyError) as error:
            raise UsageError(f"{file}: line {number}: no judgement ({error})") from error
        found.setdefault(one.task, []).append(one)
    return found


def _pruned(value: Mapping[str, object]) -> Pruned:
    without = value["without"]
    if not isinstance(without, list):
        raise ValueError("without is no list")
    return Pruned(str(value["task"]), _int(value["leaf"]), str(value["signature"]),
                  tuple(map(_int, without)))  # fmt: skip


def _int(value: object) -> int:
    if type(value) is not int:
        raise ValueError(f"{value!r} is no node")
    return value
