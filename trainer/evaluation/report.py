"""The report on a run: its figures, and `report.json`, the file that keeps them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Self

from trainer.errors import TrainerError
from trainer.evaluation.measures.error_analysis import ErrorRate
from trainer.evaluation.measures.general_chat import GeneralLoss
from trainer.evaluation.measures.perturbed import Perturbed
from trainer.evaluation.measures.scores import Agreement, JudgeScores
from trainer.evaluation.measures.statistics import Estimate, Rate
from trainer.evaluation.measures.task_results import TaskResult
from trainer.evaluation.measures.teacher_forcing import TeacherForcing
from trainer.evaluation.measures.tool_eval import ToolEval
from treegraft.text_files import read_text
from treegraft.write_files import write_text

FILE = "report.json"
"""Its name in the run's folder."""

NOT_FROM_TREES = (
    *("forced", "judged", "agreement", "tooleval", "general", "harness", "perturbed"),
)
"""Fields of a report that are not measured from a run's trees."""

NOT_KEPT = ("folder", "results")
"""Fields that `report.json` leaves out: where the run is, and what only its trees hold."""


@dataclass(slots=True, repr=False)
class Report:
    """The figures of one run: rates and means over its tasks. A notebook shows it as tables.

    Attributes:
        name: The run's folder.
        solved: Tasks with a path that earned reward 1.
        strict: Tasks that passed the environment's stricter grade too (`info["strict"]`); None
            if it has no such grade.
        reward: Mean of each task's best path, 0 to 1; None if every reward is 0 or 1, since that
            mean is the solve rate.
        valid: Steps that called a tool as its schema allows, of all steps.
        format_errors: Replies that are not a tool call, of all steps.
        repeated: Steps that repeat an earlier action of their path, of all steps.
        gave_up: Tasks with a path that ended by `give_up`.
        false_calls: Paths with a call where none was right; None if no task is such (see
            `environments.negatives`).
        missed_calls: Paths without a call where one was right; None if no task says so.
        failed: Number of tasks without a tree; they count as not solved.
        incomplete: Replies that were not complete (cut off at the token limit, filtered, ...), by
            reason, those included that were asked for again.
        steps_per_task: Mean number of steps.
        tokens_per_task: Mean number of tokens, prompts and replies.
        groups: Solve rates by `Task.group`.
        tags: Solve rates by tag ("difficulty=simple").
        depths: Share of the paths of each length that solved their task.
        outcomes: Whether each task was solved, by id; two reports are compared task by task.
        pass_at: See `pass_at.curve`.
        shares: Share of each task's chains that solved it, 0 to 1, by id; empty if `pass_at` is.
            Two reports are compared by it, see `statistics.mean_change`.
        mistakes: Errors by kind, see `error_analysis`.
        forced: Replies at the turns of reference trajectories.
        judged: Scores of trajectories, by judge.
        agreement: Agreement of each two judges, by "JUDGE and JUDGE".
        tooleval: ToolEval's pass rate and win rate.
        general: Loss on held-out general chat.
        harness: Figures of lm-eval, by task and metric.
        perturbed: What the student does with one thing changed, by the name of the change.
        calls: Requests to models.
        tokens: Tokens of them, prompts and replies.
        usd: What they cost in dollars; 0 where no price is known.
        folder: The run's folder; None if the report is of trees in memory.
        results: What became of each task that has a tree, by id.
    """

    name: str
    solved: Rate = Rate(0, 0)
    strict: Rate | None = None
    reward: Estimate | None = None
    valid: Rate = Rate(0, 0)
    format_errors: Rate = Rate(0, 0)
    repeated: Rate = Rate(0, 0)
    gave_up: Rate = Rate(0, 0)
    false_calls: Rate | None = None
    missed_calls: Rate | None = None
    failed: int = 0
    incomplete: dict[str, int] = field(default_factory=dict)
    steps_per_task: float = 0.0
    tokens_per_task: float = 0.0
    groups: dict[str, Rate] = field(default_factory=dict)
    tags: dict[str, Rate] = field(default_factory=dict)
    depths: dict[str, Rate] = field(default_factory=dict)
    outcomes: dict[str, bool] = field(default_factory=dict)
    pass_at: dict[str, Estimate] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    mistakes: dict[str, ErrorRate] = field(default_factory=dict)
    forced: TeacherForcing | None = None
    judged: dict[str, JudgeScores] = field(default_factory=dict)
    agreement: dict[str, Agreement] = field(default_factory=dict)
    tooleval: ToolEval | None = None
    general: GeneralLoss | None = None
    harness: dict[str, dict[str, float]] = field(default_factory=dict)
    perturbed: dict[str, Perturbed] = field(default_factory=dict)
    calls: int = 0
    tokens: int = 0
    usd: float = 0.0
    folder: Path | None = field(default=None, compare=False)
    results: dict[str, TaskResult] = field(default_factory=dict, compare=False)

    def __repr__(self) -> str:
        """Return one line, as "after: solved 15.0 % (6/40; 7 to 29), valid actions 98.0 % ..."."""
        return (
            f"{self.name}: solved {self.solved}, valid actions {self.valid}, "
            f"{self.steps_per_task:.1f} steps and {self.tokens_per_task:.0f} tokens per task"
        )

    def _repr_html_(self) -> str:
        from trainer.evaluation.reporting.comparison import Comparison

        return Comparison([self])._repr_html_()

    def save(self, file: Path | str) -> None:
        """Write the report as a page (`.html`) or as Markdown (`.md`).

        Raises:
            TrainerError: The file cannot be written, or has another ending.
        """
        from trainer.evaluation.reporting.comparison import Comparison

        Comparison([self]).save(file)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values; rates carry their value and interval."""
        kept = [one.name for one in fields(self) if one.name not in NOT_KEPT]
        return {name: _to_json(getattr(self, name)) for name in kept}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the report that `to_dict` made `values` of, its floats to four digits."""
        known = {key: _from_json(value) for key, value in values.items()}
        single = (("forced", TeacherForcing), ("general", GeneralLoss), ("tooleval", ToolEval))
        for name, kind in single:
            if known.get(name) is not None:
                known[name] = kind(**known[name])
        kinds = (
            *(("mistakes", ErrorRate), ("judged", JudgeScores)),
            *(("agreement", Agreement), ("perturbed", Perturbed)),
        )
        for name, each in kinds:
            known[name] = {key: each(**one) for key, one in (known.get(name) or {}).items()}
        return cls(**known)

    def keep(self, folder: Path) -> None:
        """Write `report.json` into the run's folder."""
        write_text(folder / FILE, json.dumps(self.to_dict(), indent=2) + "\n")

    def restore(self, folder: Path) -> None:
        """Take over from the folder's `report.json`, if there is one, what trees do not hold.

        Raises:
            TrainerError: The file is not a report.
        """
        file = folder / FILE
        if not file.is_file():
            return
        try:
            kept = Report.from_dict(json.loads(read_text(file)))
        except (ValueError, TypeError, AttributeError) as error:
            raise TrainerError(f"{file} is not a report ({error}); delete it") from error
        for name in NOT_FROM_TREES:
            setattr(self, name, getattr(kept, name))


def _to_json(value: Any) -> Any:
    """Return `value` for JSON; records other than rates and estimates become plain objects."""
    if isinstance(value, Rate | Estimate):
        counts = {"hits": value.hits, "total": value.total} if isinstance(value, Rate) else {}
        interval = [round(bound, 4) for bound in value.interval]
        return {**counts, "value": round(value.value, 4), "interval": interval}
    if is_dataclass(value):
        return {field.name: _to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {key: _to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value


def _from_json(value: Any) -> Any:
    """Return what `_to_json` was given; records other than figures stay plain objects."""
    if isinstance(value, dict):
        if value.keys() == {"hits", "total", "value", "interval"}:
            return Rate(value["hits"], value["total"])
        if value.keys() == {"value", "interval"}:
            return Estimate(value["value"], *value["interval"])
        return {key: _from_json(item) for key, item in value.items()}
    return [_from_json(item) for item in value] if isinstance(value, list) else value
