"""The options that tables of the TOML file take: those of the command that a table stands for."""

from engine.cli.env_flags import EnvFlags
from engine.cli.explore import RENAMED as EXPLORE_RENAMED
from engine.cli.explore import ExploreFlags, SearchFlags
from engine.cli.flags import flag_fields
from engine.cli.option_table import CommandOptions
from engine.config import Config
from engine.credit.settings import CreditSettings
from engine.export.export import ExportSettings
from engine.export.filters import Filters
from engine.export.value_rules import ValueRules
from engine.runs.build_executor import Resources, RunBudget
from search import TaskBudget
from trainer.evaluation.options import EvalOptions, JudgementOptions
from trainer.serving.options import ServeOptions
from trainer.training.options import DpoOptions, SftOptions

_WORLD = {"env", "data", "split", "env_args", "env_arg", "sandbox", "unsafe", "tasks", "limit"}
_RUN = (
    _WORLD
    | {"template", "output", "out", "base_url"}
    | {each.name for each in flag_fields(EnvFlags)}
)
_STUDENT = {"student", "student_threshold", "student_template"}
_TRAINING = {"model", "dataset", "output", "resume_from_checkpoint", "overwrite_output_dir"}
_TRAINING_RENAMED = {"model_name_or_path": "model", "output_dir": "output"}


EXPLORE = CommandOptions(
    "engine explore",
    (Config, ExploreFlags, SearchFlags, TaskBudget, RunBudget, Resources),
    frozenset(_RUN | _STUDENT | {"journal", "quarantine", "teacher"}),
    {old.replace("-", "_"): new.replace("-", "_") for old, new in EXPLORE_RENAMED.items()},
)
CREDIT = CommandOptions(
    "engine credit",
    (CreditSettings, RunBudget, Resources),
    frozenset(_RUN | {"policy", "task_file", "shots_from", "journal"}),
)
EXPORT = CommandOptions(
    "engine export",
    (Filters, ValueRules, ExportSettings),
    frozenset({"output", "to", "kind", "filters", "format"}),
    {"templates": "template", "dialects": "dialect"},
)
SFT = CommandOptions("trainer sft", (SftOptions,), frozenset(_TRAINING), _TRAINING_RENAMED)
DPO = CommandOptions("trainer dpo", (DpoOptions,), frozenset(_TRAINING), _TRAINING_RENAMED)
EVAL = CommandOptions(
    "trainer eval",
    (EvalOptions, JudgementOptions),
    frozenset(_RUN | {"model", "compare", "report", "reference", "sheet", "scores", "quarantine"}),
    {"max_tokens": "max_reply_tokens"},
)
SERVE = CommandOptions(
    "trainer serve",
    (ServeOptions,),
    frozenset({"model", "name", "host", "port", "key", "api_key", "until_stdin_closes"}),
    renamed_values={("backend", "own"): "builtin"},
)
