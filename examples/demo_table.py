"""Print the results of `examples/demo.sh`: python examples/demo_table.py runs/demo"""

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from engine.runs.stats import stats
from engine.runs.store import Store
from trainer.evaluation.measures.statistics import solve_rate_change
from trainer.evaluation.metrics import read_report


def main(out: Path) -> None:
    with Store.open(out / "explore") as store:
        explored = stats(store)
    rows = {
        kind: len((out / f"{kind}.jsonl").read_text("utf-8").splitlines())
        for kind in ("sft", "dpo")
    }
    trained = json.loads((out / "sft.json").read_text("utf-8"))
    before, after = read_report(out / "before"), read_report(out / "after")
    table = Table("", "before", "after", title="Treegraft's demo: held-out databases")
    table.add_row("trees", str(explored.trees), "")
    table.add_row("solved by the teacher", str(explored.solved), "")
    table.add_row("SFT rows, DPO pairs", f"{rows['sft']}, {rows['dpo']}", "")
    table.add_row("SFT rows trained on", "", str(trained["used"]))
    table.add_section()
    table.add_row("solve rate (95 %)", str(before.solved), str(after.solved))
    table.add_row("valid-action rate", str(before.valid), str(after.valid))
    Console().print(table)
    change = solve_rate_change(before.outcomes, after.outcomes)
    if change is None or change[1] <= 0:
        print(
            "At this size the change of the solve rate may still be chance (the 95 % interval of "
            "the paired difference contains 0). To be sure, use more rows and epochs, a larger "
            "student, or more held-out tasks."
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
