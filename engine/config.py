"""What a run is: two commands with the same `Config` are one run, and the second resumes it."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from hashlib import sha256
from math import isinf
from pathlib import Path
from typing import Any

from engine.chat.address import APIS
from engine.errors import UsageError
from engine.panels import SANDBOX, TASKS, TEACHER
from engine.policies.answer_grader import VOTES, named_grader
from engine.policies.demonstration import NAME as DEMONSTRATION
from engine.policies.shots import NO_SHOTS, Shots
from engine.policies.student_endpoint import StudentEndpoint
from engine.policies.student_first import THRESHOLD
from engine.templates import TemplateError
from engine.templates import get as get_template
from engine.templates.tool_noise import ToolNoise
from sandbox.check import resolved
from search import PLAYED_ON, SEARCHES, Dfsdt, Mcts, React, Search, TaskBudget
from treegraft.ranges import SEED, check_range, check_ranges
from treegraft.text_files import read_bytes
from treegraft.urls import redact_url

NOT_SAMPLING = frozenset({"model", "messages", "tools", "n", "stop", "stream", "logprobs"})
"""Request parameters that belong to the search or to the template."""

SAMPLING_RANGES: Mapping[str, Mapping[str, float]] = {
    "frequency_penalty": {"min": -2, "max": 2},
    "max_completion_tokens": {"min": 1},
    "max_tokens": {"min": 1},
    "min_p": {"min": 0, "max": 1},
    "presence_penalty": {"min": -2, "max": 2},
    "repetition_penalty": {"above": 0},
    "temperature": {"min": 0},
    "top_k": {"min": -1},
    "top_p": {"min": 0, "max": 1},
}
"""Ranges of the request parameters that servers agree on."""

REPAIRS = ("none", "nearest")
"""Values of `Config.repair`."""

RENAMED = {
    "options": "env_args",
    "reply_tokens": "max_reply_tokens",
    "repeats": "retries",
    "solved": "max_solutions",
    "swift": "student",
    "swift_template": "student_template",
    "swift_threshold": "student_threshold",
    "task_max_calls": "task_budget_calls",
    "task_max_tokens": "task_budget_tokens",
    "task_max_usd": "task_budget_usd",
}
"""Names in the configs of version 0.1, and what they are called now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that decides which trees a run gets.

    What does not (concurrency, which tasks, the run's budget) is an argument of `runs.run.run`.

    Attributes:
        env: A registered environment (`engine envs` lists them), `module:Class` or
            `FILE.py:Class`.
        data: Folder or file of the task data.
        split: Which split: train, dev, test.
        env_args: The environment's own options, by name.
        task_file: A file of tasks to play in place of the data's, as `engine make tasks` writes it.
        teacher: A model's name; `demonstration` needs no model and no key.
        base_url: The endpoint.
        api: What it speaks: chat, or responses (OpenAI's Responses API).
        template: How messages are written: native, react, toolllama, autogpt, modelscope, hermes,
            kwai, or FILE.toml. NAME:prompt sends one prompt per call, NAME:chat a growing chat.
        dialect: How tools are described to the teacher: openai, lines, autogpt, toolbench,
            typescript.
        tool_noise: What is changed in the tools that the models see: rename, shuffle, reword, drop,
            observe, distract:N, seed:N; several as a,b,c; or all (docs/robustness.md). Trees keep
            the true calls.
        repair: What becomes of a call to a tool that does not exist: none leaves it, nearest calls
            the tool with the nearest name, by BLEU (AgentTuning).
        temperature: Sampling temperature.
        max_reply_tokens: Maximum tokens per reply.
        sampling: Extra request parameters for the teacher; `null` removes one the server rejects.
        mistake_rate: How often the demonstration teacher errs, 0 to 1.
        student: MODEL@URL of a student that acts first; the teacher acts where it fails.
        student_threshold: The teacher acts where the student's mean log-probability, in nats per
            token, is lower; -inf trusts every call that can be parsed.
        student_template: How the student's messages are written.
        grader: MODEL or MODEL@URL that grades answers to tasks without a known answer, as ToolEval
            does; its key is OPENAI_API_KEY.
        grader_votes: How often the grader is asked about an answer, at most.
        seed: Random seed of sampling, of demonstrated mistakes and of the draw of examples.
        shots: Examples shown before each task: solved paths of other tasks and groups.
        shots_from: Where they are drawn from: a run, or a file (docs/mixing.md). Never a test
            split.
        examples: Those, once read.
        search: The search, with its options.
        budget: What each task may spend.
        sandbox: What confines the agent: auto, docker, bubblewrap, landlock, process.

    Raises:
        UsageError: Options contradict each other or are out of range.
        SandboxError: There is no such sandbox.
    """

    env: str = field(metadata={"panel": TASKS})
    data: str | None = field(
        default=None, metadata={"panel": TASKS, "default": "the bundled tasks"}
    )
    split: str | None = field(default=None, metadata={"panel": TASKS, "default": "all"})
    env_args: Mapping[str, Any] = field(default_factory=dict, metadata={"hidden": True})
    task_file: Path | None = field(default=None, metadata={"panel": TASKS})
    teacher: str = field(default=DEMONSTRATION, metadata={"panel": TEACHER})
    base_url: str = field(
        default="",
        metadata={"panel": TEACHER, "default": "$OPENAI_BASE_URL, else OpenAI's"},
    )
    api: str = field(default="chat", metadata={"panel": TEACHER})
    template: str = field(default="native", metadata={"panel": TEACHER})
    dialect: str = field(default="", metadata={"panel": TEACHER, "default": "the template's"})
    tool_noise: str = field(default="", metadata={"panel": TEACHER, "default": "none"})
    repair: str = field(default="none", metadata={"panel": TEACHER})
    temperature: float = field(default=1.0, metadata={"panel": TEACHER, "min": 0})
    max_reply_tokens: int = field(default=1024, metadata={"panel": TEACHER, "min": 1})
    sampling: Mapping[str, Any] = field(
        default_factory=dict, metadata={"panel": TEACHER, "default": "none"}
    )
    mistake_rate: float = field(default=0.3, metadata={"panel": TEACHER, "min": 0, "max": 1})
    student: str = field(default="", metadata={"panel": TEACHER, "default": "no student"})
    student_threshold: float = field(
        default=THRESHOLD, metadata={"panel": TEACHER, "max": 0, "infinite": True}
    )
    student_template: str = field(default="react", metadata={"panel": TEACHER})
    grader: str = field(default="", metadata={"panel": TEACHER, "default": "none"})
    grader_votes: int = field(default=VOTES, metadata={"panel": TEACHER, "min": 1})
    seed: int = field(default=0, metadata={"panel": TEACHER, **SEED})
    shots: int = field(default=0, metadata={"panel": TEACHER, "min": 0})
    shots_from: str = field(default="", metadata={"panel": TEACHER})
    examples: Shots = field(default=NO_SHOTS, metadata={"hidden": True})
    search: Search = field(default_factory=Dfsdt, metadata={"hidden": True})
    budget: TaskBudget = field(default_factory=TaskBudget, metadata={"hidden": True})
    sandbox: str = field(default="auto", metadata={"panel": SANDBOX})

    def __post_init__(self) -> None:
        self._check_templates()
        one_of("api", self.api, tuple(APIS))
        one_of("repair", self.repair, REPAIRS)
        resolved(self.sandbox)
        check_ranges(self)
        if taken := sorted(NOT_SAMPLING & set(self.sampling)):
            raise UsageError(f"--sampling cannot hold {', '.join(taken)}")
        for name, value in self.sampling.items():
            check_range(f"--sampling {name}", value, SAMPLING_RANGES.get(name, {}))
        demonstrated = self.teacher == DEMONSTRATION
        reflects = isinstance(self.search, Mcts | React) and self.search.reflections
        if reflects and demonstrated:
            raise UsageError("--reflections needs a model; the demonstration teacher writes none")
        self._check_student()
        self._check_grader()
        check_shots(self.shots, self.shots_from)
        if self.shots and demonstrated:
            raise UsageError("--shots are for a model; the demonstration teacher reads none")

    def _check_templates(self) -> None:
        checks: dict[str, Callable[[str], object]] = {
            "template": get_template,
            "student_template": get_template,
            "dialect": partial(get_template, self.template),
            "tool_noise": ToolNoise.parse,
        }
        for name, check in checks.items():
            try:
                check(getattr(self, name))
            except TemplateError as error:
                raise UsageError(f"{_flag(name)}: {error}") from None

    def _check_student(self) -> None:
        if self.student:
            StudentEndpoint.named(self.student)
        changed = self.student_threshold != THRESHOLD or self.student_template != "react"
        if changed and not self.student:
            raise UsageError("--student-threshold and --student-template are for --student")

    def _check_grader(self) -> None:
        if self.grader:
            named_grader(self.grader)
        elif self.grader_votes != VOTES:
            raise UsageError("--grader-votes is for --grader")

    @property
    def student_endpoint(self) -> StudentEndpoint | None:
        """The student that acts before the teacher, or None."""
        return StudentEndpoint.named(self.student) if self.student else None

    @property
    def env_options(self) -> dict[str, Any]:
        """Arguments of `environments.make`."""
        chosen = {"data": self.data, "split": self.split, "sandbox": self.sandbox}
        return {**chosen, "task_file": self.task_file, **self.env_args}

    @property
    def student_parameters(self) -> dict[str, Any]:
        """Parameters of every request to the student that acts first."""
        return {
            "temperature": self.temperature,
            "max_tokens": self.max_reply_tokens,
            "seed": self.seed,
        }

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of every request to the teacher. Another seed asks for other replies."""
        merged = {**self.student_parameters, **self.sampling}
        return {name: value for name, value in merged.items() if value is not None}

    def to_dict(self) -> dict[str, Any]:
        """Return what a run keeps: flat, JSON only, without passwords in addresses."""
        kept = {f.name: getattr(self, f.name) for f in fields(self)}
        search, budget = kept.pop("search"), kept.pop("budget")
        # What they hold counts, not where it is kept.
        kept["shots_from"] = kept.pop("examples").digest
        kept["search"] = search.name
        kept |= {
            f.name: getattr(search, f.name) for f in fields(search) if "hidden" not in f.metadata
        }
        kept |= {f"task_budget_{name}": value for name, value in asdict(budget).items()}
        kept["env_args"] = {k: without_password(v) for k, v in self.env_args.items()}
        kept["sampling"] = dict(self.sampling)
        kept["task_file"] = _name_and_hash(Path(self.task_file)) if self.task_file else ""
        kept["student"] = self.student_endpoint.public if self.student_endpoint else ""
        kept["grader"] = without_password(self.grader)
        kept["base_url"] = without_password(self.base_url)
        if isinf(self.student_threshold):  # JSON has no infinity
            kept["student_threshold"] = str(self.student_threshold)
        return kept

    def difference(self, stored: Mapping[str, Any]) -> str:
        """Return how this config differs from a stored one, as flags; "" if it does not.

        What the stored config lacks (a run of an older version) counts as its default.
        """
        default = Config(env=self.env, search=type(self.search)()).to_dict()
        mine, theirs = _flat(self.to_dict()), _flat(default) | _flat(current_names(stored))
        return ", ".join(
            f"{_flag(name)} was {theirs.get(name)!r} and is {mine.get(name)!r}"
            for name in dict.fromkeys([*mine, *theirs])
            if mine.get(name) != theirs.get(name)
        )


def config_of(values: Mapping[str, Any]) -> Config:
    """Make a `Config` from flat values, as flags and TOML files have them.

    `search` is a name or a `Search`; a search's options and `task_budget_*` stand beside it. None
    means not given.

    Raises:
        UsageError: An option is unknown, or not one of this search.
    """
    given = {name: value for name, value in values.items() if value is not None}
    search = given.pop("search", Dfsdt.name)
    if isinstance(search, str):
        search = search_of(search, {n: given.pop(n) for n in SEARCH_OPTIONS & given.keys()})
    elif chosen := sorted(SEARCH_OPTIONS & given.keys()):
        raise UsageError(f"{chosen[0]} is an option of the search: {type(search).__name__}(...)")
    known = {field.name for field in fields(Config)} - {"search", "budget", "examples"}
    budget = {f.name: f"task_budget_{f.name}" for f in fields(TaskBudget)}
    if unknown := sorted(given.keys() - known - set(budget.values())):
        raise UsageError(f"unknown option {', '.join(unknown)}")
    limits = {name: values[flag] for name, flag in budget.items() if flag in values}
    own = {name: value for name, value in given.items() if name in known}
    return Config(search=search, budget=TaskBudget(**limits), **own)


SEARCH_OPTIONS = frozenset(field.name for search in SEARCHES.values() for field in fields(search))
"""Names of the options of all searches."""


def search_of(name: str, options: Mapping[str, Any]) -> Search:
    """Make the search called `name`.

    Raises:
        UsageError: There is no such search, or it does not take one of the options.
    """
    one_of("search", name, tuple(SEARCHES))
    taken = {field.name for field in fields(SEARCHES[name])}
    for option in sorted(options.keys() - taken):
        takers = [n for n, s in SEARCHES.items() if option in {f.name for f in fields(s)}]
        raise UsageError(f"--search {name} takes no {_flag(option)}; it is for {', '.join(takers)}")
    return SEARCHES[name](**options)


def current_names(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored config under today's names, without options of searches it did not use."""
    named = {RENAMED.get(name, name): value for name, value in stored.items()}
    used = {field.name for field in fields({**SEARCHES, **PLAYED_ON}[named["search"]])}
    return {k: v for k, v in named.items() if k in used or k not in SEARCH_OPTIONS}


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return `config` with the environment's options beside the others."""
    options = config.get("env_args") or {}
    return {name: value for name, value in config.items() if name != "env_args"} | {
        f"env-arg {name}": value for name, value in options.items()
    }


def without_password(value: Any) -> Any:
    """Return an address without its password; anything else unchanged."""
    if isinstance(value, str) and "://" in value:
        return redact_url(value)
    return value


def _name_and_hash(file: Path) -> str:
    """Return what tells whether `file` is still the same, wherever it lies."""
    return f"{file.name} {sha256(read_bytes(file)).hexdigest()[:16]}"


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def check_shots(number: int, place: str) -> None:
    """Raise UsageError if one of `--shots` and `--shots-from` is given without the other."""
    if number and not place:
        raise UsageError("--shots needs --shots-from: a run, or a file of examples")
    if place and not number:
        raise UsageError("--shots-from is for --shots")


def one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    """Raise UsageError unless the value of flag `name` is one of `known`."""
    if value not in known:
        raise UsageError(f"--{name} is {value!r}; use one of {', '.join(known)}")
