"""Our masks against TRL's own tokenisation of the same rows, side by side in one process.

    python benchmarks/masks.py [--rows FILE] [--native FILE] [--repeats N]

Rows are those that `engine export` writes of the bundled tasks, explored by the demonstration
teacher; without files, the program explores and exports first. TRL's side is SFTTrainer's own
preparation of a data set, as its constructor calls it: chat template, tokens, labels, in one
process, without its progress bars and its cache. Ours is `trainer.data.mask.label`
of each row, which
also renders every context by itself and checks that it is shown. The tokenizer is the embedded
student's in both, wearing the template of each case. Both make lists of ids and labels; TRL also
writes them to Arrow, as it always does. Each side starts with nothing remembered. The median of N
runs, in turns, counts.

Exit status 1: the goal was missed: ours must be faster.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import datasets
import transformers
import trl
from datasets import Dataset
from transformers import LlamaConfig, LlamaForCausalLM

from tests.support.chat_templates import TemplateCase, templates
from trainer.data.mask import label

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """masked: TRL with assistant_only_loss; it has no mask at all otherwise."""

    template: str
    native: bool
    masked: bool


CASES = [
    Case("chatml", native=False, masked=False),
    Case("trl/llama3", native=False, masked=True),
    Case("trl/qwen2_5", native=True, masked=True),
    Case("trl/qwen3", native=True, masked=True),
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=Path, help="of engine export --to sft --template react")
    parser.add_argument("--native", type=Path, help="the same, --template native")
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    _quiet()
    with tempfile.TemporaryDirectory() as folder:
        react, native = given.rows, given.native
        if not (react and native):
            react, native = _export(Path(folder))
        rows = {False: _read(react), True: _read(native)}
        print(_machine())
        print("| template | rows | turns a row | TRL, rows/s | ours, rows/s | ratio |")
        print("|---|---|---|---|---|---|")
        ratios = [_compare(case, rows[case.native], given.repeats, folder) for case in CASES]
    return 0 if min(ratios) > 1 else 1


def _compare(case: Case, rows: Rows, repeats: int, folder: str) -> float:
    template = templates()[case.template]
    theirs, ours = _theirs(template, case, rows, folder), _ours(template, case, rows)
    times: dict[str, list[float]] = {"theirs": [], "ours": []}
    for _ in range(repeats):
        times["theirs"].append(_timed(theirs))
        times["ours"].append(_timed(ours))
    rate = {side: len(rows) / statistics.median(taken) for side, taken in times.items()}
    ratio = rate["ours"] / rate["theirs"]
    turns = sum(m["role"] == "assistant" for row in rows for m in row["messages"]) / len(rows)
    name = f"{case.template}, {'tool calls' if case.native else 'ReAct'}"
    name += ", assistant_only_loss" if case.masked else ", TRL without a mask"
    print(
        f"| {name} | {len(rows)} | {turns:.1f} | {rate['theirs']:.0f} | {rate['ours']:.0f} "
        f"| {ratio:.2f} |",
        flush=True,
    )
    return ratio


def _ours(template: TemplateCase, case: Case, rows: Rows) -> Callable[[], object]:
    def run() -> object:
        renderer = template.renderer()
        return [
            label(renderer, row["messages"], row["tools"] if case.native else ()) for row in rows
        ]

    return run


def _theirs(template: TemplateCase, case: Case, rows: Rows, folder: str) -> Callable[[], object]:
    tokenizer = template.tokenizer()
    kept = [
        {
            "messages": row["messages"],
            **({"tools": json.dumps(row["tools"])} if case.native else {}),
        }
        for row in rows
    ]
    data = Dataset.from_list(kept, on_mixed_types="use_json")
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=8,
            intermediate_size=8,
            num_hidden_layers=1,
            num_attention_heads=1,
            num_key_value_heads=1,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    config = trl.SFTConfig(
        output_dir=folder,
        use_cpu=True,
        bf16=False,
        report_to="none",
        max_length=None,
        assistant_only_loss=case.masked,
    )
    trainer = trl.SFTTrainer(
        model, args=config, train_dataset=data.select(range(1)), processing_class=tokenizer
    )

    def run() -> object:
        template.tokenizer()  # the shared tokenizer wears one template at a time
        return trainer._prepare_dataset(data, tokenizer, config, False, None, "train")

    return run


def _timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _export(folder: Path) -> tuple[Path, Path]:
    run = folder / "run"
    engine = [sys.executable, "-m", "engine"]
    explore = ["explore", "--env", "bird", "--split", "train", "--teacher", "demonstration"]
    subprocess.run([*engine, *explore, "--out", run], check=True, capture_output=True)
    files = []
    for template in ("react", "native"):
        files.append(folder / f"{template}.jsonl")
        export = ["export", run, "--to", "sft", "--template", template, "--output", files[-1]]
        subprocess.run([*engine, *export], check=True, capture_output=True)
    return files[0], files[1]


def _read(file: Path) -> Rows:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def _quiet() -> None:
    datasets.disable_progress_bars()
    datasets.disable_caching()
    transformers.utils.logging.set_verbosity_error()


def _machine() -> str:
    versions = f"TRL {trl.__version__}, transformers {transformers.__version__}"
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, {versions}"


if __name__ == "__main__":
    sys.exit(main())
