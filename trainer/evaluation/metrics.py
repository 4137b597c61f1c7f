"""What a run says of a policy: pure functions over trees, and a report of numbers.

A tree of one chain counts by its one path; of a wider tree, every node counts as a step, and the
rates are of the search: `solved` is of tasks that any of its paths solved. What independent chains
are worth one by one is `pass_at`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from search.tree import Tree
from trainer.evaluation.measures.error_analysis import (
    FORMAT_ERRORS,
    INVALID,
    REPEATED,
    Mistake,
    Mistakes,
)
from trainer.evaluation.measures.general import General
from trainer.evaluation.measures.pass_at import chains, curve
from trainer.evaluation.measures.report_json import read, shown
from trainer.evaluation.measures.scores import Agreement, Judged
from trainer.evaluation.measures.statistics import Estimate, Rate, changed, estimate, paired, wilson
from trainer.evaluation.measures.teacher_forcing import Forced

__all__ = ["FORMAT_ERRORS", "INVALID", "Rate", "Report", "changed", "measure", "paired", "wilson"]


@dataclass(slots=True)
class Report:
    """Rates and means over the tasks of a run.

    solved: tasks of which a path earned reward 1.   strict: those that passed the environment's
    stricter grade too (`info["strict"]`), None where it has none.
    reward: the mean of each task's best path, 0 to 1; None where every reward is 0 or 1, and that
        mean is the solve rate.
    valid, format_errors, repeated: of all steps.   gave_up: of tasks.
    failed: tasks without a tree, which count as not solved.
    groups, tags: solve rates by `Task.group` and by tag ("difficulty=simple").
    depths: of the paths of so many steps, those that solved their task.
    outcomes: whether each task was solved, by id: what makes two reports comparable task by task.
    pass_at: see `pass_at.curve`.   mistakes: by kind, see `measures.mistakes`.
    shares: of each task's chains, those that solved it, 0 to 1, by id; empty where `pass_at` is.
        What makes two reports comparable chain by chain, by `changed`.
    forced, judged, general, harness: what was asked for besides; judged is by judge, harness by
    task of lm-eval and its metric.   agreement: of each two judges.
    """

    name: str
    solved: Rate = Rate(0, 0)
    strict: Rate | None = None
    reward: Estimate | None = None
    valid: Rate = Rate(0, 0)
    format_errors: Rate = Rate(0, 0)
    repeated: Rate = Rate(0, 0)
    gave_up: Rate = Rate(0, 0)
    failed: int = 0
    steps_per_task: float = 0.0
    tokens_per_task: float = 0.0
    groups: dict[str, Rate] = field(default_factory=dict)
    tags: dict[str, Rate] = field(default_factory=dict)
    depths: dict[str, Rate] = field(default_factory=dict)
    outcomes: dict[str, bool] = field(default_factory=dict)
    pass_at: dict[str, Estimate] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    mistakes: dict[str, Mistake] = field(default_factory=dict)
    forced: Forced | None = None
    judged: dict[str, Judged] = field(default_factory=dict)
    agreement: dict[str, Agreement] = field(default_factory=dict)
    general: General | None = None
    harness: dict[str, dict[str, float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For JSON; rates carry their value and interval."""
        return {one.name: shown(getattr(self, one.name)) for one in fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What `to_dict` gave, floats to four digits."""
        known = {key: read(value) for key, value in values.items()}
        for name, kind in (("forced", Forced), ("general", General)):
            if known.get(name) is not None:
                known[name] = kind(**known[name])
        for name, each in (("mistakes", Mistake), ("judged", Judged), ("agreement", Agreement)):
            known[name] = {key: each(**one) for key, one in (known.get(name) or {}).items()}
        return cls(**known)


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
    mistakes: Mistakes = field(default_factory=Mistakes)
    played: dict[str, tuple[int, int]] = field(default_factory=dict)
    by: dict[tuple[str, str], list[bool]] = field(default_factory=dict)
    depths: dict[int, list[bool]] = field(default_factory=dict)
    rewards: list[float] = field(default_factory=list)
    invalid: int = 0
    malformed: int = 0
    graded: int = 0
    strict: int = 0
    gave_up: int = 0
    tokens: int = 0

    def add(self, tree: Tree) -> None:
        task, steps = tree.task, [node.step for node in tree.nodes]
        self.outcomes[task.id] = tree.solved
        self.played[task.id] = chains(tree)
        self.mistakes.add(tree)
        self.invalid += sum(step.info.get("error") in INVALID for step in steps)
        self.malformed += sum(step.info.get("error") in FORMAT_ERRORS for step in steps)
        self.gave_up += any(step.info.get("gave_up") for step in steps)
        self.graded += any("strict" in step.info for step in steps)
        self.strict += any(step.info.get("strict") for step in steps)
        self.tokens += tree.usage.tokens
        leaves = list(tree.leaves())
        self.rewards.append(max((leaf.step.reward for leaf in leaves), default=0.0))
        for leaf in leaves:
            self.depths.setdefault(len(tree.lineage(leaf.id)), []).append(leaf.step.solved)
        keys = [("group", task.group)] if task.group else []
        for key in [*keys, *((f"tag {tag}", value) for tag, value in task.tags.items())]:
            self.by.setdefault(key, []).append(tree.solved)

    def report(self, name: str, failed: int) -> Report:
        tasks, steps = len(self.outcomes), self.mistakes.nodes
        searched = max(tasks - failed, 1)
        split = {key: Rate(sum(each), len(each)) for key, each in sorted(self.by.items())}
        samples = curve(self.played, failed)
        return Report(
            name,
            solved=Rate(sum(self.outcomes.values()), tasks),
            strict=Rate(self.strict, tasks) if self.graded else None,
            reward=_partial([*self.rewards, *[0.0] * failed]),
            valid=Rate(steps - self.invalid, steps),
            format_errors=Rate(self.malformed, steps),
            repeated=Rate(self.mistakes.steps[REPEATED], steps),
            gave_up=Rate(self.gave_up, tasks),
            failed=failed,
            steps_per_task=steps / searched,
            tokens_per_task=self.tokens / searched,
            groups={value: rate for (kind, value), rate in split.items() if kind == "group"},
            tags={
                f"{kind[4:]}={value}": rate
                for (kind, value), rate in split.items()
                if kind != "group"
            },
            depths={str(at): Rate(sum(won), len(won)) for at, won in sorted(self.depths.items())},
            outcomes=dict(self.outcomes),
            pass_at=samples,
            shares={id: self._share(id) for id in self.outcomes} if samples else {},
            mistakes=self.mistakes.summary(),
        )

    def _share(self, id: str) -> float:
        """Of a task's chains, those that solved it; none of a task without a tree."""
        number, won = self.played.get(id, (1, 0))
        return won / number


def _partial(rewards: list[float]) -> Estimate | None:
    if set(rewards) <= {0.0, 1.0}:
        return None
    return estimate(((reward, 1) for reward in rewards), share=True)
