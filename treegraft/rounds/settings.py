"""The TOML file of a run of rounds: each table is a class here, each key a field.

The options of a command stand in the table of its name; `command_options` knows which there are.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from engine.cli.env_flags import EnvFlags
from engine.cli.flags import flag_fields
from engine.cli.option_table import (
    CommandOptions,
    Options,
    nearest,
    read_toml,
    underscored,
    what_is_wrong,
)
from engine.errors import UsageError
from treegraft.rounds.command_options import (
    CREDIT,
    DPO,
    EVAL,
    EXPLORE,
    EXPORT,
    SERVE,
    SFT,
)

ExploreOptions = Annotated[Options, BeforeValidator(EXPLORE.read)]
ExportOptions = Annotated[Options, BeforeValidator(EXPORT.read)]
TrainingOptions = Annotated[Options, BeforeValidator(SFT.read)]
DpoTrainingOptions = Annotated[Options, BeforeValidator(DPO.read)]
ServerOptions = Annotated[Options, BeforeValidator(SERVE.read)]

CreditTable = Annotated[Options, BeforeValidator(CREDIT.read)]
EvaluationOptions = Annotated[Options, BeforeValidator(EVAL.read)]

Method = Literal["teacher", "rft", "rft-dpo"]
METHODS: tuple[str, ...] = get_args(Method)
"""Who searches, and what is trained (docs/rounds.md)."""

_MOVED = {
    ("student", "serve"): ("serve",),
    ("train", "sft"): ("sft",),
    ("train", "dpo"): ("dpo",),
    ("evaluate",): ("eval",),
}
"""Tables of version 0.1, and where they stand now."""


class Table(BaseModel):
    """A table of the file. Keys may have hyphens or underscores.

    Attributes:
        renamed: Old key to new key.
        command: The command whose options the table holds beside its own keys, in `options`.
    """

    model_config = ConfigDict(frozen=True, protected_namespaces=())
    renamed: ClassVar[Mapping[str, str]] = {}
    command: ClassVar[CommandOptions | None] = None

    @model_validator(mode="before")
    @classmethod
    def _sort_keys(cls, table: Any) -> Any:
        """Rename old keys, and refuse unknown ones unless they are options of the command."""
        if not isinstance(table, Mapping):
            raise ValueError("must be a table")
        named = {underscored(key): value for key, value in table.items()}
        named = {cls.renamed.get(key, key): value for key, value in named.items()}
        known = cls.model_fields.keys() - ({"options"} if cls.command else set())
        rest = {key: value for key, value in named.items() if key not in known}
        own = {key: value for key, value in named.items() if key in known}
        if cls.command:
            return {**own, "options": cls.command.read(rest)}
        for key in rest:
            raise ValueError(f"has no key {key!r}{nearest(key, known)}")
        return own


class TaskSettings(Table):
    """[tasks]: the tasks to search and train on, and the held-out tasks that only measure.

    Attributes:
        env: An environment, as `engine explore --env` takes it.
        data: Folder or file of the task data.
        train: Split to search and train on.
        held_out: Split that measures.
        held_out_data: Data of the held-out tasks, if not `data`.
        train_tasks: Ids of the train tasks, as --tasks takes them; "" for all of the split.
        held_out_tasks: Ids of the held-out tasks; "" for all of the split.
        train_limit: Maximum number of train tasks.
        held_out_limit: Maximum number of held-out tasks.
        sandbox: What confines the agent.
        unsafe: Allow a sandbox that confines nothing.
        shared_groups: Allow a group (a database, a product) on both sides.
        shared_questions: Allow the words of a question on both sides, if the tasks differ
            otherwise (each in a world of its own).
        env_args: The environment's own options.
    """

    renamed: ClassVar[Mapping[str, str]] = {"options": "env_args"}

    env: str
    data: str | None = None
    train: str | None = "train"
    held_out: str | None = "test"
    held_out_data: str | None = None
    train_tasks: str = ""
    held_out_tasks: str = ""
    train_limit: int | None = Field(default=None, ge=1)
    held_out_limit: int | None = Field(default=None, ge=1)
    sandbox: str = "auto"
    unsafe: bool = False
    shared_groups: bool = False
    shared_questions: bool = False
    env_args: Options = {}

    @model_validator(mode="before")
    @classmethod
    def _collect_env_args(cls, table: Any) -> Any:
        """Move options of the bundled environments (schema, goals, ...) to `env_args`."""
        if not isinstance(table, Mapping):
            return table
        known = {each.name for each in flag_fields(EnvFlags) if each.metadata.get("old")}
        found = {key: value for key, value in table.items() if key in known}
        rest = {underscored(key): value for key, value in table.items() if key not in known}
        given = rest.pop("env_args", None) or rest.pop("options", {})
        return {**rest, "env_args": {**given, **found} if isinstance(given, Mapping) else given}


class StudentSettings(Table):
    """[student]: the model that is trained.

    Attributes:
        model: Directory, hub id or "smollm2".
        template: Template in which it acts, learns and is measured.
        threshold: If set, student and teacher search each task together from round 2 on: the
            student acts, and the teacher acts where the student's mean log-probability, in nats per
            token, is lower. None: the student searches alone, then the teacher searches what the
            student did not solve.
    """

    renamed: ClassVar[Mapping[str, str]] = {
        "swift_threshold": "threshold",
        "student_threshold": "threshold",
    }

    model: str
    template: str = "react"
    threshold: float | None = Field(default=None, le=0)


class TeacherSettings(Table):
    """[teacher]: the model that demonstrates.

    Attributes:
        model: Name of a model; "demonstration" needs no key.
        base_url: Its endpoint; "" for $OPENAI_BASE_URL.
        template: How its messages are written.
    """

    model: str = "demonstration"
    base_url: str = ""
    template: str = "native"


class ExploreSettings(Table):
    """[explore]: options of `engine explore`; budgets (budget_usd, ...) are per search.

    Attributes:
        options: Options of all searches. Round n adds n - 1 to the seed.
        student: Options of the student's search; they override `options`.
        untrained: Options of the student's search before its first training, with a method that
            has no teacher; they override `student`.
        teacher: Options of the teacher's search; they override `options`.
    """

    command: ClassVar[CommandOptions | None] = EXPLORE

    options: Options = {}
    untrained: ExploreOptions = {}
    student: ExploreOptions = {}
    teacher: ExploreOptions = {}


class ExportTables(Table):
    """[export.sft] and [export.dpo]: options of `engine export`."""

    sft: ExportOptions = {}
    dpo: ExportOptions = {}


class TrainSettings(Table):
    """[train]: how a round trains.

    Attributes:
        start: "base" trains the original model in every round, "last" the student of the round
            before. Either way on the rows of all rounds.
        least_pairs: DPO follows SFT from this number of pairs on; 0 for never.
        tokens: Tokens that the loss sees in a round, in SFT and DPO together; None for what the
            options of the two say.
        dpo_share: Share of `tokens` that DPO takes, if it follows.
    """

    start: Literal["base", "last"] = "base"
    least_pairs: int = Field(default=16, ge=0)
    tokens: int | None = Field(default=None, ge=2)
    dpo_share: float = Field(default=0.25, gt=0, lt=1)


class EvalSettings(Table):
    """[eval]: options of `trainer eval`.

    Attributes:
        base: Measure the student before its first training, too.
        served: Ask the student through `trainer serve`, instead of loading it to measure it.
        options: Options of the command.
        untrained: Options of the measurement before the first training; they override `options`.
    """

    command: ClassVar[CommandOptions | None] = EVAL

    base: bool = True
    served: bool = False
    options: Options = {}
    untrained: EvaluationOptions = {}


class RoundsSettings(Table):
    """[rounds]: what a round does, and when to stop.

    Attributes:
        method: "teacher": a teacher demonstrates, and the student learns from both by SFT and DPO.
            "rft": the student learns by SFT from its own successes alone (rejection-sampling
            fine-tuning). "rft-dpo": the same, then DPO on its own successes and failures.
        number: Number of rounds.
        least_gain: Stop after a round whose held-out solve rate, 0 to 1, is not higher than the
            last by this much; None for never.
        failures: Share of a step's tasks, 0 to 1, that may fail; the run stops if more do.
    """

    method: Method = "teacher"
    number: int = Field(default=3, ge=1)
    least_gain: float | None = Field(default=None, ge=-1, le=1)
    failures: float = Field(default=0.5, ge=0, le=1)

    @property
    def taught(self) -> bool:
        """Whether there is a teacher."""
        return self.method == "teacher"

    @property
    def pairs(self) -> bool:
        """Whether pairs are written, and DPO may follow SFT."""
        return self.method != "rft"


class Settings(Table):
    """The whole file."""

    tasks: TaskSettings
    student: StudentSettings
    teacher: TeacherSettings = TeacherSettings()
    explore: ExploreSettings = ExploreSettings()
    credit: CreditTable | None = None
    export: ExportTables = ExportTables()
    train: TrainSettings = TrainSettings()
    sft: TrainingOptions = {}
    dpo: DpoTrainingOptions = {}
    eval: EvalSettings = EvalSettings()
    serve: ServerOptions = {}
    rounds: RoundsSettings = RoundsSettings()


def read(file: Path) -> Settings:
    """Read the settings in a file.

    Raises:
        UsageError: The file cannot be read, or a key is wrong: the file, the table and the key.
    """
    content = read_toml(file)
    try:
        return parse(content)
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from None


def parse(content: Mapping[str, Any]) -> Settings:
    """Return the settings in a file's content.

    Raises:
        UsageError: A table or a key is unknown, missing, or has a wrong value.
    """
    try:
        return Settings.model_validate(_moved(content))
    except ValidationError as error:
        raise UsageError(_line(error)) from None


def _moved(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content with the tables of version 0.1 where they stand now."""
    moved = {
        key: dict(value) if isinstance(value, dict) else value for key, value in content.items()
    }
    for old, new in _MOVED.items():
        *parents, name = old
        table: Any = moved
        for parent in parents:
            table = table.get(parent)
        if isinstance(table, dict) and name in table:
            if new[0] in moved:
                raise UsageError(f"[{'.'.join(old)}] is the old name of [{new[0]}]: keep one")
            moved[new[0]] = table.pop(name)
    return moved


def _line(error: ValidationError) -> str:
    """Return the first mistake: table, key, and what is wrong."""
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    reason = first.get("ctx", {}).get("error")
    if first["type"] == "missing":
        return (
            f"[{place[0]}] needs {place[1]}" if place[1:] else f"the table [{place[0]}] is missing"
        )
    if reason is not None:
        return f"[{'.'.join(place)}] {reason}" if place else f"the file {reason}"
    return f"[{place[0]}] {what_is_wrong(error, 1)}"
