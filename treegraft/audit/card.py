"""A data card: the README.md of a data set, as the hub shows it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from engine.runs.stats import stats
from engine.runs.store import FILE, Store
from treegraft.audit.audit import Audit
from treegraft.audit.label_sheet import Accuracy
from treegraft.audit.settings import AuditSettings

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def card(
    found: Audit,
    sources: Sequence[Path],
    settings: AuditSettings,
    *,
    kept: int,
    licence: str,
    accuracy: Accuracy | None = None,
) -> str:
    """Return the card of the `kept` rows of `sources`, in Markdown.

    Args:
        found: The audit of all rows.
        sources: The files and runs.
        settings: How they were audited, and what was left out.
        kept: Rows in the data set.
        licence: Of the data set, as the hub names it; "" if nobody has said.
        accuracy: What people said about a sample.
    """
    head = {
        "license": licence or "unknown",
        "task_categories": ["text-generation"],
        "size_categories": [next((name for most, name in _SIZES if kept < most), "n>1M")],
        "tags": ["treegraft", "agent", "tool-use"],
    }
    lines = [
        f"---\n{yaml.safe_dump(head, sort_keys=False)}---",
        "# Data card",
        f"{kept:,} rows of {len(found.rows):,} audited ones.",
        "" if licence else "Nobody has stated a licence: `engine audit --licence NAME` writes it.",
        "## Where the rows come from",
        *_table(("source", "world", "teacher", "solved", "cost", "versions"),
                (_origin(source) for source in sources)),
        "## Which rows were kept",
        f"- findings left out: {', '.join(settings.drop) or 'none'}",
        f"- balanced by: {settings.balance or 'nothing'}; personal data replaced: "
        f"{'yes' if settings.anonymise else 'no'}",
        "- split: tasks are split by group (database, product, game); rows of test splits are "
        "counted below, and training refuses them",
        "## Findings, over all audited rows",
        *_table(("finding", "rows"), found.counts().items()),
        f"{found.conflicts.contexts:,} contexts, {found.conflicts.repeated:,} of them in several "
        f"rows, {len(found.conflicts.disagreeing):,} with different answers.",
        *_accuracy(accuracy),
        "## How the rows are spread",
        *_table(("by", "value", "rows"), _spread(found)),
    ]  # fmt: skip
    return "\n\n".join(filter(None, lines)) + "\n"


def _table(head: Sequence[str], rows: Any) -> Iterator[str]:
    lines = [head, ["---"] * len(head), *rows]
    yield "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(value: Any) -> str:
    return " ".join(str(value).replace("|", "\\|").split())


def _origin(source: Path) -> tuple[str, ...]:
    if not (source / FILE).exists():
        return (source.name, "", "", "", "", "")
    with Store.open(source) as store:
        meta, counted = store.meta(), stats(store)
    config: Mapping[str, Any] = meta["config"]
    versions = ", ".join(f"{name} {one}" for name, one in (meta.get("versions") or {}).items())
    solved = f"{counted.solved} of {counted.trees}"
    return (source.name, config["env"], config["teacher"], solved, counted.usd_text, versions)


def _accuracy(accuracy: Accuracy | None) -> Iterator[str]:
    if accuracy:
        yield f"People judged a sample, drawn at random: {accuracy.in_words}."


def _spread(found: Audit) -> Iterator[tuple[str, str, int]]:
    for key, counts in found.spread.items():
        for value, number in counts.most_common(20):
            yield key, value, number
        if len(counts) > 20:
            yield key, f"({len(counts) - 20} more)", sum(n for _, n in counts.most_common()[20:])
