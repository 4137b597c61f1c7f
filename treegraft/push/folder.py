"""The folder of a data set: rows by their kind, one file and one config each, and the card."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from engine.errors import UsageError
from engine.export.export import ExportSettings, export_rows
from engine.export.formats import write_rows
from engine.runs.store import FILE
from treegraft.audit.audit import Audit, audit
from treegraft.audit.card import MARK, Part, card
from treegraft.audit.settings import AuditSettings
from treegraft.write_files import check_folder, make_folder, write_text

CARD = "README.md"
REFUSED = ("secret", "held-out task", "test split")
"""Findings with which no row is pushed."""

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class DataSet:
    """What is pushed.

    Attributes:
        rows: By the file's name in the data set.
        card: The text of its README.md.
        unusable: Rows of the source that cannot be used, by reason.
    """

    rows: Mapping[str, Rows]
    card: str
    unusable: Mapping[str, int]

    @property
    def files(self) -> list[str]:
        """The names of all files."""
        return [CARD, *self.rows]


def data_set(
    source: Path, *, licence: str = "", held_out: tuple[Path, ...] = (), format: str = "jsonl"
) -> DataSet:
    """Audit the rows of a run or a file, and return them with their card.

    Raises:
        TreegraftError: The source cannot be read, has no rows, or has rows that must not be pushed.
    """
    settings = AuditSettings(held_out=held_out)
    audits = [audit([source], settings, export) for export in _exports(source)]
    if refused := list(_refused(audits)):
        raise UsageError(
            f"nothing was pushed: {source} has {'; '.join(refused)}: leave them out with "
            f"`engine audit {source} --drop secret,held-out-task,test-split --output clean.jsonl`, "
            "and push that file"
        )
    rows: dict[str, Rows] = {}
    parts: list[Part] = []
    for found in audits:
        for name, values in _by_kind(found).items():
            file = f"{name}/train.{format}"
            rows[file] = values
            parts.append(Part(name, found, len(values), file))
    if not rows:
        raise UsageError(f"nothing was pushed: no row of {source} can be used")
    return DataSet(rows, card(parts, [source], settings, licence=licence), dict(audits[0].unusable))


def _exports(source: Path) -> list[ExportSettings]:
    """Return how rows are made of the source; a file's are taken as they are."""
    if not (source.is_dir() and (source / FILE).exists()):
        return [ExportSettings()]
    kinds: tuple[Literal["sft", "dpo"], ...] = ("sft", "dpo")
    wanted = [ExportSettings(kind) for kind in kinds]
    found = [one for one in wanted if any(True for _ in islice(export_rows([source], one), 1))]
    if not found:
        raise UsageError(f"{source} gives neither SFT rows nor pairs: nothing is solved in it")
    return found


def _refused(audits: Sequence[Audit]) -> Iterator[str]:
    for kind in REFUSED:
        places = [found.rows[at].place for found in audits for at in found.found.get(kind, ())]
        places = list(dict.fromkeys(places))
        if places:
            more = ", ..." if len(places) > 3 else ""
            yield f"{len(places)} rows with finding {kind!r} ({', '.join(places[:3])}{more})"


def _by_kind(found: Audit) -> dict[str, Rows]:
    kinds: dict[str, Rows] = defaultdict(list)
    for row in found.rows:
        kinds[_kind(row.value)].append(row.value)
    return kinds


def _kind(row: Mapping[str, Any]) -> str:
    """Return the config of a row, which is named after the TRL trainer that takes its columns."""
    if "chosen" in row or "rejected" in row:
        return "dpo"
    if row.get("label") is not None:
        return "kto"
    if "completions" in row:
        return "prm"
    return "sft" if "messages" in row else "sft_completions"


def check_output(folder: Path) -> None:
    """Check that a data set can be written into `folder`: it is free, or holds an earlier one.

    Raises:
        TreegraftError: It holds something else, or cannot be written.
    """
    check_folder(folder)
    if folder.is_dir() and any(folder.iterdir()):
        earlier = folder / CARD
        if not (earlier.is_file() and MARK in earlier.read_text("utf-8", "replace")):
            raise UsageError(f"{folder} is not empty: name another folder with --output")


def write_folder(found: DataSet, folder: Path) -> None:
    """Write the files of a data set, the card last.

    Raises:
        TreegraftError: They cannot be written.
    """
    make_folder(folder)
    for name, rows in found.rows.items():
        make_folder((folder / name).parent)
        if name.endswith(".parquet"):
            _write_parquet(rows, folder / name)
        else:
            write_rows(rows, folder / name)
    write_text(folder / CARD, found.card)


def _write_parquet(rows: Rows, file: Path) -> None:
    """Write rows as `datasets` reads them back: nested columns stay nested, keys are not merged."""
    try:
        from datasets import Dataset
    except ImportError as error:
        raise UsageError("--format parquet needs datasets: pip install 'treegraft[hub]'") from error
    with TemporaryDirectory() as scratch:
        lines = Path(scratch) / "rows.jsonl"
        lines.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        table = Dataset.from_json(str(lines), cache_dir=f"{scratch}/cache")
        table.to_parquet(str(file))
