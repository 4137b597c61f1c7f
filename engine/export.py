"""`engine export`: from runs to a file of rows."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from engine.errors import UsageError
from engine.rows import formats
from engine.rows.check import check
from engine.rows.paths import Counts, Filter
from engine.rows.render import Pairs, Renderer, Row
from engine.store import Store
from engine.templates import get as get_template
from engine.templates.base import Template, World
from environments.tools import Tool

Kind = Literal["sft", "dpo"]
Format = Literal["jsonl", "sharegpt", "toolbench"]


@dataclass(frozen=True, slots=True)
class Export:
    """What to make of the runs.

    templates: each row is written in one of them, chosen by its path; none for the one that the
        run was explored with.
    dialects: likewise, how the tools are described; none for the template's own way.
    pairs: of DPO rows.   format: "jsonl" is Parquet where the output is called *.parquet.
    """

    kind: Kind
    wanted: Filter = field(default_factory=Filter)
    templates: tuple[str, ...] = ()
    dialects: tuple[str, ...] = ()
    pairs: Pairs = "step"
    format: Format = "jsonl"


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
    with Store.open(run) as store:
        renderer = _renderer(run.resolve().name, store.meta(), how)
        for tree in store.trees():
            rows = (
                renderer.sft(tree, how.wanted, counts)
                if how.kind == "sft"
                else renderer.dpo(tree, how.wanted, counts, how.pairs)
            )
            marks = store.secret_marks(tree.task.id)
            for row in rows:
                check(row, marks)
                if _is_new(row, counts):
                    yield row


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


def _renderer(run: str, meta: dict[str, Any], how: Export) -> Renderer:
    config, world = meta["config"], meta["world"]
    # ToolBench's files know no tool calls beside the text.
    default = "toolllama" if how.format == "toolbench" else config["template"]
    tools = tuple(Tool(*tool) for tool in world["tools"])
    kept = {config["template"]: meta.get("template", "")}
    styles = _styles(how, how.templates or (default,), kept)
    return Renderer(run, config["env"], World(world["instructions"], tools), styles)


def _styles(how: Export, names: Sequence[str], kept: Mapping[str, str]) -> tuple[Template, ...]:
    """Every template in every dialect; `native` has none.

    kept: the text of the file that the run was explored with, by its name.
    """
    return tuple(
        get_template(name, dialect, kept.get(name, ""))
        for name in names
        for dialect in (how.dialects if how.dialects and name != "native" else ("",))
    )
