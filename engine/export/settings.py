"""Settings of an export: which rows to make of runs, and what does not go together."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from engine.config import check_shots, one_of
from engine.errors import UsageError
from engine.export.filters import Filters
from engine.export.formats import Format
from engine.export.mixing import Mixing, RestartsIn, parse_mix
from engine.export.pairs import BY_VALUE, By, PairKind
from engine.export.value_rules import ValueRules
from engine.runs.shots import read_shots
from engine.templates.tool_noise import ToolNoise
from treegraft.ranges import SEED, check_ranges

Kind = Literal["sft", "dpo", "prm"]
ROWS = ("conversation", "per_call")


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """What to make of runs.

    Attributes:
        kind: Rows to write: sft (successful paths), dpo (pairs of success and failure) or prm
            (paths whose steps are labelled right or wrong).
        filters: Which paths become rows.
        values: What to make of the values of states.
        templates: How messages are written. Of several (a,b,c), each row takes one, chosen by its
            path.
        dialects: How tools are described: openai, lines, autogpt, toolbench, typescript. Of
            several (a,b,c), each row takes one.
        tool_noise: What is changed in the tools that rows show, as `engine explore --tool-noise`
            takes it; none for the true ones.
        pairs: Pairs in DPO rows: step (one action each), trajectory (to the end of each path),
            value (one action each, by what `engine credit` found them worth) or boundary (those of
            them whose rejected action is one that the policy often takes).
        format: File format: jsonl, sharegpt or toolbench; jsonl writes Parquet if the file is
            called *.parquet. sharegpt and toolbench have no weights, so SFT rows that hold a reply
            that was cut off are left out of them. atif writes a folder with each path, failed or
            not, as a trajectory.
        mask_errors: Show actions that failed with an error, but do not train on them (sft, jsonl).
        by: What says which of two actions is better, in DPO rows: reward, or judge (the scores of
            `engine judge`).
        prune_detours: Leave out the steps that a successful path does not need, as `engine judge`
            has proven by playing it without them (sft).
        shots: Examples before the task of a row, not trained: solved paths of other tasks and
            groups.
        shots_from: Where they are drawn from: a run, or a file (docs/mixing.md). Never a test
            split.
        mix: Forms of rows and their weights, such as zero:0.5,few:0.3,thoughtless:0.2; each row
            takes one, by its path. The column form says which.
        restarts: What becomes of attempts at which the agent gave up to start anew: none leaves
            them out; context puts them before the path, not trained; path trains giving up, too.
        reflections_in_rows: Put the reflections that a path saw before it.
        negatives: Most negatives among the rows, where there are other rows: a share. Negatives are
            tasks in which no call is right (`engine make negatives`).
        seed: Random seed of the draw of examples and negatives, and of the choice of forms.
        rows: What an SFT row holds: conversation (a path), or per_call (one model call: the request
            and its reply, for templates with one prompt per call).

    Raises:
        UsageError: A value is unknown, or the format cannot hold such rows.
    """

    kind: Kind = field(default="sft", metadata={"flag": "to", "type": str})
    filters: Filters = field(default_factory=Filters, metadata={"hidden": True})
    values: ValueRules = field(default_factory=ValueRules, metadata={"hidden": True})
    templates: tuple[str, ...] = field(
        default=(), metadata={"flag": "template", "comma": True, "default": "the run's"}
    )
    dialects: tuple[str, ...] = field(
        default=(), metadata={"flag": "dialect", "comma": True, "default": "the template's"}
    )
    tool_noise: str = field(default="", metadata={"default": "the run's"})
    pairs: PairKind = field(default="step", metadata={"type": str})
    format: Format = field(default="jsonl", metadata={"type": str})
    mask_errors: bool = False
    by: By = field(default="reward", metadata={"type": str})
    prune_detours: bool = False
    shots: int = field(default=0, metadata={"min": 0})
    shots_from: str = ""
    mix: tuple[str, ...] = field(
        default=(), metadata={"comma": True, "default": "zero; with --shots few"}
    )
    restarts: RestartsIn = field(default="none", metadata={"type": str})
    reflections_in_rows: bool = False
    negatives: float = field(default=0.2, metadata={"min": 0, "max": 1})
    seed: int = field(default=0, metadata=SEED)
    rows: str = field(default="", metadata={"default": "what the template sends"})

    def __post_init__(self) -> None:
        ToolNoise.parse(self.tool_noise)
        check_ranges(self)
        self._check_mixing()
        one_of("to", self.kind, get_args(Kind))
        one_of("pairs", self.pairs, get_args(PairKind))
        one_of("format", self.format, get_args(Format))
        one_of("by", self.by, get_args(By))
        one_of("rows", self.rows, ("", *ROWS))
        for wrong in (*self._wrong_for_kind(), *self._wrong_for_values()):
            raise UsageError(wrong)
        if self.format == "atif" and replace(self, format="jsonl") != ExportSettings():
            raise UsageError("--format atif writes every path as it was; leave out what makes rows")

    def _wrong_for_kind(self) -> Iterator[str]:
        """Yield what does not go together with the kind and the format of the rows."""
        sft, jsonl = self.kind == "sft", self.format == "jsonl"
        if self.prune_detours and not sft:
            yield "--prune-detours is for --to sft: a pair parts at one step"
        margin = self.filters.margin is not None and not self.values.recovery
        if self.kind != "dpo" and (self.by != "reward" or margin):
            yield "--by and --margin are for --to dpo"
        if self.format == "toolbench" and self.kind == "dpo":
            yield "ToolBench's format has no pairs; use --format jsonl or sharegpt"
        if self.format == "sharegpt" and self.kind == "dpo" and self.pairs == "trajectory":
            yield "ShareGPT pairs hold one message each; use --pairs step"
        if self.rows and not sft:
            yield "--rows is for --to sft"
        if self.mask_errors and not (sft and jsonl):
            yield "--mask-errors is for --to sft and --format jsonl: the others have no weights"

    def _wrong_for_values(self) -> Iterator[str]:
        """Yield what does not go together with the values of states."""
        filters, given = self.filters, " and ".join(self.values.sft_flags)
        sft, jsonl, by_value = self.kind == "sft", self.format == "jsonl", self.pairs in BY_VALUE
        if by_value and self.kind != "dpo":
            yield f"--pairs {self.pairs} is for --to dpo"
        of_paths = (filters.per_task, filters.min_mark, filters.min_step_score)
        if by_value and (self.by != "reward" or filters.corrected or any(map(_given, of_paths))):
            yield (
                f"--pairs {self.pairs} compares actions by their values: leave out --by, "
                "--corrected, --per-task, --min-mark and --min-step-score"
            )
        if given and not (sft and jsonl):
            yield f"{given}: for --to sft and --format jsonl, which have weights"
        if self.prune_detours and self.values.recovery:
            yield "--prune-detours would leave out the wrong turns that --recovery shows"
        if self.kind == "prm" and not jsonl:
            yield "--to prm is for --format jsonl: the others have no labels"
        if self.kind == "prm" and "native" in self.templates:
            yield "--to prm holds text, which native has none of; use another --template"

    @property
    def use_judgements(self) -> bool:
        """Whether the scores of `engine judge` are needed."""
        scored = self.filters.min_step_score is not None
        return scored or self.by == "judge" or self.prune_detours

    @property
    def use_values(self) -> bool:
        """Whether the values of states are needed, which `engine credit` finds."""
        return self.kind == "prm" or self.pairs in BY_VALUE or self.values.weigh_by_value

    def _check_mixing(self) -> None:
        check_shots(self.shots, self.shots_from)
        one_of("restarts", self.restarts, get_args(RestartsIn))
        mix = parse_mix(self.mix)
        if mix and bool(mix.get("few")) != bool(self.shots):
            raise UsageError("--mix with few needs --shots, and --shots needs few in --mix")
        if self.format != "jsonl" and (self.shots or self.restarts != "none"):
            flag = "--shots" if self.shots else "--restarts"
            raise UsageError(f"{flag} is for --format jsonl: the others have no weights")

    def mixing(self) -> Mixing:
        """Return what stands before the paths of rows; reads the examples.

        Raises:
            UsageError: There are none, or one is of a test split.
        """
        shots = read_shots(self.shots, self.shots_from, self.seed)
        mix, reflections = parse_mix(self.mix), self.reflections_in_rows
        return Mixing(mix, shots, self.restarts, reflections, self.seed)


def _given(option: object) -> bool:
    return option is not None
