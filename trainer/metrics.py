"""What a run of width 1 says of a policy: pure functions over trees, and a report of numbers.

A tree counts by its one path; of a wider tree, every node counts as a step, and the rates are of
the search, not of pass@1.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from math import sqrt
from typing import Any, Self

from search.tree import Node, Tree

FORMAT_ERRORS = ("malformed",)
INVALID = (*FORMAT_ERRORS, "unknown_tool", "bad_arguments")
"""Kinds in `info["error"]` of steps that called no tool as its schema allows."""

_Z = 1.959964  # 95 %


@dataclass(frozen=True, slots=True)
class Rate:
    """hits of total, and the 95 % Wilson score interval of the proportion."""

    hits: int
    total: int

    @property
    def value(self) -> float:
        return self.hits / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.hits, self.total)


@dataclass(slots=True)
class Report:
    """Rates and means over the tasks of a run.

    solved: tasks whose path earned reward 1.   strict: those that passed the environment's
    stricter grade too (`info["strict"]`), None where it has none.
    valid, format_errors, repeated: of all steps.   gave_up: of tasks.
    failed: tasks without a tree, which count as not solved.
    groups, tags: solve rates by `Task.group` and by tag ("difficulty=simple").
    outcomes: whether each task was solved, by id: what makes two reports comparable task by task.
    """

    name: str
    solved: Rate = Rate(0, 0)
    strict: Rate | None = None
    valid: Rate = Rate(0, 0)
    format_errors: Rate = Rate(0, 0)
    repeated: Rate = Rate(0, 0)
    gave_up: Rate = Rate(0, 0)
    failed: int = 0
    steps_per_task: float = 0.0
    tokens_per_task: float = 0.0
    groups: dict[str, Rate] = field(default_factory=dict)
    tags: dict[str, Rate] = field(default_factory=dict)
    outcomes: dict[str, bool] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For JSON; rates carry their value and interval, which `from_dict` does not read."""
        return {key: _shown(getattr(self, key)) for key in asdict(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        return cls(**{key: _read(value) for key, value in values.items()})


def measure(name: str, trees: Iterable[Tree], failed: Iterable[str] = ()) -> Report:
    """The report of a run.

    failed: ids of tasks that have no tree; they count as tasks that were not solved.
    """
    tally = _Tally()
    for tree in trees:
        tally.add(tree)
    lost = sorted(set(failed) - set(tally.outcomes))
    tally.outcomes |= dict.fromkeys(lost, False)
    return tally.report(name, len(lost))


@dataclass(slots=True)
class _Tally:
    outcomes: dict[str, bool] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    by: dict[tuple[str, str], list[bool]] = field(default_factory=dict)
    graded: int = 0
    strict: int = 0
    steps: int = 0
    repeated: int = 0
    gave_up: int = 0
    tokens: int = 0

    def add(self, tree: Tree) -> None:
        task, steps = tree.task, [node.step for node in tree.nodes]
        self.outcomes[task.id] = tree.solved
        self.errors.update(str(step.info["error"]) for step in steps if step.info.get("error"))
        self.steps += len(steps)
        self.repeated += sum(1 for _ in _repeats(tree))
        self.gave_up += any(step.info.get("gave_up") for step in steps)
        self.graded += any("strict" in step.info for step in steps)
        self.strict += any(step.info.get("strict") for step in steps)
        self.tokens += tree.usage.tokens
        keys = [("group", task.group)] if task.group else []
        for key in [*keys, *((f"tag {tag}", value) for tag, value in task.tags.items())]:
            self.by.setdefault(key, []).append(tree.solved)

    def report(self, name: str, failed: int) -> Report:
        tasks = len(self.outcomes)
        searched = max(tasks - failed, 1)
        split = {key: Rate(sum(each), len(each)) for key, each in sorted(self.by.items())}
        return Report(
            name,
            solved=Rate(sum(self.outcomes.values()), tasks),
            strict=Rate(self.strict, tasks) if self.graded else None,
            valid=Rate(self.steps - sum(self.errors[kind] for kind in INVALID), self.steps),
            format_errors=Rate(sum(self.errors[kind] for kind in FORMAT_ERRORS), self.steps),
            repeated=Rate(self.repeated, self.steps),
            gave_up=Rate(self.gave_up, tasks),
            failed=failed,
            steps_per_task=self.steps / searched,
            tokens_per_task=self.tokens / searched,
            groups={value: rate for (kind, value), rate in split.items() if kind == "group"},
            tags={
                f"{kind[4:]}={value}": rate
                for (kind, value), rate in split.items()
                if kind != "group"
            },
            outcomes=dict(self.outcomes),
        )


def _repeats(tree: Tree) -> Iterator[Node]:
    """Nodes whose action was already taken on their path."""
    return (
        node
        for node in tree.nodes
        if node.step.action.key in {step.action.key for step in tree.path(node.parent)}
    )


def wilson(hits: int, total: int) -> tuple[float, float]:
    """The 95 % score interval of a proportion (Wilson 1927); (0, 1) of nothing."""
    if not total:
        return 0.0, 1.0
    p, z2 = hits / total, _Z * _Z
    middle = (p + z2 / (2 * total)) / (1 + z2 / total)
    half = _Z / (1 + z2 / total) * sqrt(p * (1 - p) / total + z2 / (4 * total * total))
    return max(0.0, middle - half), min(1.0, middle + half)


def paired(
    before: Mapping[str, bool], after: Mapping[str, bool]
) -> tuple[float, float, float] | None:
    """How much the solve rate rose, with its 95 % interval, on the same tasks; None if the tasks
    differ. Score method for paired proportions (Newcombe 1998, Statist. Med. 17:2635, method 10).
    """
    if before.keys() != after.keys() or not before:
        return None
    n = len(before)
    pairs = Counter((after[id], before[id]) for id in before)
    both, gained, lost = pairs[True, True], pairs[True, False], pairs[False, True]
    neither = n - both - gained - lost
    new, old = both + gained, both + lost
    p, q, phi = new / n, old / n, _phi(both, gained, lost, neither)
    (low1, high1), (low2, high2) = wilson(new, n), wilson(old, n)
    down1, up1, down2, up2 = p - low1, high1 - p, q - low2, high2 - q
    low = sqrt(max(0.0, down1 * down1 - 2 * phi * down1 * up2 + up2 * up2))
    high = sqrt(max(0.0, up1 * up1 - 2 * phi * up1 * down2 + down2 * down2))
    return p - q, p - q - low, p - q + high


def _phi(both: int, gained: int, lost: int, neither: int) -> float:
    """How far two runs solve the same tasks, with Newcombe's correction for continuity."""
    product = (both + gained) * (lost + neither) * (both + lost) * (gained + neither)
    if not product:
        return 0.0
    n, cross = both + gained + lost + neither, both * neither - gained * lost
    if cross > 0:
        return max(cross - n / 2, 0.0) / sqrt(product)
    return cross / sqrt(product)


def _shown(value: Any) -> Any:
    if isinstance(value, Rate):
        low, high = value.interval
        rounded = {"value": round(value.value, 4), "interval": [round(low, 4), round(high, 4)]}
        return {"hits": value.hits, "total": value.total, **rounded}
    if isinstance(value, dict):
        return {key: _shown(item) for key, item in value.items()}
    return round(value, 2) if isinstance(value, float) else value


def _read(value: Any) -> Any:
    if isinstance(value, dict):
        if {"hits", "total"} <= value.keys() and isinstance(value["hits"], int):
            return Rate(value["hits"], value["total"])
        return {key: _read(item) for key, item in value.items()}
    return value
