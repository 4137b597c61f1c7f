"""Memory of training processes here, without a GPU, to compare with `trainer plan`'s formulas.

python benchmarks/memory.py
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

GB = 1e9


def main() -> None:
    """Print peak memory for SmolLM2-135M, and the optimizer's share of each ZeRO process.

    In float32 that is 4 + 4 + 8 bytes per parameter, also 16. The share is read from a checkpoint.
    """
    parameters = 134_515_008
    empty, _ = peak(["-c", "import torch, trl, trainer.training.sft"])
    print(
        f"imports alone: peak {empty:.2f} GB; 12 bytes per parameter: {12 * parameters / GB:.2f} GB"
    )
    two = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    for name, launcher in (("", []), ("zero2", two), ("zero3", two)):
        found, kept = trained(name, launcher)
        pieces = f"; of the optimizer {kept:.2f} GB per process" if name else ""
        print(f"{name or 'one process':12} peak {found:.2f} GB per process{pieces}")


def trained(deepspeed: str, launcher: list[str]) -> tuple[float, float]:
    """Return GB of the largest process in two steps, and of its share of the optimizer."""
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.jsonl"
        rows.write_text((json.dumps({"messages": messages}) + "\n") * 8, "utf-8")
        flags = ["--model_name_or_path=smollm2", f"--dataset={rows}", f"--output_dir={folder}/out"]
        flags += ["--max_steps=2", "--gradient_accumulation_steps=1", "--no-bf16"]
        flags += [f"--deepspeed={deepspeed}", "--save_strategy=epoch"] if deepspeed else []
        pattern = "out/checkpoint-2/global_step2/*optim_states.pt"
        return peak([*launcher, "-m", "trainer", "sft", *flags], Path(folder), pattern)


def peak(arguments: list[str], folder: Path = Path(), pattern: str = "") -> tuple[float, float]:
    """Return GB of the largest resident set of a command's processes, and of the largest file."""
    program = (
        "import resource, subprocess, sys; subprocess.run([sys.executable, *sys.argv[1:]], "
        "check=True, capture_output=True); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], check=True, capture_output=True, text=True
    )
    sizes = [file.stat().st_size for file in folder.glob(pattern)] if pattern else []
    return int(done.stdout) * 1024 / GB, max(sizes, default=0) / GB


if __name__ == "__main__":
    main()
