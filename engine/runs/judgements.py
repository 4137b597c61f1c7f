"""What a judge says of the steps of a run: `judgements.jsonl` beside the run's store.

One line per judged step, and one per successful path that was proven to succeed without some of its
steps. Like a person's marks, a line names its node by a signature of the actions that lead there.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from engine.errors import UsageError
from engine.runs.annotations import TreeAnnotations, path_signatures
from engine.runs.codec import dumps
from search.tree import Tree
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


def with_judgements(
    annotations: TreeAnnotations, tree: Tree, found: Iterable[Judgement | Pruned]
) -> TreeAnnotations:
    """Return `annotations` with those of `found` whose nodes `tree` still has."""
    signatures = path_signatures(tree)
    scores: dict[int, float] = {}
    detours: dict[int, frozenset[int]] = {}
    for one in found:
        place = one.node if isinstance(one, Judgement) else one.leaf
        if not (0 <= place < len(signatures) and signatures[place] == one.signature):
            continue
        if isinstance(one, Judgement):
            scores[place] = one.score
        else:
            detours[place] = frozenset(one.without)
    return replace(annotations, step_scores=scores, detours=detours)


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
