"""The command `trainer plan`: what a training will take, before a GPU is rented."""

import json
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Literal

from engine.cli.flags import command
from engine.terminal import Json
from trainer.cli.options import RENAMED
from trainer.errors import TrainerError
from trainer.plan.cost import MFU, OTHER, STAGES, Cost, Memory, Training, cost, memory
from trainer.plan.gpus import parse_gpus
from trainer.plan.shapes import amount, shape_of
from trainer.training.options import DATA, MODEL, OPTIMISATION, SPEED, option
from treegraft.ranges import check_ranges

GPUS = "GPUs"


@dataclass(frozen=True, kw_only=True)
class PlanOptions:
    """Options of `trainer plan`, under the names that the training commands have.

    Attributes:
        model: A size such as 7B (Qwen2.5's shapes), a directory, a hub id whose config is on this
            machine, or smollm2.
        tokens: Tokens to train on, such as 470M; with several epochs, those of all together.
        gpus: Number and kind, such as 4xA100.
        zero: ZeRO's stage; 0 is plain data parallelism.
        use_peft: Train a LoRA adapter.
        lora_r: LoRA's rank.
        dtype: Storage type of the weights.
        max_length: Tokens of a sequence.
        per_device_train_batch_size: Sequences per batch and GPU.
        gradient_checkpointing: Recompute activations: less memory, more time.
        mfu: Share of the GPUs' peak that is reached, by 6 N operations per token; an assumption.
        price: US dollars per GPU and hour.
    """

    model: str = field(metadata={"panel": MODEL})
    tokens: str = field(metadata={"panel": DATA})
    gpus: str = field(metadata={"panel": GPUS})
    zero: int | None = option(None, GPUS, min=0, max=3, default="all stages")
    use_peft: bool = option(False, MODEL, flag="lora")
    lora_r: int = option(16, MODEL, min=1)
    dtype: Literal["float32", "bfloat16"] = option("bfloat16", SPEED)
    max_length: int = option(4096, DATA, min=1)
    per_device_train_batch_size: int = option(1, OPTIMISATION, min=1)
    gradient_checkpointing: bool = option(True, SPEED)
    mfu: float = option(MFU, GPUS, above=0, max=1)
    price: float | None = option(None, GPUS, min=0, default="a list price")

    def __post_init__(self) -> None:
        """Check the range of each number."""
        check_ranges(self)

    def training(self) -> Training:
        """Return the training that is planned.

        Raises:
            TrainerError: A value names nothing that is known.
        """
        number, gpu = parse_gpus(self.gpus)
        return Training(
            shape_of(self.model),
            number,
            gpu,
            rank=self.lora_r if self.use_peft else 0,
            dtype=self.dtype,
            length=self.max_length,
            batch=self.per_device_train_batch_size,
            recompute=self.gradient_checkpointing,
        )


@partial(command, renamed={**RENAMED, "use-peft": "lora"})
def plan(options: PlanOptions, json_: Json = False) -> None:
    """Say what memory, time and money a training will take, by formula.

    docs/scale.md compares the formulas with published trainings.
    """
    try:
        tokens = amount(options.tokens)
    except ValueError as error:
        raise TrainerError(f"--tokens {error}") from error
    training = options.training()
    stages = STAGES if options.zero is None else (options.zero,)
    memories = {stage: memory(training, stage) for stage in stages}
    total = cost(training, tokens, options.mfu, options.price)
    if json_:
        print(json.dumps(_as_json(training, memories, total)))
    else:
        print("\n".join(_lines(options, training, memories, total)))


def _fits(training: Training, needed: Memory) -> bool:
    return needed.total <= training.gpu.memory


def _as_json(training: Training, memories: dict[int, Memory], total: Cost) -> dict[str, object]:
    return {
        "parameters": training.shape.parameters,
        **asdict(training),
        "memory_gb": [
            {"zero": stage, **asdict(one), "total": one.total, "fits": _fits(training, one)}
            for stage, one in memories.items()
        ],
        **asdict(total),
    }


def _lines(
    options: PlanOptions, training: Training, memories: dict[int, Memory], total: Cost
) -> list[str]:
    shape, gpu = training.shape, training.gpu
    trained = f"LoRA of rank {training.rank}" if training.rank else "all trained"
    lines = [
        f"{shape.name}: {shape.parameters / 1e9:,.2f}B parameters, {trained}, weights in "
        f"{training.dtype}; {training.batch} x {training.length:,} tokens per GPU",
        "",
        f"| GB per {gpu.name} | weights | gradients | optimizer | activations | "
        f"all, with {OTHER:g} of other | of {gpu.memory:g} |",
        "|---|---|---|---|---|---|---|",
    ]
    for stage, one in memories.items():
        parts = (one.weights, one.gradients, one.optimizer, one.activations, one.total)
        cells = " | ".join(f"{part:,.1f}" for part in parts)
        fits = "fits" if _fits(training, one) else "too much"
        lines.append(f"| ZeRO-{stage} | {cells} | {fits} |")
    lines += [
        "",
        f"{total.hours:,.1f} hours: {options.tokens} tokens at {total.tokens_per_second:,.0f} per "
        f"second, if {options.mfu:.0%} of {gpu.flops / 1e12:,.0f} TFLOPS are reached (--mfu)",
        _dollars(options, training, total),
    ]
    return lines


def _dollars(options: PlanOptions, training: Training, total: Cost) -> str:
    gpu = training.gpu
    if total.dollars is None:
        return f"dollars: no price of {gpu.name} is known here: add --price"
    price, source = (gpu.price, gpu.source) if options.price is None else (options.price, "--price")
    hours = total.hours * training.gpus
    return f"${total.dollars:,.0f}: {hours:,.1f} GPU hours at ${price:.2f} ({source})"
