"""What masks and general data do for a student: one training per cell, and held-out figures.

    python benchmarks/ablations.py --rows sft.jsonl --chat chat.json --out runs/ablations

Cells: `mask` (loss on what the agent wrote), `no-mask` (loss on every token of the same sequences,
as in a trainer without masks), `general` (masked, with half of the chat mixed in). Each is
measured on held-out tasks, and by its loss on the half of the chat not used in training.

To find which successes are worth learning from (r = 1, or r > 2/3), call it twice, each time with
rows of another `engine export --min-reward`, and `--cells mask`.

Without --rows, --chat and --out nothing is measured.

Limitation: one seed per call; the intervals do not cover the variation between seeds.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from trainer.runtime.prepare import prepare_torch

prepare_torch()

from trainer.data.loss_weights import WeightedSequence  # noqa: E402
from trainer.evaluation.evaluate import evaluate  # noqa: E402  # after prepare_torch
from trainer.evaluation.measures.general_chat import general_loss  # noqa: E402
from trainer.evaluation.options import EvalOptions  # noqa: E402
from trainer.evaluation.reporting.columns import share  # noqa: E402
from trainer.training.options import SftOptions  # noqa: E402
from trainer.training.output import claim  # noqa: E402
from trainer.training.run import open_model, run  # noqa: E402
from trainer.training.sft import Sources, build, gather  # noqa: E402

CELLS = ("mask", "no-mask", "general")


def unmasked(sequence: WeightedSequence) -> WeightedSequence:
    """Return the same tokens, all trained but the first, which nothing predicts."""
    weights = [0.0] + [1.0] * (len(sequence.ids) - 1)
    return WeightedSequence(sequence.ids, weights, sum(weights))


def train(cell: str, options: SftOptions) -> float:
    """Train one cell into `options.output_dir`, and return the seconds it took."""
    output = claim(options, "sft")
    student = open_model(options)
    sources: Sources = gather(options, student)
    if cell == "no-mask":
        sources = replace(sources, train=[unmasked(one) for one in sources.train])
    return run(build(options, student, sources), student, output).seconds


def halves(chat: Path, out: Path) -> tuple[Path, Path]:
    """Write the conversations of even and odd index, at most 200 each: to train on, to measure."""
    found = json.loads(chat.read_text("utf-8"))
    files = out / "chat-train.json", out / "chat-held-out.json"
    for start, file in enumerate(files):
        file.write_text(json.dumps(found[start:400:2]), "utf-8")
    return files


def measured(model: str, flags: argparse.Namespace, held_out: Path, out: Path) -> str:
    """Measure a model, and return its row of the table without the name."""
    options = EvalOptions(
        env=flags.env, model=model, data=flags.data, split=flags.split, tasks=flags.tasks,
        env_args={"schema": "prompt"} if flags.env in ("bird", "spider") else {},
        depth=flags.depth, max_reply_tokens=128,
        samples=flags.samples, temperature=flags.temperature,
    )  # fmt: skip
    report = evaluate(options, out)
    solved = share(report.pass_at["1"]) if flags.samples > 1 else str(report.solved)
    chat = general_loss(model, held_out).loss
    down, up = chat.interval
    return f"{solved} | {chat.value:.3f} ({down:.3f} to {up:.3f})"


def lines(flags: argparse.Namespace) -> Iterator[str]:
    flags.out.mkdir(parents=True, exist_ok=True)
    mixed, held_out = halves(flags.chat, flags.out)
    yield "| cell | held-out tasks solved (95 %) | loss on held-out chat (95 %) | seconds |"
    yield "|---|---|---|---|"
    if "base" in flags.cells:
        yield f"| base | {measured(flags.model, flags, held_out, flags.out / 'base-eval')} | |"
    for cell in (cell for cell in CELLS if cell in flags.cells):
        options = SftOptions(
            model=flags.model,
            dataset=flags.rows,
            output_dir=flags.out / cell,
            learning_rate=flags.learning_rate,
            num_train_epochs=flags.epochs,
            gradient_accumulation_steps=flags.accumulation,
            max_length=flags.max_length,
            gradient_checkpointing=flags.gradient_checkpointing,
            tree_packing="auto",
            seed=flags.seed,
            overwrite_output_dir=True,
            general_data=mixed if cell == "general" else None,
            agent_ratio=0.8 if cell == "general" else None,
        )
        seconds = train(cell, options)
        cells = measured(str(flags.out / cell), flags, held_out, flags.out / f"{cell}-eval")
        yield f"| {cell} | {cells} | {seconds:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, help="as `engine export --to sft`")
    parser.add_argument("--chat", type=Path, help="a JSON list of conversations")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--cells", nargs="*", default=["base", *CELLS])
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--env", default="bird")
    parser.add_argument("--data")
    parser.add_argument("--split", default="test")
    parser.add_argument("--tasks", default="")
    parser.add_argument("--epochs", type=float, default=2)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--depth", type=int, default=4, help="steps of a held-out task, at most")
    parser.add_argument("--samples", type=int, default=1, help="answers a task; their mean")
    parser.add_argument("--temperature", type=float, default=0.0, help="of several answers")
    parser.add_argument("--max-length", type=int, default=2048, help="tokens of a row, at most")
    parser.add_argument("--accumulation", type=int, default=32, help="rows of a step")
    parser.add_argument("--gradient-checkpointing", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    flags = parser.parse_args()
    if not (flags.rows and flags.chat and flags.out):
        print("nothing is measured: give --rows, --chat and --out")
        return
    for line in lines(flags):
        print(line, flush=True)


if __name__ == "__main__":
    main()
