"""Training on rows that share prefixes: tree packing against TRL's packing and against padding.

    python benchmarks/tree_packing.py [--quick] [--rounds 3] [--rows 16] [--paths 8] [--env bird]

One model (the embedded student) is trained on the same rows by every contender, in turn, in one
run: forward and backward over all rows. (The optimizer's step is left out: it is the same for all,
0.4 s here, however many rows there are.) Tokens per second count tokens in rows, however few of
them are computed. Ratios are of processor seconds, during which waiting threads sleep: other users
of the machine change them less than the clock. The contenders:

one by one      a row is a batch: no padding, no mask
padding         rows of similar length in batches of 4, by TRL's collator
TRL packing     best-fit decreasing into 1,024 tokens (on a CPU its mask makes longer ones slower),
                padding-free, by TRL's own functions
tree packing    ours, as with `--tree_packing on`, tries of at most 4,096 distinct tokens

All four use our head, which scores labelled positions only (TRL's scores every position on a CPU):
the benchmark measures packing. The rows are: a sweep of random tokens, 160 per row, where groups of
1, 2, 4 or 8 rows share their first 140; and rows of trees that the demonstration teacher explores
on bundled tasks, with several successful paths each. A fifth of the random tokens is labelled, as
in the explored rows.

The ideal is tokens in rows divided by the distinct tokens of the tries after cutting. Exit status
1: less than 90 % of the ideal against TRL's packing or padding, or slower than TRL's packing if
nothing is shared.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from trainer.runtime.hardware import share_cores

share_cores()

import torch  # noqa: E402
from datasets import Dataset  # noqa: E402
from datasets.utils.logging import disable_progress_bar  # noqa: E402
from transformers import PreTrainedTokenizerBase  # noqa: E402
from trl.data_utils import pack_dataset  # noqa: E402
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling  # noqa: E402
from trl.trainer.utils import add_fused_lm_head  # noqa: E402

from trainer.data.mask import IGNORE, label  # noqa: E402
from trainer.data.rows import read_rows  # noqa: E402
from trainer.runtime.loading import load  # noqa: E402
from trainer.tokens.chat_template import ChatTemplate  # noqa: E402
from trainer.tokens.trie import pack  # noqa: E402
from trainer.training.lm_head import score_labelled_only  # noqa: E402
from trainer.tree_packing.forward import install  # noqa: E402
from trainer.tree_packing.grouping import distinct, split  # noqa: E402

GOAL = 0.9
PATHS = (1, 2, 4, 8)
LENGTH, PREFIX = 160, 140
PADDED, PACKED, BUDGET = 4, 1024, 4096
RIVALS = ("TRL packing", "padding")
Row = dict[str, list[int]]


@dataclass(frozen=True)
class Contender:
    """A way to batch the rows.

    Attributes:
        name: Its name.
        forward: The model's forward for it.
        attention: The model's attention for it.
        batches: Of all rows.
        seconds: By the clock, per round.
        busy: Processor seconds, per round.
    """

    name: str
    forward: Callable[..., Any]
    attention: str
    batches: list[dict[str, Any]]
    seconds: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Case:
    """Rows to train on."""

    name: str
    rows: list[Row]

    @property
    def ids(self) -> list[list[int]]:
        return [row["input_ids"] for row in self.rows]

    @property
    def groups(self) -> list[list[int]]:
        return split(self.ids, BUDGET, most=len(self.rows))

    @property
    def distinct(self) -> int:
        return distinct(self.ids, self.groups)

    @property
    def tokens(self) -> int:
        return sum(map(len, self.ids))


class Bench:
    """One model that every contender trains in turn."""

    def __init__(self, bf16: bool) -> None:
        self.bf16 = bf16
        self.model, self.tokenizer = load("smollm2", torch.float32)
        self.model.train()
        add_fused_lm_head(self.model, outputs=("log_probs", "entropy", "is_top1"))
        score_labelled_only(self.model)
        self.plain = self.model.forward
        install(self.model)
        self.packed, self.attention = self.model.forward, self.model.config._attn_implementation

    def contenders(self, case: Case) -> list[Contender]:
        collate = DataCollatorForLanguageModeling(pad_token_id=2)
        flat = DataCollatorForLanguageModeling(pad_token_id=2, padding_free=True)
        by_length = sorted(case.rows, key=lambda row: len(row["input_ids"]))
        padded = [by_length[at : at + PADDED] for at in range(0, len(by_length), PADDED)]
        packed = pack_dataset(Dataset.from_list(case.rows), PACKED, "bfd")
        return [
            Contender("one by one", self.plain, "sdpa", [collate([row]) for row in case.rows]),
            Contender("padding", self.plain, "sdpa", [collate(rows) for rows in padded]),
            Contender("TRL packing", self.plain, "sdpa", [flat([row]) for row in packed]),
            Contender(
                "tree packing",
                self.packed,
                self.attention,
                [collate([case.rows[number] for number in group]) for group in case.groups],
            ),
        ]

    def step(self, contender: Contender) -> float:
        """Add up the gradients of all rows, and return the loss."""
        self.model.forward = contender.forward
        self.model.set_attn_implementation(contender.attention)
        labelled = sum(int((batch["labels"][:, 1:] != IGNORE).sum()) for batch in contender.batches)
        start, busy, total = time.perf_counter(), time.process_time(), 0.0
        for batch in contender.batches:
            with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
                out = self.model(**batch, use_cache=False, fused_lm_head=True)
                loss = -out.log_probs.sum() / labelled
            loss.backward()
            total += float(loss.detach())
        contender.seconds.append(time.perf_counter() - start)
        contender.busy.append(time.process_time() - busy)
        self.model.zero_grad(set_to_none=False)  # as with accumulated gradients
        return total


def measure(bench: Bench, case: Case, rounds: int) -> bool:
    """Print a case's table, and return whether its goal was met."""
    contenders = bench.contenders(case)
    losses = {c.name: 0.0 for c in contenders}
    for turn in range(rounds):
        for contender in contenders[turn % 4 :] + contenders[: turn % 4]:
            loss = bench.step(contender)
            if not turn:
                losses[contender.name] = loss
    whole, ideal = (case.tokens / count for count in (pack(case.ids).distinct, case.distinct))
    speed = {c.name: case.tokens / median(c.busy) for c in contenders}
    print(f"\n{case.name}: {len(case.rows)} rows, {case.tokens} tokens in {len(case.groups)} tries")
    print(f"  ideal {ideal:.2f} (uncut {whole:.2f})")
    for contender in contenders:
        clock = case.tokens / median(contender.seconds)
        ratio = speed["tree packing"] / speed[contender.name]
        print(
            f"  {contender.name:14}{clock:5.0f} tokens/s by the clock, "
            f"{speed[contender.name]:5.0f} per processor second "
            f"({min(contender.busy):.1f} to {max(contender.busy):.1f} s), "
            f"loss {losses[contender.name]:.4f}; tree packing {ratio:5.2f} x"
        )
    return _goal_met(ideal, speed)


def _goal_met(ideal: float, speed: dict[str, float]) -> bool:
    goal = GOAL * ideal if ideal > 1 else 1.0
    worst = min(speed["tree packing"] / speed[rival] for rival in RIVALS)
    if ideal == 1:
        worst = speed["tree packing"] / speed["TRL packing"]
    share = f", {worst / ideal:.0%} of the ideal" if ideal > 1 else ""
    print(f"  {'PASS' if worst >= goal else 'FAIL'}  {worst:.2f} x{share} (goal: {goal:.2f})")
    return worst >= goal


def made_up(paths: int, vocabulary: int, rows: int) -> Case:
    """Return rows, in groups of `paths` with a common prefix; a fifth is labelled."""
    chance = torch.Generator().manual_seed(paths)

    def some(count: int) -> list[int]:
        return torch.randint(100, vocabulary, (count,), generator=chance).tolist()

    made = []
    for _ in range(rows // paths):
        prefix = some(PREFIX)
        for _ in range(paths):
            ids = prefix + some(LENGTH - PREFIX)
            labels = [id if n % 20 >= 16 else IGNORE for n, id in enumerate(ids)]
            made.append({"input_ids": ids, "labels": labels})
    return Case(f"made up, {paths} paths", made)


def explored(env: str, tokenizer: PreTrainedTokenizerBase, most: int) -> Case:
    """Return rows of explored bundled tasks, up to `most` tokens; several successful paths each."""
    with tempfile.TemporaryDirectory() as folder:
        run, file = f"{folder}/run", f"{folder}/rows.jsonl"
        explore = ["explore", "--env", env, "--split", "train", "--limit", "12", "--out", run]
        often = ["--solved", "4", "--width", "3", "--mistake-rate", "0.5"]
        export = ["export", run, "--to", "sft", "--template", "react", "--output", file]
        for command in ([*explore, *often], export):
            subprocess.run([sys.executable, "-m", "engine", *command], check=True)
        renderer = ChatTemplate(tokenizer)
        sequences = [
            one for row in read_rows(Path(file)) for one in label(renderer, row.messages, row.tools)
        ]
    rows: list[Row] = []
    for one in sequences:
        if len(one.ids) <= 1024 and sum(len(row["input_ids"]) for row in rows) < most:
            rows.append({"input_ids": list(one.ids), "labels": list(one.labels)})
    return Case(f"explored, {env}", rows)


def main() -> None:
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="8 paths only, one round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--paths", type=int, action="append", help="of the sweep; 1, 2, 4, 8")
    parser.add_argument("--rows", type=int, default=16, help="of each case of the sweep")
    parser.add_argument("--bf16", action="store_true", help="autocast; else float32")
    parser.add_argument("--env", action="append", help="bundled tasks to explore; bird; none")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    disable_progress_bar()
    bench = Bench(options.bf16)
    for contender in bench.contenders(made_up(1, len(bench.tokenizer), rows=1)):
        bench.step(contender)  # warm up: the first step is slower
    print(
        f"Machine: {os.cpu_count()} cores, kernel {platform.release()}, {options.threads} threads"
    )
    print(f"torch {torch.__version__}, {'bfloat16 autocast' if bench.bf16 else 'float32'}")
    sweep = PATHS[-1:] if options.quick else options.paths or PATHS
    cases = [made_up(paths, len(bench.tokenizer), options.rows) for paths in sweep]
    if not options.quick:
        cases += [
            explored(env, bench.tokenizer, 2500) for env in options.env or ["bird"] if env != "none"
        ]
    rounds = 1 if options.quick else options.rounds
    sys.exit(0 if all([measure(bench, case, rounds) for case in cases]) else 1)


if __name__ == "__main__":
    main()
