"""Draw the tasks of `examples/self_improvement.sh`, and show its results.

python examples/self_improvement_table.py draw FOLDER --env spider --data spider/ \
    --train train:200 --test dev:300
python examples/self_improvement_table.py show FOLDER
"""

import argparse
import random
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

import environments
from engine.api import Run
from trainer.evaluation.measures.statistics import Estimate, Figure, estimate, mean_change
from trainer.evaluation.metrics import read_report
from trainer.evaluation.reporting.columns import share
from trainer.evaluation.reporting.document import Plot
from trainer.evaluation.reporting.plots import svg

Solved = Mapping[str, float]

CELLS = {
    "rft": "RFT: own successes",
    "weighted": "RFT, weighted by advantage",
    "rft+recovery": "RFT and recovery rows",
    "outcome": "RFT, then DPO on outcomes",
    "value": "RFT, then DPO on values",
    "boundary": "RFT, then DPO on values at the boundary",
}
"""Name of a cell's folders, and what it is."""


def draw(out: Path, env: str, data: str, wanted: Mapping[str, str]) -> None:
    """Write the ids of the tasks; no database (group) of the held-out ones is trained on."""
    chosen: dict[str, list[environments.Task]] = {}
    for kind, spec in wanted.items():
        split, _, number = spec.partition(":")
        world = environments.make(env, data=data or None, split=split)
        try:
            tasks = list(world.tasks)
        finally:
            world.close()
        random.Random(0).shuffle(tasks)
        chosen[kind] = tasks[: int(number)]
    shared = {task.group for task in chosen["train"]} & {task.group for task in chosen["test"]}
    if shared:
        raise SystemExit(f"both sides hold {', '.join(sorted(shared))}: choose other splits")
    for kind, tasks in chosen.items():
        (out / f"{kind}.txt").write_text("".join(f"{task.id}\n" for task in tasks))
        print(f"{len(tasks)} {kind} tasks of {len({task.group for task in tasks})} groups")


def show(out: Path) -> None:
    """Print all cells, and their changes against the base and against RFT."""
    console = Console(width=100)
    base = read_report(out / "base").outcomes
    _search_table(out, console)
    found = {name: _runs(out, name) for name in CELLS}
    table = Table("held-out tasks, greedy", "seeds", "solved", "over the base", "over RFT")
    if (out / "warm").exists():
        table.add_row("trained on a few demonstrations", "", _mean([base]), "", "")
    else:
        table.add_row("untrained, with examples", "", _mean([base]), "", "")
    if (out / "base-zero-shot").exists():
        bare = read_report(out / "base-zero-shot").outcomes
        table.add_row("untrained, without examples", "", _mean([bare]), "", "")
    for name, runs in found.items():
        if not runs:
            continue
        over_base = _change([(base, run) for run in runs.values()])
        both = [(found["rft"][seed], run) for seed, run in runs.items() if seed in found["rft"]]
        over_rft = _change(both) if name != "rft" else ""
        solved = _mean(list(runs.values()))
        table.add_row(CELLS[name], ", ".join(runs), solved, over_base, over_rft)
    console.print(table)
    console.print("95 % intervals by bootstrap over tasks, each drawn with all its seeds.")
    drawn: list[tuple[str, list[Solved]]] = [
        ("base", [base]),
        *((CELLS[n], list(r.values())) for n, r in found.items() if r),
    ]
    points: list[tuple[str, tuple[Figure | None, ...]]] = [
        (name, (_estimate(runs),)) for name, runs in drawn
    ]
    plot = Plot("Held-out tasks solved, greedy", ("solved",), points)
    (out / "plot.svg").write_text(svg(plot))


def _search_table(out: Path, console: Console) -> None:
    """Print how much search finds, against independent chains, on the training tasks."""
    table = Table("training tasks", "solved", "requests", "tokens")
    for name, text in (("chains", "independent chains"), ("searched", "DFSDT")):
        stats = Run(out / name).stats
        tokens = stats["prompt_tokens"] + stats["completion_tokens"]
        solved = f"{stats['solved']} of {stats['trees']}"
        table.add_row(text, solved, str(stats["calls"]), str(tokens))
    console.print(table)


def _runs(out: Path, name: str) -> dict[str, Solved]:
    folders = {each.name.rpartition("-")[2]: each for each in out.glob(f"eval-{name}-*")}
    return {
        seed: read_report(folder).outcomes
        for seed, folder in sorted(folders.items())
        if (folder / "done").exists()
    }


def _estimate(runs: list[Solved]) -> Estimate | None:
    of_task = {task: [run[task] for run in runs] for task in runs[0]}
    return estimate(((sum(each), len(each)) for each in of_task.values()), share=True)


def _mean(runs: list[Solved]) -> str:
    return share(_estimate(runs))


def _change(pairs: list[tuple[Solved, Solved]]) -> str:
    change = mean_change(pairs)
    if change is None:
        return ""
    points, low, high = (100 * one for one in (change.value, *change.interval))
    return f"{points:+.1f} ({low:+.1f} to {high:+.1f})"


def main() -> None:
    """Read the command line."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("what", choices=("draw", "show"))
    flags.add_argument("folder", type=Path)
    for name in ("env", "data", "train", "test"):
        flags.add_argument(f"--{name}", default="")
    given = flags.parse_args()
    if given.what == "draw":
        wanted = {"train": given.train, "test": given.test}
        draw(given.folder, given.env, given.data, wanted)
    else:
        show(given.folder)


if __name__ == "__main__":
    main()
