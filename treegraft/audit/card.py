"""A data card: the README.md of a data set, as the hub shows it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from engine.chat.prices import price_of, read_prices
from engine.export.filters import Filters
from engine.runs.stats import Stats, stats
from engine.runs.store import FILE, Store
from treegraft.audit.audit import Audit
from treegraft.audit.label_sheet import Accuracy
from treegraft.audit.settings import FINDINGS, AuditSettings

MARK = "treegraft"
"""The tag that every card has."""

WORLD_LICENCES = {
    "kg": "GeoNames: CC BY 4.0; countryinfo: MIT",
    "search-qa": "GeoNames: CC BY 4.0; countryinfo: MIT",
    "textworld": "made with TextWorld: MIT; compiled by Inform 7: Artistic License 2.0",
}
"""Of the bundled data of worlds, as docs/worlds says; your own data has its own."""

_NOT_KNOWN = "none stated here: look at where its tasks come from"
_TRAINERS = {
    "sft": "SFTTrainer: messages, tools",
    "sft_completions": "SFTTrainer: prompt, completion, tools",
    "dpo": "DPOTrainer: prompt, chosen, rejected, tools",
    "kto": "KTOTrainer: prompt, completion, label",
}
"""TRL's trainer for each config, and the columns it reads; the others say where a row is from."""

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one kind, which are one config of the data set.

    Attributes:
        name: Of the config.
        found: The audit of all its rows.
        kept: Its rows in the data set.
        file: Its file in the data set; "" if the card does not list files.
    """

    name: str
    found: Audit
    kept: int
    file: str = ""


def card(
    parts: Sequence[Part],
    sources: Sequence[Path],
    settings: AuditSettings,
    *,
    licence: str,
    accuracy: Accuracy | None = None,
) -> str:
    """Return the card of a data set, in Markdown.

    Args:
        parts: What is in the data set.
        sources: The files and runs.
        settings: How they were audited, and what was left out.
        licence: Of the data set, as the hub names it; "" if nobody has said.
        accuracy: What people said about a sample.
    """
    origins = [_Origin.of(source) for source in sources]
    runs = [origin for origin in origins if origin.world]
    audits = {id(part.found): part.found for part in parts}.values()
    several = len(audits) > 1
    counts = [(_names(parts, found) if several else "rows", found.counts()) for found in audits]
    lines = [
        f"---\n{yaml.safe_dump(_head(parts, licence), sort_keys=False)}---",
        "# Data card",
        f"{sum(part.kept for part in parts):,} rows of {sum(len(a.rows) for a in audits):,} "
        "audited ones.",
        *_configs(parts),
        "" if licence else "Nobody has stated a licence: `--licence NAME` writes it.",
        "## Where the rows come from",
        *_table(("source", "world", "teacher", "solved", "solve rate", "cost", "versions"),
                (origin.cells for origin in origins)),
        *_of_runs(runs),
        "## Which rows were kept",
        f"- findings left out: {', '.join(settings.drop) or 'none'}",
        f"- balanced by: {settings.balance or 'nothing'}; personal data replaced: "
        f"{'yes' if settings.anonymise else 'no'}",
        *([f"- paths of runs: {_filters()}"] if runs else []),
        "- split: tasks are split by group (database, product, game); rows of test splits are "
        "counted below, and training refuses them",
        f"- contamination: every row was compared with the bundled test splits{_held(settings)}; "
        "findings `held-out task` and `test split` count the matches",
        "## Findings, over all audited rows",
        *_table(("finding", *(name for name, _ in counts)),
                ((kind, *(found[kind] for _, found in counts)) for kind in FINDINGS)),
        *(_conflicts(found) for found in audits),
        *_accuracy(accuracy),
        "## How the rows are spread",
        *_table(("by", "value", "rows"), (line for found in audits for line in _spread(found))),
    ]  # fmt: skip
    return "\n\n".join(filter(None, lines)) + "\n"


def _head(parts: Sequence[Part], licence: str) -> dict[str, Any]:
    """Return the metadata that the hub reads."""
    kept = sum(part.kept for part in parts)
    head: dict[str, Any] = {
        "license": licence or "unknown",
        "task_categories": ["text-generation"],
        "size_categories": [next((name for most, name in _SIZES if kept < most), "n>1M")],
        "tags": [MARK, "agent", "tool-use", "trl"],
    }
    if listed := [part for part in parts if part.file]:
        head["configs"] = [
            {"config_name": part.name, "data_files": [{"split": "train", "path": part.file}]}
            for part in listed
        ]
        head["configs"][0]["default"] = True
    return head


def _names(parts: Sequence[Part], found: Audit) -> str:
    return ", ".join(part.name for part in parts if part.found is found)


def _configs(parts: Sequence[Part]) -> Iterator[str]:
    if any(part.file for part in parts):
        yield from _table(
            ("config", "rows", "file", "for"),
            (
                (part.name, f"{part.kept:,}", part.file, _TRAINERS.get(part.name, ""))
                for part in parts
            ),
        )


@dataclass(frozen=True, slots=True)
class _Origin:
    """A source; `world` is "" for a file."""

    cells: tuple[str, ...]
    world: str = ""
    teacher: str = ""
    counted: Stats | None = None

    @classmethod
    def of(cls, source: Path) -> "_Origin":
        name = source.resolve().name
        if not (source / FILE).exists():
            return cls((name, *[""] * 6))
        with Store.open(source) as store:
            meta, counted = store.meta(), stats(store)
        config: Mapping[str, Any] = meta["config"]
        world, teacher = str(config["env"]), str(config.get("teacher", ""))
        versions = ", ".join(f"{key} {one}" for key, one in (meta.get("versions") or {}).items())
        cells = (
            name,
            _public(world),
            _public(teacher),
            f"{counted.solved} of {counted.trees}",
            f"{counted.solve_rate:.0%}",
            counted.usd_text,
            versions,
        )
        return cls(cells, world, teacher, counted)


def _public(name: str) -> str:
    """Return a world's or model's name without the folder of the machine that it stands in."""
    return name.rpartition("/")[2] if name.startswith(("/", ".", "~")) else name


def _of_runs(runs: Sequence[_Origin]) -> Iterator[str]:
    """Yield what the licences are of what the rows quote, and what the teachers asked for it."""
    if not runs:
        return
    worlds = sorted({origin.world for origin in runs})
    yield "### Licences of the worlds"
    yield from _table(
        ("world", "licence of its data"),
        ((_public(world), WORLD_LICENCES.get(world, _NOT_KNOWN)) for world in worlds),
    )
    yield "### Prices of the teachers"
    yield "List prices are of this version's table, in US dollars for a million tokens."
    yield from _table(
        (
            "teacher",
            "requests",
            "prompt tokens",
            "completion tokens",
            "list price: in, cached, out",
        ),
        (_price_cells(origin) for origin in runs),
    )


def _price_cells(origin: _Origin) -> tuple[str, ...]:
    price = price_of(origin.teacher, read_prices())
    asked = f"{price.input}, {price.cached_input}, {price.output}" if price else "none known"
    used = (origin.counted or Stats()).usage
    numbers = (used.calls, used.prompt_tokens, used.completion_tokens)
    return (_public(origin.teacher), *(f"{number:,}" for number in numbers), asked)


def _filters() -> str:
    """Return the filters with which a run's paths become rows here: those of `engine export`."""
    found = ((each.name.replace("_", " "), each.default) for each in fields(Filters))
    return ", ".join(
        f"{name} {'no' if value is False else value}"
        for name, value in found
        if value is not None and value != ()
    )


def _held(settings: AuditSettings) -> str:
    return f" and with {len(settings.held_out)} held-out sources" if settings.held_out else ""


def _conflicts(found: Audit) -> str:
    conflicts = found.conflicts
    return (
        f"{conflicts.contexts:,} contexts, {conflicts.repeated:,} of them in several rows, "
        f"{len(conflicts.disagreeing):,} with different answers."
    )


def _table(head: Sequence[str], rows: Any) -> Iterator[str]:
    lines = [head, ["---"] * len(head), *rows]
    yield "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(value: Any) -> str:
    return " ".join(str(value).replace("|", "\\|").split())


def _accuracy(accuracy: Accuracy | None) -> Iterator[str]:
    if accuracy:
        yield f"People judged a sample, drawn at random: {accuracy.in_words}."


def _spread(found: Audit) -> Iterator[tuple[str, str, int]]:
    for key, counts in found.spread.items():
        for value, number in counts.most_common(20):
            yield key, value, number
        if len(counts) > 20:
            yield key, f"({len(counts) - 20} more)", sum(n for _, n in counts.most_common()[20:])
