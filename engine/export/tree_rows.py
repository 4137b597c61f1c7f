"""The rows of one tree: of its paths, or of its pairs."""

from collections.abc import Iterator
from dataclasses import replace

from engine.export.filters import Counts, is_json, passing_leaves
from engine.export.formats import Format
from engine.export.pairs import BY_VALUE, Pair, PairKind, find_pairs
from engine.export.paths import trained_paths
from engine.export.rows import Row, RowBuilder
from engine.export.settings import ExportSettings
from engine.export.value_pairs import value_pairs
from engine.runs.annotations import TreeAnnotations
from environments.types import is_finite
from search.tree import Node, Tree
from search.values import Values


def tree_rows(
    tree: Tree,
    builder: RowBuilder,
    settings: ExportSettings,
    annotations: TreeAnnotations,
    counts: Counts,
) -> Iterator[tuple[Row, Row]]:
    """Yield each row, and what to check for secrets: a row of the same path as messages.

    A prompt per call quotes what the agent wrote, and so does a PRM row: such a text alone does not
    show who did.
    """
    rows = {"sft": _sft_rows, "dpo": _dpo_rows, "prm": _prm_rows}[settings.kind]
    return rows(tree, builder, settings, annotations, counts)


def _sft_rows(
    tree: Tree,
    builder: RowBuilder,
    settings: ExportSettings,
    annotations: TreeAnnotations,
    counts: Counts,
) -> Iterator[tuple[Row, Row]]:
    for leaf, trained in trained_paths(
        tree, settings.values, settings.filters, counts, annotations
    ):
        shown = builder.sft_row(tree, leaf, trained)
        per_call = not settings.rows and builder.is_per_call(tree, leaf)
        calls = per_call or settings.rows == "per_call"
        for row in builder.call_rows(tree, leaf, trained) if calls else [shown]:
            if why := _why_useless(row, settings.format):
                counts.dropped[why] += 1
            else:
                yield row, shown


def _dpo_rows(
    tree: Tree,
    builder: RowBuilder,
    settings: ExportSettings,
    annotations: TreeAnnotations,
    counts: Counts,
) -> Iterator[tuple[Row, Row]]:
    for pair, row in pair_rows(tree, builder, settings, annotations, counts):
        actions = settings.pairs != "trajectory"
        per_call = actions and builder.is_per_call(tree, pair.chosen_leaf)
        yield row | (builder.pair_of_calls(tree, pair) if per_call else {}), row


def _prm_rows(
    tree: Tree,
    builder: RowBuilder,
    settings: ExportSettings,
    annotations: TreeAnnotations,
    counts: Counts,
) -> Iterator[tuple[Row, Row]]:
    """Yield a row for each path, successful or not, of which the value of every step is known."""
    values = Values(tree, settings.values.min_continuations)
    wanted = replace(settings.filters, failures=True)

    def why_not(leaf: Node) -> str:
        known = all(values.of(node.id) for node in tree.lineage(leaf.id))
        return "" if known else "not valued"

    for leaf in passing_leaves(tree, wanted, counts, annotations, why_not):
        known = [value.mean for node in tree.lineage(leaf.id) if (value := values.of(node.id))]
        row = builder.prm_row(tree, leaf, known, settings.values.label_threshold)
        yield row, builder.sft_row(tree, leaf)


def pair_rows(
    tree: Tree,
    builder: RowBuilder,
    settings: ExportSettings,
    annotations: TreeAnnotations,
    counts: Counts,
) -> Iterator[tuple[Pair, Row]]:
    """Yield the pairs of `tree` and their rows; count pairs whose halves read the same."""
    kind, filters = settings.pairs, settings.filters
    found = (
        value_pairs(tree, settings.values, filters, counts, kind, annotations)
        if kind in BY_VALUE
        else find_pairs(tree, filters, counts, kind, annotations, settings.by)
    )
    for pair in found:
        lost = tree.path((pair.rejected_leaf if kind == "trajectory" else pair.rejected).id)
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
