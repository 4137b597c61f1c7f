"""Export: from the trees of runs to rows, in memory or in a file."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal, get_args

from engine.config import check_shots, one_of
from engine.errors import UsageError
from engine.export.filters import NO_ANNOTATIONS, Counts, Filters, is_json, passing_leaves
from engine.export.formats import Format, check_name, write_rows
from engine.export.leak_check import check_row
from engine.export.mixing import Mixing, RestartsIn, parse_mix
from engine.export.negatives import balanced
from engine.export.pairs import By, Pair, PairKind, find_pairs
from engine.export.pruned import PrunedTree
from engine.export.rows import Row, RowBuilder
from engine.runs.annotations import (
    Annotation,
    TreeAnnotations,
    annotations_file,
    current_annotations,
    path_signatures,
    read_annotations,
)
from engine.runs.fingerprints import contains_secret
from engine.runs.judgements import read_judgements, with_judgements
from engine.runs.shots import read_shots
from engine.runs.store import Store
from engine.templates.tool_noise import ToolNoise
from environments.types import is_finite
from search.tree import Tree
from treegraft.ranges import SEED, check_ranges
from treegraft.write_files import check_writable

Kind = Literal["sft", "dpo"]
ROWS = ("conversation", "per_call")


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """What to make of runs.

    Attributes:
        kind: Rows to write: sft (successful paths) or dpo (pairs of success and failure).
        filters: Which paths become rows.
        templates: How messages are written. Of several (a,b,c), each row takes one, chosen by its
            path.
        dialects: How tools are described: openai, lines, autogpt, toolbench, typescript. Of
            several (a,b,c), each row takes one.
        tool_noise: What is changed in the tools that rows show, as `engine explore --tool-noise`
            takes it; none for the true ones.
        pairs: Pairs in DPO rows: step (one action each) or trajectory (to the end of each path).
        format: File format: jsonl, sharegpt or toolbench; jsonl writes Parquet if the file is
            called *.parquet. The other two have no weights, so SFT rows that hold a reply that was
            cut off are left out of them.
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
        self._check_judged()
        if self.format == "toolbench" and self.kind == "dpo":
            raise UsageError("ToolBench's format has no pairs; use --format jsonl or sharegpt")
        if self.format == "sharegpt" and self.kind == "dpo" and self.pairs == "trajectory":
            raise UsageError("ShareGPT pairs hold one message each; use --pairs step")
        one_of("rows", self.rows, ("", *ROWS))
        if self.rows and self.kind == "dpo":
            raise UsageError("--rows is for --to sft")
        if self.mask_errors and (self.kind == "dpo" or self.format != "jsonl"):
            raise UsageError(
                "--mask-errors is for --to sft and --format jsonl: the others have no weights"
            )

    def _check_judged(self) -> None:
        if self.kind == "dpo" and self.prune_detours:
            raise UsageError("--prune-detours is for --to sft: a pair parts at one step")
        if self.kind == "sft" and (self.by != "reward" or self.filters.margin is not None):
            raise UsageError("--by and --margin are for --to dpo")

    @property
    def use_judgements(self) -> bool:
        """Whether the scores of `engine judge` are needed."""
        scored = self.filters.min_step_score is not None
        return scored or self.by == "judge" or self.prune_detours

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


def export(runs: Sequence[Path], output: Path, settings: ExportSettings) -> Counts:
    """Write the rows of `runs` to the file `output`.

    The file appears only when every row is written: if one row leaks, nothing is.

    Raises:
        UsageError: a run does not exist, or the file cannot be written.
        TemplateError: no such template or dialect, or the two do not go together.
        LeakError: a row would show a secret.
    """
    check_name(output, settings.format)
    check_writable(output)
    counts = Counts()
    rows = export_rows(runs, settings, counts)
    write_rows(rows, output, settings.format, ranking=settings.kind == "dpo")
    return counts


def export_rows(
    runs: Sequence[Path], settings: ExportSettings, counts: Counts | None = None
) -> Iterator[Row]:
    """Return the rows of `runs` one at a time, as `--format jsonl` holds them.

    Of the settings' format, only its default template matters here. `counts` is updated while the
    rows are read.

    Raises:
        UsageError: a run does not exist.
        TemplateError: no such template or dialect, or the two do not go together; when the first
            row is read.
        LeakError: a row would show a secret; when that row is read.
    """
    for run in runs:
        Store.open(run).close()
    counts, mixing = Counts() if counts is None else counts, settings.mixing()
    rows = (row for run in runs for row in _run_rows(run, settings, counts, mixing))
    return balanced(_unique(rows, counts), settings.negatives, settings.seed, counts)


def _unique(rows: Iterator[Row], counts: Counts) -> Iterator[Row]:
    """Yield and count the rows that differ from all earlier ones, whatever run they are from."""
    seen: set[bytes] = set()
    for row in rows:
        content = [row.get(column) for column in ("messages", "prompt", "chosen", "rejected")]
        digest = hashlib.sha256(json.dumps(content, allow_nan=False).encode()).digest()
        if digest in seen:
            counts.dropped["duplicate"] += 1
        else:
            seen.add(digest)
            counts.rows += 1
            counts.forms[row["form"]] += 1
            yield row


def _run_rows(run: Path, settings: ExportSettings, counts: Counts, mixing: Mixing) -> Iterator[Row]:
    annotations: dict[str, list[Annotation]] = {}
    if settings.filters.use_annotations:
        annotations = current_annotations(read_annotations(annotations_file(run)))
    judged = read_judgements(run) if settings.use_judgements else {}
    # ToolBench's files hold text only, so the default is a template without native tool calls.
    templates = settings.templates or (("toolllama",) if settings.format == "toolbench" else ())
    with Store.open(run) as store:
        builder = RowBuilder.for_run(
            run.resolve().name,
            store.meta(),
            templates,
            settings.dialects,
            settings.mask_errors,
            settings.tool_noise,
        )
        for tree in store.trees():
            counts.trees += 1
            on_tree = _annotations_on(tree, annotations.pop(tree.task.id, ()), counts)
            fingerprints = store.fingerprints(tree.task.id)
            shows = partial(contains_secret, known=fingerprints)
            own = replace(builder, mixing=mixing, shows=shows, secrets=fingerprints)
            on_tree = with_judgements(on_tree, tree, judged.get(tree.task.id, ()))
            if settings.prune_detours:
                tree = PrunedTree.of(tree, on_tree.detours)
            else:
                on_tree = replace(on_tree, detours={})
            for row, shown in _tree_rows(tree, own, settings, on_tree, counts):
                check_row(shown, fingerprints)
                yield row
    counts.stale_annotations += sum(map(len, annotations.values()))


def _tree_rows(
    tree: Tree,
    builder: RowBuilder,
    settings: ExportSettings,
    annotations: TreeAnnotations,
    counts: Counts,
) -> Iterator[tuple[Row, Row]]:
    """Yield each row, and what to check for secrets: in one prompt per call, its conversation.

    Such a prompt quotes what the agent wrote, so the prompt alone does not show who did.
    """
    if settings.kind == "dpo":
        for pair, row in pair_rows(tree, builder, settings, annotations, counts):
            per_call = settings.pairs == "step" and builder.is_per_call(tree, pair.chosen_leaf)
            yield row | (builder.pair_of_calls(tree, pair) if per_call else {}), row
        return
    for leaf in passing_leaves(tree, settings.filters, counts, annotations):
        shown = builder.sft_row(tree, leaf)
        per_call = not settings.rows and builder.is_per_call(tree, leaf)
        calls = per_call or settings.rows == "per_call"
        for row in builder.call_rows(tree, leaf) if calls else [shown]:
            if why := _why_useless(row, settings.format):
                counts.dropped[why] += 1
            else:
                yield row, shown


def pair_rows(
    tree: Tree,
    builder: RowBuilder,
    settings: ExportSettings,
    annotations: TreeAnnotations,
    counts: Counts,
) -> Iterator[tuple[Pair, Row]]:
    """Yield the pairs of `tree` and their rows; count pairs whose halves read the same."""
    kind = settings.pairs
    for pair in find_pairs(tree, settings.filters, counts, kind, annotations, settings.by):
        lost = tree.path((pair.rejected if kind == "step" else pair.rejected_leaf).id)
        row = builder.dpo_row(tree, pair, kind)
        if not (all(map(is_json, lost)) and is_finite(row)):
            counts.dropped["not finite"] += 1
        elif row["chosen"][0] == row["rejected"][0] and _same_action(row, kind):
            # What comes after the two actions is no choice of the agent's.
            counts.dropped["equal halves"] += 1
        else:
            yield pair, row


def _same_action(row: Row, kind: PairKind) -> bool:
    """Return whether halves that begin alike hold one action: an answer may be two messages."""
    return kind == "trajectory" or bool(row["chosen"] == row["rejected"])


def _why_useless(row: Row, format: Format) -> str:
    """Return why nobody can train on an SFT row, in a few words; "" if it can be trained on."""
    if not is_finite(row):
        return "not finite"
    weights = [m.get("weight") for m in row["messages"] if m["role"] == "assistant"]
    if not any(weight != 0 for weight in weights):
        return "nothing to train"
    # Only JSON lines and Parquet have weights.
    why = "needs weights" if row["call"] else "incomplete"
    return why if 0 in weights and format != "jsonl" else ""


def _annotations_on(
    tree: Tree, annotations: Sequence[Annotation], counts: Counts
) -> TreeAnnotations:
    """Return those of `annotations` whose nodes `tree` still has; count the others."""
    if not annotations:
        return NO_ANNOTATIONS
    signatures = path_signatures(tree)
    matching = [annotation for annotation in annotations if annotation.matches(signatures)]
    counts.stale_annotations += len(annotations) - len(matching)
    return TreeAnnotations.of(matching)
