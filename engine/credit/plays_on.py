"""Who plays on from the states of a run, with what, and into which run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from math import inf
from pathlib import Path
from typing import Any

from engine.chat.prices import price_of, read_prices
from engine.config import Config, check_shots, config_of
from engine.errors import UsageError
from engine.panels import TASKS, TEACHER
from engine.policies.demonstration import NAME as DEMONSTRATION
from engine.policies.probe import probe
from engine.policies.student_endpoint import StudentEndpoint
from engine.runs.build_executor import (
    Resources,
    RunBudget,
    check_teacher,
    open_executor,
    unpriced_models,
)
from engine.runs.explore import Progress, RunOptions, Summary, explore
from environments import Task
from search import Search
from treegraft.ranges import SEED, check_ranges

STUDENT = "student"
"""The `policy` that is the run's own student."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaysOn:
    """Who plays on, and in which tasks. What is not given is as in the run.

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

    def options(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of a run's stored config, and those of its search, as they are here.

        Raises:
            UsageError: The options do not go together.
        """
        kept = dict(stored)
        student = self.student(kept)
        if student is not None:
            own = {"template": kept.get("student_template")} if self.policy == STUDENT else {}
            kept |= {"teacher": student.model, "base_url": student.base_url, "api": "chat", **own}
        elif self.policy:
            kept["teacher"] = self.policy
        given = {name: getattr(self, name) for name in _GIVEN}
        kept |= {name: value for name, value in given.items() if value not in (None, "")}
        check_shots(kept.get("shots", 0), self.shots_from)
        return kept | {"shots_from": self.shots_from, "task_file": self.task_file}


_GIVEN = ("base_url", "template", "temperature", "max_reply_tokens", "mistake_rate", "seed")
_OF_CONFIG = {each.name for each in fields(Config)} - {
    *("search", "budget", "examples", "student", "student_template", "student_threshold")
}


def config_with(options: Mapping[str, Any], search: Search) -> Config:
    """Return the config of a run that plays on with `PlaysOn.options`, without a task's bound.

    Raises:
        UsageError: The options do not go together.
    """
    own = {name: value for name, value in options.items() if name in _OF_CONFIG}
    return config_of({**own, "task_budget_calls": None, "search": search})


def repeats_itself(options: Mapping[str, Any]) -> bool:
    """Return whether every further continuation of a state would be the same as the first."""
    if options["teacher"] == DEMONSTRATION:
        return not options.get("mistake_rate")
    return not options.get("temperature", 1)


@dataclass(frozen=True, slots=True)
class ChosenTasks:
    """The tasks in which a policy plays on.

    Attributes:
        tasks: Those of the world, with their secrets.
        data: The state of each file that they are played on; see `ToolEnv.data_state`.
    """

    tasks: Sequence[Task]
    data: Mapping[str, str]


async def play_on(
    config: Config,
    chosen: ChosenTasks,
    output: Path,
    budget: RunBudget,
    resources: Resources,
    progress: Progress,
) -> Summary:
    """Play on into the run `output`; a second call goes on where the first one stopped.

    Raises:
        TreegraftError: Something the user can fix.
    """
    await check_teacher(config, output, resources)
    unpriced = unpriced_models(config, resources)
    options = RunOptions(resources.fail_fast, unpriced, chosen.data, resources.report_to)
    async with open_executor(config, output, budget, resources) as executor:
        return await explore(
            config, chosen.tasks, output, executor, progress=progress, options=options
        )


async def resources_beside(
    run: Path, student: StudentEndpoint | None, resources: Resources
) -> Resources:
    """Return `resources` with the journal beside `run`, and the server of `student`.

    Raises:
        TreegraftError: The server cannot be used.
    """
    journal = resources.journal or run.resolve().parent / "journal.db"
    if student is None:
        return replace(resources, journal=journal)
    await probe(student, -inf)
    price = price_of(student.model, read_prices(resources.prices))
    chat = student.spec(price).open(resources.concurrency)
    return replace(resources, journal=journal, chat=chat)
