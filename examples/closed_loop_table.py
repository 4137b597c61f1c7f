"""Print the results of `examples/closed_loop.sh`: python examples/closed_loop_table.py FOLDER"""

import sys
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from trainer.evaluation.measures.statistics import estimate, mean_change
from trainer.evaluation.metrics import read_report
from trainer.evaluation.report import Report
from trainer.evaluation.reporting.columns import share

Solved = Mapping[str, float]
"""Per task: whether it was solved, or the share of its answers that were right."""
STAGES = {"before": "base", "SFT": "after-sft", "SFT + DPO": "after-dpo"}


def outcomes(report: Report) -> Solved:
    return report.outcomes


def shares(report: Report) -> Solved:
    return report.shares


def mean(runs: list[Solved]) -> str:
    """Return the mean over tasks and seeds; the bootstrap draws a task with all its seeds."""
    of_task = {task: [run[task] for run in runs] for task in runs[0]}
    return share(estimate(((sum(each), len(each)) for each in of_task.values()), share=True))


def main(out: Path) -> None:
    seeds = sorted(folder for folder in out.glob("seed-*") if (folder / "after-dpo").is_dir())
    for what, ending, of in (
        ("greedy answers", "", outcomes),
        ("answers sampled at the temperature of the exploration", "-sampled", shares),
    ):
        runs: dict[str, list[Solved]] = {}
        for stage, folder in STAGES.items():
            where = [(out if stage == "before" else seed) / f"{folder}{ending}" for seed in seeds]
            if all(each.is_dir() for each in where):
                runs[stage] = [of(read_report(each)) for each in where]
        table = Table(f"held-out tasks solved: {what}", *(seed.name for seed in seeds), "all")
        for stage, found in runs.items():
            table.add_row(stage, *(mean([one]) for one in found), mean(found))
        Console().print(table)
        change = mean_change(zip(runs["SFT"], runs["SFT + DPO"], strict=True))
        assert change is not None
        points, low, high = (100 * one for one in (change.value, *change.interval))
        print(f"DPO over SFT: {points:+.1f} points ({low:+.1f} to {high:+.1f})")
    print("95 % intervals, by bootstrap over tasks; each task is drawn with all its seeds.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
