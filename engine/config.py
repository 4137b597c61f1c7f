"""What a run is: two commands with the same `Config` are one run, and the second resumes it."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from math import isinf, isnan
from typing import Any, Literal, get_args

from engine.errors import UsageError
from engine.policies.demonstration import NAME as DEMONSTRATION
from engine.policies.student_endpoint import StudentEndpoint
from engine.policies.student_first import THRESHOLD
from engine.templates import TemplateError
from engine.templates import get as get_template
from search.expand import Siblings
from search.limits import Limits
from search.registry import SEARCHES
from treegraft.urls import redact_url

Value = Literal["judge", "reward"]
NOT_SAMPLING = frozenset({"model", "messages", "tools", "n", "stop", "stream", "logprobs"})
"""What of a request is the search's, or the template's."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that decides which trees come out; what does not (concurrency, which tasks, the
    run's budget) is an argument of `engine.runs.explore.explore` instead.

    env, data, split, sandbox: as `environments.make` takes them.
    options: what this environment takes besides, by name ("db", ...).
    teacher: a model's name, or "demonstration".   base_url: its endpoint; "" for OpenAI's.
    template: how tasks and paths become messages; a name, or a user's file.
    search: a name in `search.registry.SEARCHES`.
    siblings, backtrack, rank, beam_size, value, exploration, reflections: options of searches, told
        where these are (`search.dfsdt.Dfsdt` and its like); one that the search does not take is
        refused where it is not the default.
    width, depth, solved, repeats, task_max_*: see `search.Limits`.
    temperature, reply_tokens: of a reply.   mistake_rate: of the demonstration teacher.
    sampling: further parameters of every request to the teacher, OpenAI's or its server's own; None
        leaves out one that is sent otherwise (`parameters`).
    swift: MODEL@URL of a student that acts first; "" for none.   swift_threshold: under which mean
        log-probability the teacher acts: see `policies.student_first`.
    swift_template: the student's.
    """

    env: str
    data: str | None = None
    split: str | None = None
    sandbox: str = "auto"
    options: Mapping[str, Any] = field(default_factory=dict)
    teacher: str = "demonstration"
    base_url: str = ""
    template: str = "native"
    search: str = "dfsdt"
    siblings: Siblings = "diverse"
    backtrack: int = 1
    rank: bool = False
    beam_size: int = 2
    value: Value = "judge"
    exploration: float = 1.0
    reflections: int = 0
    width: int = 2
    depth: int = 12
    solved: int = 1
    repeats: int = 4
    task_max_calls: int | None = 60
    task_max_tokens: int | None = None
    task_max_usd: float | None = None
    temperature: float = 1.0
    reply_tokens: int = 1024
    sampling: Mapping[str, Any] = field(default_factory=dict)
    mistake_rate: float = 0.3
    swift: str = ""
    swift_threshold: float = THRESHOLD
    swift_template: str = "react"
    seed: int = 0

    def __post_init__(self) -> None:
        one_of("search", self.search, tuple(SEARCHES))
        one_of("siblings", self.siblings, get_args(Siblings))
        for name in ("template", "swift_template"):
            try:
                get_template(getattr(self, name))
            except TemplateError as error:
                raise UsageError(f"{_flag(name)}: {error}") from None
        one_of("value", self.value, get_args(Value))
        for name in ("backtrack", "beam_size", "width", "depth", "solved", "reply_tokens"):
            _at_least(name, getattr(self, name), 1)
        for name in ("exploration", "reflections", "repeats"):
            _at_least(name, getattr(self, name), 0)
        if not 0 <= self.mistake_rate <= 1:
            raise UsageError("--mistake-rate must be between 0 and 1")
        if taken := sorted(NOT_SAMPLING & set(self.sampling)):
            raise UsageError(f"--sampling: {', '.join(taken)} cannot be given there")
        self._check_options()
        self._check_student()

    def _check_options(self) -> None:
        """See that the search takes the options given, and that they go together."""
        for name in sorted(frozenset().union(*(search.options for search in SEARCHES.values()))):
            takers = [known for known, search in SEARCHES.items() if name in search.options]
            given = getattr(self, name) != Config.__dataclass_fields__[name].default
            if given and self.search not in takers:
                raise UsageError(
                    f"--search {self.search} takes no {_flag(name)}; it is for {', '.join(takers)}"
                )
        if self.rank and self.backtrack > 1:
            raise UsageError("--rank plays all siblings first: use it with --backtrack 1")
        if self.reflections and self.teacher == DEMONSTRATION:
            raise UsageError("--reflections needs a model; the demonstration teacher writes none")

    def _check_student(self) -> None:
        if self.swift:
            StudentEndpoint.named(self.swift)
        if isnan(self.swift_threshold):
            raise UsageError("--swift-threshold must be a number of nats, 0 or less")
        for name in ("swift_threshold", "swift_template"):
            if getattr(self, name) != Config.__dataclass_fields__[name].default and not self.swift:
                raise UsageError(f"{_flag(name)} is for --swift")

    @property
    def student(self) -> StudentEndpoint | None:
        """Who acts before the teacher, if anybody does."""
        return StudentEndpoint.named(self.swift) if self.swift else None

    @property
    def limits(self) -> Limits:
        return Limits(
            self.width,
            self.depth,
            self.solved,
            self.repeats,
            self.task_max_calls,
            self.task_max_tokens,
            self.task_max_usd,
        )

    @property
    def env_options(self) -> dict[str, Any]:
        """For `environments.make`."""
        given = {"data": self.data, "split": self.split, "sandbox": self.sandbox}
        return {**given, **self.options}

    @property
    def student_parameters(self) -> dict[str, Any]:
        """Of every request to the student that acts first."""
        return {
            "temperature": self.temperature,
            "max_tokens": self.reply_tokens,
            "seed": self.seed,
        }

    @property
    def parameters(self) -> dict[str, Any]:
        """Of every request to the teacher. The seed is one: another asks for other replies."""
        given = {**self.student_parameters, **self.sampling}
        return {name: value for name, value in given.items() if value is not None}

    def to_dict(self) -> dict[str, Any]:
        """What a run keeps: passwords in addresses are left out."""
        public = {name: without_password(value) for name, value in self.options.items()}
        student = self.student.public if self.student else ""
        kept = asdict(self) | {"options": public, "swift": student}
        kept["base_url"] = without_password(self.base_url)
        if isinf(self.swift_threshold):  # which JSON has no number for
            kept["swift_threshold"] = str(self.swift_threshold)
        return kept

    def difference(self, stored: Mapping[str, Any]) -> str:
        """What differs from a stored config, said as flags; "" where nothing does."""
        mine, theirs = _flat(self.to_dict()), _flat(stored)
        defaults = dict.fromkeys((*mine, *theirs)) | {f.name: _default(f) for f in fields(Config)}
        mine = dict.fromkeys(theirs) | mine
        theirs = defaults | theirs
        return ", ".join(
            f"{_flag(name)} was {theirs[name]!r} and is {value!r}"
            for name, value in mine.items()
            if value != theirs[name]
        )


def _default(of: Field[Any]) -> Any:
    """What a run of before, which did not have the field, stands for."""
    return of.default if of.default_factory is MISSING else of.default_factory()


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """With the environment's options beside the others, as on the command line."""
    return {name: value for name, value in config.items() if name != "options"} | dict(
        config.get("options") or {}
    )


def without_password(value: Any) -> Any:
    """An address without its password; whatever else as it is."""
    if isinstance(value, str) and "://" in value:
        return redact_url(value)
    return value


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _at_least(name: str, value: float, least: int) -> None:
    if not value >= least:  # NaN is none
        raise UsageError(f"{_flag(name)} must be at least {least}")


def one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    """Raises UsageError unless the value of flag `name` is one of `known`."""
    if value not in known:
        raise UsageError(f"--{name} is {value!r}; use one of {', '.join(known)}")
