"""Who plays on from the states of a run, and the config of the run that this makes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.config import SEARCH_OPTIONS, Config, check_shots, config_of, current_names
from engine.errors import UsageError
from engine.panels import TASKS, TEACHER
from engine.policies.demonstration import NAME as DEMONSTRATION
from engine.policies.student_endpoint import StudentEndpoint
from search import Continuations, Tree
from treegraft.ranges import SEED, check_ranges

STUDENT = "student"
"""The `policy` that is the run's own student."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditSettings:
    """Who plays on, and how. What is not given is as in the run.

    Attributes:
        policy: Who plays on: a model's name, MODEL@URL, or student for the run's own; else the
            run's teacher. A server named by URL gets the key STUDENT_API_KEY.
        base_url: The endpoint of a model that is given by its name.
        template: How messages are written.
        temperature: Sampling temperature. At 0 each state gets one continuation.
        max_reply_tokens: Maximum tokens per reply.
        mistake_rate: How often the demonstration teacher errs, 0 to 1.
        seed: Random seed of sampling and of demonstrated mistakes.
        shots_from: Where the run's examples come from, if it has any.
        least: Continuations of each state at least.
        most: Continuations of each state at most.
        confidence: Of a value's interval; a state gets no further continuation once its interval
            leaves out 1/2.
        splice: Also play, after each wrong turn, the rest of a successful path beside it, without
            asking the policy: for recovery rows.
        tasks: Task ids, a,b,c; or @FILE with one id per line.
        limit: Take at most this many tasks.
        task_file: The run's task file, if it played one.
    """

    policy: str = field(default="", metadata={"panel": TEACHER, "default": "the run's teacher"})
    base_url: str = field(default="", metadata={"panel": TEACHER, "default": "the run's"})
    template: str = field(default="", metadata={"panel": TEACHER, "default": "the run's"})
    temperature: float | None = field(
        default=None, metadata={"panel": TEACHER, "min": 0, "default": "the run's"}
    )
    max_reply_tokens: int | None = field(
        default=None, metadata={"panel": TEACHER, "min": 1, "default": "the run's"}
    )
    mistake_rate: float | None = field(
        default=None, metadata={"panel": TEACHER, "min": 0, "max": 1, "default": "the run's"}
    )
    seed: int | None = field(
        default=None, metadata={"panel": TEACHER, "default": "the run's", **SEED}
    )
    shots_from: str = field(default="", metadata={"panel": TEACHER})
    least: int = field(default=4, metadata={"min": 1})
    most: int = field(default=16, metadata={"min": 1})
    confidence: float = field(default=0.9, metadata={"above": 0, "max": 0.999})
    splice: bool = False
    tasks: str = field(default="", metadata={"panel": TASKS, "default": "all"})
    limit: int | None = field(default=None, metadata={"panel": TASKS, "min": 1})
    task_file: Path | None = field(default=None, metadata={"panel": TASKS})

    def __post_init__(self) -> None:
        check_ranges(self)

    def student(self, stored: Mapping[str, Any]) -> StudentEndpoint | None:
        """Return the server to ask in place of the teacher's; None to ask the teacher's.

        Raises:
            UsageError: The run has no student, or MODEL@URL is not valid.
        """
        if self.policy == STUDENT:
            if not stored.get("student"):
                raise UsageError("--policy student: the run has none; name a model, or MODEL@URL")
            return StudentEndpoint.named(stored["student"])
        return StudentEndpoint.named(self.policy) if "@http" in self.policy else None

    def config(self, stored: Mapping[str, Any], trees: Callable[[str], Tree]) -> Config:
        """Return the config of the credit of a run.

        Args:
            stored: The run's stored config.
            trees: Returns the tree of a task.

        Raises:
            UsageError: The options do not go together.
        """
        default = Config(env=stored["env"]).to_dict()  # what a run of an older version lacks
        kept = default | current_names(stored)
        student = self.student(kept)
        if student is not None:
            own = {"template": kept.get("student_template")} if self.policy == STUDENT else {}
            kept |= {"teacher": student.model, "base_url": student.base_url, "api": "chat", **own}
        elif self.policy:
            kept["teacher"] = self.policy
        given = {name: getattr(self, name) for name in _GIVEN}
        kept |= {name: value for name, value in given.items() if value not in (None, "")}
        check_shots(kept.get("shots", 0), self.shots_from)
        kept |= {"shots_from": self.shots_from, "task_file": self.task_file}
        left_out = _LEFT_OUT | SEARCH_OPTIONS
        options = {name: value for name, value in kept.items() if name not in left_out}
        unbounded = {"task_budget_calls": None}
        return config_of({**options, **unbounded, "search": self._search(kept, trees)})

    def _search(self, kept: Mapping[str, Any], trees: Callable[[str], Tree]) -> Continuations:
        same = kept["teacher"] == DEMONSTRATION and not kept.get("mistake_rate")
        same = same or (kept["teacher"] != DEMONSTRATION and not kept.get("temperature", 1))
        return Continuations(
            depth=kept["depth"],
            retries=kept["retries"],
            least=1 if same else self.least,
            most=1 if same else self.most,
            confidence=self.confidence,
            splice=self.splice,
            trees=trees,
        )


_GIVEN = ("base_url", "template", "temperature", "max_reply_tokens", "mistake_rate", "seed")
_LEFT_OUT = frozenset({"search", "student", "student_template", "student_threshold"}) | {
    f"task_budget_{name}" for name in ("calls", "tokens", "usd")
}
