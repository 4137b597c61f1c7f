"""What `trainer mask` says in a GitHub workflow: annotations, and a summary in Markdown."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from trainer.data.mask_audit import Audit

_MOST = 10
"""GitHub shows ten errors of a step."""
_PLACE = re.compile(r"line (\d+), ")
_LINES = (".jsonl", ".ndjson", ".jsonl.gz")


def in_workflow() -> bool:
    """Return whether this is a step of a GitHub workflow."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def annotate(dataset: Path, faults: Sequence[str], to: TextIO) -> None:
    """Print the first faults as GitHub takes them: errors at a line of the file of rows."""
    for fault in faults[:_MOST]:
        where = f"file={_escaped(str(dataset), ':,')}"
        place = _PLACE.match(fault)
        if place and dataset.name.endswith(_LINES):
            where += f",line={place[1]}"
        print(f"::error {where},title=trainer mask::{_escaped(fault)}", file=to)


def summarise(dataset: Path, found: "Audit", rows: int, trainer: str, faults: Sequence[str]) -> str:
    """Return the summary of a file, as Markdown.

    Args:
        dataset: The file of rows.
        found: What was checked.
        rows: Number of rows.
        trainer: The trainer that they were compared with, or "".
        faults: What is wrong.
    """
    verdict = f"faults: {len(faults)}" if faults else "no fault"
    lines = [
        f"### trainer mask: {dataset.name}: {verdict}",
        "",
        "| rows | replies trained | sequences | tokens | trained | left out |",
        "|---|---|---|---|---|---|",
        f"| {rows} | {found.turns} | {found.sequences} | {found.tokens} | {found.trained} "
        f"| {found.dropped.total()} |",
        "",
    ]
    if trainer:
        lines += [f"Compared with what {trainer} trains.", ""]
    lines += [f"- left out, {n}: {_code(reason)}" for reason, n in found.dropped.most_common()]
    lines += [f"- {_code(fault)}" for fault in faults[: 5 * _MOST]]
    if len(faults) > 5 * _MOST:
        lines.append(f"- and {len(faults) - 5 * _MOST} more")
    return "\n".join(lines) + "\n"


def add_summary(text: str) -> None:
    """Append to the summary of the step; without a workflow, nothing."""
    if file := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(file).open("a", encoding="utf-8") as summary:
            summary.write(text)


def _code(text: str) -> str:
    """Return text that Markdown and HTML leave alone."""
    fence = "``" if "`" in text else "`"
    return f"{fence} {text} {fence}" if fence == "``" else f"{fence}{text}{fence}"


def _escaped(text: str, more: str = "") -> str:
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
