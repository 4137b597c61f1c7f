"""`engine export`: from runs to a file of rows."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from engine.errors import UsageError
from engine.export import formats
from engine.export.annotated import Marked
from engine.export.filters import Counts, Filter
from engine.export.leak_check import check
from engine.export.rows import Pairs, Row, RowBuilder
from engine.runs.annotations import Mark, fits, marks_file, read_marks, signatures, standing
from engine.runs.store import Store
from engine.templates import get as get_template
from engine.templates.base import Template, World
from environments.tools import Tool
from search.tree import Tree

Kind = Literal["sft", "dpo"]
Format = Literal["jsonl", "sharegpt", "toolbench"]


@dataclass(frozen=True, slots=True)
class Export:
    """What to make of the runs.

    templates: each row is written in one of them, chosen by its path; none for the one that the
        run was explored with.
    dialects: likewise, how the tools are described; none for the template's own way.
    pairs: of DPO rows.   format: "jsonl" is Parquet where the output is called *.parquet.
    mask_errors: of SFT rows, see `RowBuilder`.
    """

    kind: Kind
    wanted: Filter = field(default_factory=Filter)
    templates: tuple[str, ...] = ()
    dialects: tuple[str, ...] = ()
    pairs: Pairs = "step"
    format: Format = "jsonl"
    mask_errors: bool = False


def export(runs: Sequence[Path], output: Path, how: Export) -> Counts:
    """Write the rows of every run to `output`; nothing is written if one row is unfit.

    Raises:
        UsageError: a run does not exist, or the format cannot hold the rows.
        TemplateError: there is no such template or dialect, or they do not go together.
        LeakError: a row would hold a secret.
    """
    if how.format == "toolbench" and how.kind == "dpo":
        raise UsageError("ToolBench's format has no pairs; use --format jsonl or sharegpt")
    if how.format == "sharegpt" and how.kind == "dpo" and how.pairs == "trajectory":
        raise UsageError("ShareGPT pairs hold one message each; use --pairs step")
    if how.mask_errors and (how.kind == "dpo" or how.format != "jsonl"):
        raise UsageError("--mask-errors is for --to sft and --format jsonl: others know no weights")
    for run in runs:
        Store.open(run).close()
    counts = Counts()
    rows = (row for run in runs for row in _rows(run, how, counts))
    if how.format == "jsonl":
        formats.write(rows, output)
    elif how.format == "toolbench":
        formats.write_list(map(formats.toolbench, rows), output)
    else:
        formats.write_list(map(formats.sharegpt, rows), output)
        formats.write_dataset_info(output, ranking=how.kind == "dpo")
    return counts


def _rows(run: Path, how: Export, counts: Counts) -> Iterator[Row]:
    marks = _marks(run, how.wanted)
    with Store.open(run) as store:
        renderer = row_builder(run.resolve().name, store.meta(), how)
        for tree in store.trees():
            marked = _marked(tree, marks.pop(tree.task.id, ()), counts)
            wanted = replace(how.wanted, marked=marked)
            rows = (
                renderer.sft(tree, wanted, counts)
                if how.kind == "sft"
                else renderer.dpo(tree, wanted, counts, how.pairs)
            )
            fingerprints = store.fingerprints(tree.task.id)
            for row in rows:
                check(row, fingerprints)
                if _is_new(row, counts):
                    yield row
    counts.stale_marks += sum(map(len, marks.values()))


def _marks(run: Path, wanted: Filter) -> dict[str, list[Mark]]:
    """The marks on a run by task, where they matter."""
    if not wanted.exclude_marked and wanted.min_mark is None:
        return {}
    return standing(read_marks(marks_file(run)))


def _marked(tree: Tree, marks: Sequence[Mark], counts: Counts) -> Marked:
    if not marks:
        return Marked()
    known = signatures(tree)
    holding = [mark for mark in marks if fits(mark, known)]
    counts.stale_marks += len(marks) - len(holding)
    return Marked.of(holding)


def _is_new(row: Row, counts: Counts) -> bool:
    """Count `row`; False where another run brought an equal one."""
    told = [row.get(column) for column in ("messages", "prompt", "chosen", "rejected")]
    digest = hashlib.sha256(json.dumps(told).encode()).digest()
    if digest in counts.seen:
        counts.dropped["duplicate"] += 1
        return False
    counts.seen.add(digest)
    counts.rows += 1
    return True


def row_builder(run: str, meta: Mapping[str, Any], how: Export) -> RowBuilder:
    """Renders the trees of the run in folder `run`, whose `Store.meta` is `meta`."""
    config, world = meta["config"], meta["world"]
    # ToolBench's files know no tool calls beside the text.
    default = "toolllama" if how.format == "toolbench" else config["template"]
    tools = tuple(Tool(*tool) for tool in world["tools"])
    kept = {config["template"]: meta.get("template", "")}
    styles = _styles(how, how.templates or (default,), kept)
    return RowBuilder(
        run, config["env"], World(world["instructions"], tools), styles, how.mask_errors
    )


def _styles(how: Export, names: Sequence[str], kept: Mapping[str, str]) -> tuple[Template, ...]:
    """Every template in every dialect; `native` has none.

    kept: the text of the file that the run was explored with, by its name.
    """
    return tuple(
        get_template(name, dialect, kept.get(name, ""))
        for name in names
        for dialect in (how.dialects if how.dialects and name != "native" else ("",))
    )
