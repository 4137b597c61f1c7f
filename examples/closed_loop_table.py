"""Prints what `examples/closed_loop.sh` came to: python examples/closed_loop_table.py FOLDER"""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from trainer.evaluate import read
from trainer.metrics import Rate, Report, paired

STAGES = {"base": "before", "after-sft": "SFT", "after-dpo": "SFT + DPO"}


def pooled(reports: Sequence[Report]) -> Rate:
    return Rate(sum(one.solved.hits for one in reports), sum(one.solved.total for one in reports))


def outcomes(reports: Sequence[Report]) -> dict[str, bool]:
    """Of all seeds: each task of each seed by itself."""
    return {
        f"{number}/{task}": solved
        for number, report in enumerate(reports)
        for task, solved in report.outcomes.items()
    }


def main(out: Path) -> None:
    seeds = sorted(folder for folder in out.glob("seed-*") if (folder / "after-dpo").is_dir())
    runs = {
        stage: [read(out / stage if stage == "base" else seed / stage) for seed in seeds]
        for stage in STAGES
    }
    table = Table("held-out tasks solved (95 %)", *(seed.name for seed in seeds), "all")
    for stage, name in STAGES.items():
        each = [str(report.solved) for report in runs[stage]]
        table.add_row(name, *each, str(pooled(runs[stage])))
    Console().print(table)
    change = paired(outcomes(runs["after-sft"]), outcomes(runs["after-dpo"]))
    if change is not None:
        points, low, high = (100 * figure for figure in change)
        print(f"DPO over SFT, paired: {points:+.1f} points ({low:+.1f} to {high:+.1f})")
    if len(seeds) > 1:
        print("The seeds answer the same questions: the true intervals of `all` are wider.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
