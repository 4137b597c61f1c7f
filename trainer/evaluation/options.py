"""Options of `trainer eval`: their fields are its flags. Importing them does not import torch."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainer.data.records import is_hub_id
from trainer.errors import TrainerError
from treegraft.ranges import SEED, check_ranges

_REFERENCES, _GENERAL = {"panel": "Against references"}, {"panel": "General ability"}
_JUDGES, _REPORT = {"panel": "Judges"}, {"panel": "Comparison and report"}


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalOptions:
    """What to measure a student on, and how.

    Attributes:
        env: A registered environment, module:Class or FILE.py:Class; or several, comma-separated.
        model: A directory, a hub id or smollm2; with --base-url, the endpoint's name for it.
        base_url: An OpenAI-compatible endpoint to ask, instead of loading the model.
        api: What the endpoint speaks: chat, or responses (OpenAI's Responses API).
        api_version: Azure OpenAI's api-version, such as 2024-10-21; --model names a deployment.
        data: Folder, or file, of the task data.
        split: Which split: train, dev, test.
        env_args: The environment's own options, by name.
        task_file: A file of tasks to play in place of the data's, as `engine make tasks` writes it.
        tasks: Task ids, comma-separated; or @FILE with one id per line.
        limit: Maximum number of tasks.
        quarantine: File of tasks to leave out, as `engine validate` writes it.
        strict: Refuse data that holds a bad record; else it is told and left out.
        sandbox: What confines the agent: auto, docker, bubblewrap, ...
        template: Prompt template: native, react, ...
        dialect: How tools are described: openai, lines, autogpt, toolbench, typescript.
        tool_noise: What is changed in the tools that the student sees: rename, shuffle, reword,
            drop, observe, distract:N, seed:N; several as a,b,c; or all (docs/robustness.md).
        perturb: Measure again with one thing changed at a time, and compare task by task: names,
            order, descriptions, dialect, observations, distractors (a,b,c).
        repair: What becomes of a call to a tool that does not exist: none, or nearest.
        depth: Maximum steps per task.
        max_reply_tokens: Maximum tokens per reply.
        temperature: Sampling temperature; 0 takes the likeliest token.
        samples: Independent attempts per task, for pass@k; needs --temperature.
        restarts: Times that an attempt starts anew after the student gave up.
        shots: Examples shown before each task: solved paths of other tasks and groups.
        shots_from: Where they are drawn from: a run, or a file (docs/mixing.md). Never a test
            split.
        concurrency: Tasks at once.
        fail_fast: Stop at the first task that fails, and show the traceback.
        seed: Random seed of sampling.
        format_only: Ask only the prompts of FILE, once each and without an example, and count the
            replies that follow the template's format. No environment is played; one that is named
            lends its tools.
        reference: An explored run, a file of SFT rows, a benchmark of `engine benchmark`, or
            KAgentBench's own file: the student is asked at each turn, and its replies are compared.
            Without --env nothing else is measured.
        fuzzy_weight: W in match = EM(tool) + W x ROUGE-L(thought and arguments).
        general_data: Held-out chat to report the loss on, in any format of docs/data.md.
        lm_eval: Tasks of lm-eval, comma-separated, if that is installed; repeatable.
        lm_eval_limit: Maximum documents per task of lm-eval.

    Raises:
        TrainerError: Options contradict each other.
    """

    env: str = ""
    model: str = ""
    base_url: str = ""
    api: str = "chat"
    api_version: str = field(
        default="", metadata={"default": "$OPENAI_API_VERSION where Azure needs it"}
    )
    data: str | None = field(default=None, metadata={"default": "the bundled tasks"})
    split: str | None = None
    env_args: Mapping[str, Any] = field(default_factory=dict, metadata={"hidden": True})
    task_file: Path | None = None
    tasks: str = ""
    limit: int | None = field(default=None, metadata={"min": 1})
    quarantine: Path | None = field(
        default=None, metadata={"default": "those in runs/ of the same tasks"}
    )
    strict: bool = False
    sandbox: str = "auto"
    template: str = "react"
    dialect: str = field(default="", metadata={"default": "the template's"})
    tool_noise: str = field(default="", metadata={"default": "none"})
    perturb: tuple[str, ...] = field(default=(), metadata={"comma": True, "default": "none"})
    repair: str = "none"
    depth: int = field(default=12, metadata={"min": 1})
    max_reply_tokens: int = field(default=256, metadata={"min": 1})
    temperature: float = field(default=0.0, metadata={"min": 0})
    samples: int = field(default=1, metadata={"min": 1})
    restarts: int = field(default=0, metadata={"min": 0})
    shots: int = field(default=0, metadata={"min": 0})
    shots_from: str = ""
    concurrency: int | None = field(
        default=None, metadata={"min": 1, "default": "32; with --base-url 8"}
    )
    fail_fast: bool = False
    seed: int = field(default=0, metadata=SEED)
    format_only: Path | None = None
    reference: Path | None = field(default=None, metadata=_REFERENCES)
    fuzzy_weight: float = field(default=1.0, metadata={"min": 0, **_REFERENCES})
    general_data: Path | None = field(default=None, metadata=_GENERAL)
    lm_eval: tuple[str, ...] = field(default=(), metadata=_GENERAL)
    lm_eval_limit: int | None = field(default=None, metadata={"min": 1, **_GENERAL})

    def __post_init__(self) -> None:
        check_ranges(self)
        self._check_student()
        if self.perturb:
            from trainer.evaluation.perturbations import check  # slow to import, for `--help`

            check(self)
        if (self.api != "chat" or self.api_version) and not self.base_url:
            raise TrainerError("--api and --api-version are for an endpoint: give its --base-url")
        if self.samples > 1 and not self.temperature:
            raise TrainerError("--samples needs a --temperature above 0, such as 0.8")
        if self.base_url and (self.general_data or self.lm_eval):
            flag = "--general-data" if self.general_data else "--lm-eval"
            raise TrainerError(f"{flag} needs a model in this process: leave out --base-url")
        if (file := self.general_data) and not (file.exists() or is_hub_id(file)):
            raise TrainerError(f"--general-data {file}: no such file")

    def _check_student(self) -> None:
        beside = [
            name
            for name in ("perturb", "reference", "general_data", "lm_eval")
            if getattr(self, name)
        ]
        flag = f"--{beside[0].replace('_', '-')}" if beside else ""
        if self.format_only and not self.model:
            raise TrainerError("--format-only asks a student: it needs --model")
        if self.format_only and (beside or self.samples > 1 or self.shots):
            also = flag or ("--shots" if self.shots else "--samples")
            raise TrainerError(f"--format-only measures nothing else: leave out {also}")
        if self.reference and self.shots:
            raise TrainerError("--reference asks without examples: leave out --shots")
        if self.tool_noise and (self.format_only or self.reference):
            flag = "--reference" if self.reference else "--format-only"
            raise TrainerError(f"{flag} shows the tools as they are: leave out --tool-noise")
        if self.dialect and self.reference:
            raise TrainerError("--reference shows what was written before: leave out --dialect")
        if self.reference and beside == ["reference"]:
            if not self.model:
                raise TrainerError("--reference asks a student: it needs --model")
        elif beside and not (self.env and self.model):
            raise TrainerError(f"{flag} asks a student: it needs --env and --model")

    @property
    def lm_eval_tasks(self) -> list[str]:
        """The names in `lm_eval`, one by one."""
        names = ",".join(self.lm_eval).split(",")
        return [name.strip() for name in names if name.strip()]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgementOptions:
    """Whose scores of trajectories to add to the reports.

    Attributes:
        judges: MODEL or MODEL@URL that scores each trajectory, 0 to 5; repeatable.
        sheet: Write a CSV file for people to score: blind, of all runs, shuffled.
        scores: A sheet that a person has filled in; repeatable.
        tooleval: MODEL or MODEL@URL that says as ToolEval does which answers pass, and which of the
            last run's answers win against the first run's.
        tooleval_votes: How often it is asked each question, at most.
        judge_budget_usd: US dollars for the judges of this command.
        judge_budget_calls: Requests to the judges of this command.
        judge_budget_tokens: Tokens for the judges of this command.

    Raises:
        TrainerError: A judge has no name, or two have the same one.
    """

    judges: tuple[str, ...] = field(default=(), metadata={"flag": "judge", **_JUDGES})
    sheet: Path | None = field(default=None, metadata=_JUDGES)
    scores: tuple[Path, ...] = field(default=(), metadata=_JUDGES)
    tooleval: str = field(default="", metadata={"default": "nobody", **_JUDGES})
    # As `answer_grader.VOTES`, whose module is too slow to import for `--help`.
    tooleval_votes: int = field(default=3, metadata={"min": 1, **_JUDGES})
    judge_budget_usd: float | None = field(default=None, metadata={"min": 0, **_JUDGES})
    judge_budget_calls: int | None = field(default=None, metadata={"min": 0, **_JUDGES})
    judge_budget_tokens: int | None = field(default=None, metadata={"min": 0, **_JUDGES})

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.tooleval:
            parse_judge(self.tooleval, "--tooleval")
        names = [parse_judge(spec)[0] for spec in self.judges] + [file.name for file in self.scores]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise TrainerError(f"--judge and --scores: two are called {twice[0]}; rename one")

    @property
    def requested(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.judges or self.scores or self.sheet or self.tooleval)

    @property
    def endpoints(self) -> list[tuple[str, str]]:
        """The judges, each with the flag that names it."""
        named = [("--judge", spec) for spec in self.judges]
        return [*named, ("--tooleval", self.tooleval)] if self.tooleval else named


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions:
    """Which earlier runs to show beside the new one, and which files to write.

    Attributes:
        compare: An earlier run to show beside the others; repeatable. Differences are the last
            run less the first.
        report: Write FILE.html or FILE.md too; repeatable.
    """

    compare: tuple[Path, ...] = field(default=(), metadata=_REPORT)
    report: tuple[Path, ...] = field(default=(), metadata=_REPORT)


def parse_judge(spec: str, flag: str = "--judge") -> tuple[str, str]:
    """Split MODEL or MODEL@URL into model and base URL ("" for the environment's).

    Raises:
        TrainerError: `spec` names no model.
    """
    found = re.fullmatch(r"(?P<model>.+?)(?:@(?P<url>https?://.+))?", spec)
    if found is None or spec.startswith("@"):
        raise TrainerError(f"{flag} {spec}: name a model, as MODEL or MODEL@http://HOST/v1")
    return found["model"], found["url"] or ""
