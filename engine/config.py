"""What a run is: two commands with the same `Config` are one run, and the second resumes it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, get_args

from engine.errors import UsageError
from engine.templates.registry import NAMES as TEMPLATES
from environments.sql.postgres_server import public_url
from search.dfsdt import Siblings
from search.limits import Limits

SEARCHES = ("dfsdt", "react")


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that decides which trees come out; what does not (concurrency, which tasks, the
    run's budget) is an argument of `engine.explore.explore` instead.

    env, data, split, sandbox: as `environments.make` takes them.
    options: what this environment takes besides, by name ("db", ...).
    teacher: a model's name, or "demonstration".   base_url: its endpoint; "" for OpenAI's.
    template: how tasks and paths become messages.
    search, siblings, backtrack: see `search.dfsdt`; siblings and backtrack are not for "react".
    width, depth, solved, repeats, task_max_*: see `search.Limits`.
    temperature, reply_tokens: of a reply.   mistake_rate: of the demonstration teacher.
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
    width: int = 2
    depth: int = 12
    solved: int = 1
    repeats: int = 2
    task_max_calls: int | None = 60
    task_max_tokens: int | None = None
    task_max_usd: float | None = None
    temperature: float = 1.0
    reply_tokens: int = 1024
    mistake_rate: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        one_of("search", self.search, SEARCHES)
        one_of("siblings", self.siblings, get_args(Siblings))
        one_of("template", self.template, TEMPLATES)
        for name in ("backtrack", "width", "depth", "solved", "reply_tokens"):
            if getattr(self, name) < 1:
                raise UsageError(f"--{name.replace('_', '-')} must be at least 1")
        if not 0 <= self.mistake_rate <= 1:
            raise UsageError("--mistake-rate must be between 0 and 1")

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
    def sampling(self) -> dict[str, Any]:
        """Parameters of every request. The seed is one: another seed asks for other replies."""
        return {
            "temperature": self.temperature,
            "max_tokens": self.reply_tokens,
            "seed": self.seed,
        }

    def to_dict(self) -> dict[str, Any]:
        """What a run keeps: passwords in addresses are left out."""
        public = {name: without_password(value) for name, value in self.options.items()}
        return asdict(self) | {"options": public}

    def difference(self, stored: Mapping[str, Any]) -> str:
        """What differs from a stored config, said as flags; "" where nothing does."""
        mine, theirs = _flat(self.to_dict()), _flat(stored)
        optional = {name for name in (*mine, *theirs) if name not in Config.__dataclass_fields__}
        defaults = dict.fromkeys(optional)
        mine = defaults | mine
        theirs = defaults | theirs
        return ", ".join(
            f"--{name.replace('_', '-')} was {theirs[name]!r} and is {value!r}"
            for name, value in mine.items()
            if value != theirs.get(name, value)
        )


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """With the environment's options beside the others, as on the command line."""
    return {name: value for name, value in config.items() if name != "options"} | dict(
        config.get("options") or {}
    )


def without_password(value: Any) -> Any:
    """An address without its password; whatever else as it is."""
    if isinstance(value, str) and "://" in value:
        return public_url(value)
    return value


def one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    """Raises UsageError unless the value of flag `name` is one of `known`."""
    if value not in known:
        raise UsageError(f"--{name} is {value!r}; use one of {', '.join(known)}")
