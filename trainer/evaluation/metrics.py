"""A run's report from its trees: pure functions over trees, one tree in memory at a time.

A tree of one chain counts by its one path. In a wider tree every node counts as a step, and the
rates are those of the search: `solved` counts tasks that any of its paths solved. What one of
several independent chains is worth is `pass_at`.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from engine.runs.store import FILE as RUN
from engine.runs.store import Store
from search.tree import Tree
from search.usage import Usage
from trainer.errors import TrainerError
from trainer.evaluation.measures.call_rates import CallTally
from trainer.evaluation.measures.error_analysis import (
    FORMAT_ERRORS,
    INVALID,
    REPEATED,
    ErrorTally,
)
from trainer.evaluation.measures.pass_at import chains, curve
from trainer.evaluation.measures.statistics import Estimate, Rate, estimate
from trainer.evaluation.measures.task_results import TaskResult, task_result
from trainer.evaluation.report import FILE as REPORT
from trainer.evaluation.report import Report


def read_report(folder: Path) -> Report:
    """Return the report on a run of `trainer eval` or `engine explore`.

    It is measured from the run's trees; figures that need a model or a judge are taken from its
    `report.json`. A folder that holds only that is of a student asked at references only.

    Raises:
        UsageError: There is no run.
        TrainerError: The run holds no task yet, or its `report.json` is not a report.
    """
    if (folder / REPORT).is_file() and not (folder / RUN).exists():
        report = Report(folder.resolve().name)
        report.restore(folder)
        return report
    with Store.open(folder) as store:
        report = measure(folder.resolve().name, store.trees(), store.failures())
    if not report.outcomes:
        raise TrainerError(f"{folder}: this run holds no task yet")
    report.restore(folder)
    report.folder = folder
    return report


def measure(name: str, trees: Iterable[Tree], failed: Iterable[str] = ()) -> Report:
    """Return the report on a run.

    Args:
        name: The run's.
        trees: Its trees.
        failed: Ids of tasks without a tree; they count as not solved.
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
    errors: ErrorTally = field(default_factory=ErrorTally)
    chains: dict[str, tuple[int, int]] = field(default_factory=dict)
    groups: dict[str, list[bool]] = field(default_factory=dict)
    tags: dict[str, list[bool]] = field(default_factory=dict)
    depths: dict[int, list[bool]] = field(default_factory=dict)
    rewards: list[float] = field(default_factory=list)
    invalid: int = 0
    malformed: int = 0
    graded: int = 0
    strict: int = 0
    gave_up: int = 0
    usage: Usage = field(default_factory=Usage)
    results: dict[str, TaskResult] = field(default_factory=dict)
    incomplete: Counter[str] = field(default_factory=Counter)
    calls: CallTally = field(default_factory=CallTally)

    def add(self, tree: Tree) -> None:
        task, steps = tree.task, [node.step for node in tree.nodes]
        self.outcomes[task.id] = tree.solved
        self.chains[task.id] = chains(tree)
        self.errors.add(tree)
        self.calls.add(tree)
        self.invalid += sum(step.info.get("error") in INVALID for step in steps)
        self.malformed += sum(step.info.get("error") in FORMAT_ERRORS for step in steps)
        self.gave_up += any(step.info.get("gave_up") for step in steps)
        self.graded += any("strict" in step.info for step in steps)
        self.strict += any(step.info.get("strict") for step in steps)
        self.usage += tree.usage
        self.results[task.id] = task_result(tree)
        for call in tree.calls:
            self.incomplete.update(call.incomplete.split())
        leaves = list(tree.leaves())
        self.rewards.append(max((leaf.step.reward for leaf in leaves), default=0.0))
        for leaf in leaves:
            self.depths.setdefault(len(tree.lineage(leaf.id)), []).append(leaf.step.solved)
        if task.group:
            self.groups.setdefault(task.group, []).append(tree.solved)
        for tag, value in task.tags.items():
            self.tags.setdefault(f"{tag}={value}", []).append(tree.solved)

    def report(self, name: str, failed: int) -> Report:
        tasks, steps = len(self.outcomes), self.errors.nodes
        searched = max(tasks - failed, 1)
        pass_at = curve(self.chains, failed)
        return Report(
            name,
            solved=Rate(sum(self.outcomes.values()), tasks),
            strict=Rate(self.strict, tasks) if self.graded else None,
            reward=_mean_reward([*self.rewards, *[0.0] * failed]),
            valid=Rate(steps - self.invalid, steps),
            format_errors=Rate(self.malformed, steps),
            repeated=Rate(self.errors.steps[REPEATED], steps),
            gave_up=Rate(self.gave_up, tasks),
            false_calls=self.calls.false,
            missed_calls=self.calls.missed,
            failed=failed,
            incomplete=dict(self.incomplete.most_common()),
            steps_per_task=steps / searched,
            tokens_per_task=self.usage.tokens / searched,
            groups={group: _rate(self.groups[group]) for group in sorted(self.groups)},
            tags={tag: _rate(self.tags[tag]) for tag in sorted(self.tags)},
            depths={str(depth): _rate(self.depths[depth]) for depth in sorted(self.depths)},
            outcomes=dict(self.outcomes),
            pass_at=pass_at,
            shares={id: self._share(id) for id in self.outcomes} if pass_at else {},
            mistakes=self.errors.summary(),
            calls=self.usage.calls,
            tokens=self.usage.tokens,
            usd=self.usage.usd,
            results=self.results,
        )

    def _share(self, id: str) -> float:
        """Return the share of a task's chains that solved it; 0 for a task without a tree."""
        number, solved = self.chains.get(id, (1, 0))
        return solved / number


def _rate(outcomes: list[bool]) -> Rate:
    return Rate(sum(outcomes), len(outcomes))


def _mean_reward(rewards: list[float]) -> Estimate | None:
    if set(rewards) <= {0.0, 1.0}:
        return None
    return estimate(((reward, 1) for reward in rewards), share=True)
