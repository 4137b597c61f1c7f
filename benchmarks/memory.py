"""Memory per GPU and hours of a training, by formula, for models of 7B, 14B and 72B.

    python benchmarks/memory.py              # the table of docs/scale.md
    python benchmarks/memory.py --measure    # also compare it with processes here

The formulas are the papers': ZeRO (Rajbhandari et al. 2020, arXiv:1910.02054, sections 3 and 5) for
weights, gradients and optimizer states; 6 N floating-point operations per token (Kaplan et al.
2020, arXiv:2001.08361, section 2.1) for time. No GPU was used.

Limits: OTHER, for a CUDA context, fragmentation and the buffers of collectives, is a guess. Logits
are not counted: TRL's fused head keeps none.
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

TOKENS = 4096  # per sequence; one sequence per GPU
FLOPS = 312e12  # an A100, bfloat16, dense: NVIDIA's data sheet
MFU = 0.4  # an assumption: the share of FLOPS that a training with checkpointing gets
GB = 1e9
CARD, OTHER = 80, 5  # GB
LIVE = 1e9  # parameters: DeepSpeed's own stage3_max_live_parameters


@dataclass(frozen=True, slots=True)
class Shape:
    """A decoder like Llama and Qwen 2: grouped keys and values, a gated MLP, biases of q, k, v.

    Attributes:
        name: Its size.
        layers: Number of layers.
        hidden: Width of the residual stream.
        intermediate: Width of the MLP.
        keys: Width of all heads of keys together.
        vocabulary: Number of tokens.
    """

    name: str
    layers: int
    hidden: int
    intermediate: int
    keys: int
    vocabulary: int = 152_064

    @property
    def layer(self) -> int:
        """Parameters per layer."""
        h, k, f = self.hidden, self.keys, self.intermediate
        return 2 * h * h + 2 * h * k + (h + 2 * k) + 3 * h * f + 2 * h

    @property
    def parameters(self) -> int:
        return self.layers * self.layer + 2 * self.vocabulary * self.hidden + self.hidden

    def adapter(self, rank: int) -> int:
        """Parameters of LoRA (Hu et al. 2021, arXiv:2106.09685) on all layers but the head."""
        h, k, f = self.hidden, self.keys, self.intermediate
        return self.layers * rank * (4 * h + 2 * (h + k) + 3 * (h + f))


QWEN = (
    Shape("7B", 28, 3584, 18_944, 512),
    Shape("14B", 48, 5120, 13_824, 1024),
    Shape("72B", 80, 8192, 29_568, 1024),
)
"""Qwen2.5's, from the published config.json."""

PUBLISHED = {"7B": 4, "14B": 8, "72B": 32}
"""Number of A100s (80 GB) usual for full training at 4,096 tokens."""


def states(trained: float, gpus: int, stage: int, frozen: float = 0) -> float:
    """Return bytes per GPU for weights, gradients and optimizer states: mixed precision, Adam.

    2 + 2 + 12 bytes per parameter (section 3.1), of which stage 1 splits the 12 (a float32 copy and
    two moments), stage 2 the gradients too, stage 3 the weights too (section 5).

    Args:
        trained: Number of trained parameters.
        gpus: Number of GPUs.
        stage: ZeRO's, 0 to 3.
        frozen: Number of frozen parameters.
    """
    optimizer, gradients, weights = (gpus if stage >= least else 1 for least in (1, 2, 3))
    per_trained = 12 / optimizer + 2 / gradients + 2 / weights
    return trained * per_trained + frozen * 2 / weights


def activations(shape: Shape, tokens: int, stage: int) -> float:
    """Return bytes per GPU with checkpointing.

    They are each layer's input, what one layer needs when it is recomputed (fused attention), and
    with ZeRO-3 the weights that DeepSpeed keeps gathered.
    """
    h, k, f = shape.hidden, shape.keys, shape.intermediate
    kept = 2 * tokens * h * shape.layers
    again = 2 * tokens * (6 * h + 2 * k + 4 * f)
    return kept + again + (2 * max(LIVE, shape.layer) if stage == 3 else 0)


def rate(shape: Shape, tokens: int, adapter: bool = False) -> float:
    """Return tokens per second and GPU at MFU.

    6 N operations per token, and 6 layers x hidden x tokens for causal attention. With an adapter
    4 N, since frozen weights have no gradients.
    """
    dense = (4 if adapter else 6) * shape.parameters
    return MFU * FLOPS / (dense + 6 * shape.layers * shape.hidden * tokens)


def row(shape: Shape, gpus: int, stage: int, rank: int = 0) -> str:
    """Return a row of the table, in Markdown."""
    adapter = shape.adapter(rank)
    own, frozen = (adapter, shape.parameters) if rank else (shape.parameters, 0)
    held = states(own, gpus, stage, frozen) / GB
    active = activations(shape, TOKENS, stage) / GB
    speed = gpus * rate(shape, TOKENS, adapter=bool(rank))
    fits = "yes" if held + active + OTHER < CARD else "no"
    method = f"LoRA, rank {rank}" if rank else "full"
    return (
        f"| {shape.name} | {method} | {gpus} | ZeRO-{stage} | {held:,.1f} | {active:.1f} | {fits} "
        f"| {speed:,.0f} | {1e8 / speed / 3600:.1f} |"
    )


def table() -> str:
    """Return the table: every model on its usual number of GPUs, by stage, and with LoRA on few.

    GB are per GPU, tokens/s are of all GPUs, hours are for 100 million tokens.
    """
    lines = [
        "| model | trained | A100s | | states, GB | activations, GB | fits | tokens/s | hours |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for shape in QWEN:
        lines += [row(shape, PUBLISHED[shape.name], stage) for stage in (0, 2, 3)]
    lines += [row(shape, 1, 2, rank=16) for shape in QWEN[:2]]
    lines += [row(QWEN[2], 4, 3, rank=16)]
    return "\n".join(lines)


def main() -> None:
    for shape in QWEN:
        print(f"{shape.name}: {shape.parameters:,} parameters, {shape.adapter(16):,} of LoRA")
    print(table())
    if "--measure" in sys.argv[1:]:
        measure()


def measure() -> None:
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
