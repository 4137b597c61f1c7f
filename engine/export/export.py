"""Export: from the trees of runs to rows, in memory or in a file."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from engine.errors import UsageError
from engine.export.filters import NO_ANNOTATIONS, Counts
from engine.export.formats import check_name, write_rows
from engine.export.leak_check import check_row
from engine.export.mixing import Mixing
from engine.export.negatives import balanced
from engine.export.pruned import PrunedTree
from engine.export.rows import Row, RowBuilder
from engine.export.settings import ExportSettings, Kind
from engine.export.tree_rows import pair_rows, tree_rows
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
from engine.runs.store import Store
from search import PLAYED_ON
from search.tree import Tree
from treegraft.write_files import check_writable

__all__ = ["ExportSettings", "Kind", "export", "export_rows", "pair_rows"]


_CONTENT = ("messages", "prompt", "completions", "chosen", "rejected")
"""Columns by which rows are told apart."""


def export(runs: Sequence[Path], output: Path, settings: ExportSettings) -> Counts:
    """Write the rows of `runs` to the file `output`.

    The file appears only when every row is written: if one row leaks, nothing is.

    Raises:
        UsageError: a run does not exist or lacks the values that are needed, or the file cannot be
            written.
        TemplateError: no such template or dialect, or the two do not go together.
        LeakError: a row would show a secret.
    """
    if settings.format == "atif":
        raise UsageError("ATIF holds paths, not rows: engine.interop.atif_write.export_atif")
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
        UsageError: a run does not exist, or lacks the values that are needed.
        TemplateError: no such template or dialect, or the two do not go together; when the first
            row is read.
        LeakError: a row would show a secret; when that row is read.
    """
    for run in runs:
        _check_run(run, settings)
    counts, mixing = Counts() if counts is None else counts, settings.mixing()
    rows = (row for run in runs for row in _run_rows(run, settings, counts, mixing))
    return balanced(_unique(rows, counts), settings.negatives, settings.seed, counts)


def _check_run(run: Path, settings: ExportSettings) -> None:
    with Store.open(run) as store:
        search = store.meta().get("config", {}).get("search")
    if settings.use_values and search not in PLAYED_ON:
        raise UsageError(
            f"{run} holds no continuations, so its states have no values: run `engine credit {run}`"
            f" and export {run / 'credit'}"
        )


def _unique(rows: Iterator[Row], counts: Counts) -> Iterator[Row]:
    """Yield and count the rows that differ from all earlier ones, whatever run they are from."""
    seen: set[bytes] = set()
    for row in rows:
        content = [row.get(column) for column in _CONTENT]
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
    with Store.open(run) as store:
        templates = settings.templates or _text_templates(settings, store)
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
            for row, shown in tree_rows(tree, own, settings, on_tree, counts):
                check_row(shown, fingerprints)
                yield row
    counts.stale_annotations += sum(map(len, annotations.values()))


def _text_templates(settings: ExportSettings, store: Store) -> tuple[str, ...]:
    """Return the default template of rows that hold text only; none where the run's own serves."""
    if settings.format == "toolbench":
        return ("toolllama",)
    native = store.meta()["config"]["template"] == "native"
    return ("react",) if settings.kind == "prm" and native else ()


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
