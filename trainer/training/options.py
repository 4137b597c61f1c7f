"""The flags that every kind of training has, under TRL's names, and what TRL is told of them."""

from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from trl.trainer.sft_config import SFTConfig

from trainer.errors import TrainerError
from trainer.runtime import distributed, hardware
from trainer.training import deepspeed


@dataclass(frozen=True, slots=True)
class Training:
    """dataset: a JSON-lines file of rows.   max_length: tokens of a sequence.
    eval_dataset: held-out rows, in the form of `dataset`; their loss is taken every `eval_steps`
    optimizer steps (every epoch at 0). early_stopping_patience: stop after so many evaluations
    without a lower loss, and keep the best model; 0: never.
    per_device_train_batch_size: on a CPU one is the fastest: a padded row needs a mask, with which
    attention costs 1.5 times as much; on a GPU take what fits.
    save_steps: optimizer steps between checkpoints, where save_strategy is "steps".
    bf16: autocast; None for where it is fast.
    dtype: what the weights are kept in; see `weight_dtype`.
    gradient_checkpointing: trade time for memory; None for on GPUs only.
    tree_packing: compute what rows share once: auto (where it is worth it), on or off.
    deepspeed: zero2, zero3 or a file; see `zero`.
    resume_from_checkpoint: go on from the last whole checkpoint in output_dir, where there is one.
    allow_test_split: train on rows of a test split too.
    """

    model_name_or_path: str
    dataset: Path
    output_dir: Path
    eval_dataset: Path | None = None
    learning_rate: float = 5e-5
    num_train_epochs: float = 1.0
    max_steps: int = -1
    per_device_train_batch_size: int = 1
    gradient_accumulation_steps: int = 8
    max_length: int = 2048
    warmup_ratio: float = 0.05
    lr_scheduler_type: str = "linear"
    weight_decay: float = 0.0
    logging_steps: int = 5
    eval_steps: int = 0
    early_stopping_patience: int = 0
    save_strategy: str = "no"
    save_steps: int = 100
    save_total_limit: int | None = None
    report_to: str = "none"
    seed: int = 42
    bf16: bool | None = None
    dtype: str = "float32"
    gradient_checkpointing: bool | None = None
    tree_packing: str = "auto"
    deepspeed: str | None = None
    use_peft: bool = False
    lora_r: int = 16
    lora_alpha: int = 32
    resume_from_checkpoint: bool = False
    overwrite_output_dir: bool = False
    allow_test_split: bool = False


_AS_THEY_ARE = (
    "learning_rate",
    "num_train_epochs",
    "max_steps",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "lr_scheduler_type",
    "weight_decay",
    "save_strategy",
    "save_steps",
    "save_total_limit",
    "report_to",
    "seed",
)


def arguments(options: Training, rows: int) -> dict[str, Any]:
    """What TRL's configs of every kind are given. rows: of the training set, as the loader counts.

    Raises:
        TrainerError: flags that do not go together.
    """
    cpu = hardware.device() == "cpu"
    batch = options.per_device_train_batch_size * options.gradient_accumulation_steps
    batch *= distributed.count()
    epochs = ceil(rows / batch * options.num_train_epochs)
    steps = options.max_steps if options.max_steps > 0 else epochs
    # transformers 5.2x renamed it; the flag keeps the name that everybody knows.
    renamed = hasattr(SFTConfig, "activation_checkpointing")
    checkpointing = "activation_checkpointing" if renamed else "gradient_checkpointing"
    wanted = options.gradient_checkpointing
    saving = not cpu if wanted is None else wanted
    config = deepspeed.configuration(options.deepspeed)
    in_pieces = options.use_peft and deepspeed.stage(config) == 3
    return {
        **{name: getattr(options, name) for name in _AS_THEY_ARE},
        **_evaluation(options),
        checkpointing: saving,
        # With an adapter on a model in pieces, the other kind finds its tensors changed; TRL knows
        # it, and sets it under the name that transformers has left.
        f"{checkpointing}_kwargs": {"use_reentrant": True} if saving and in_pieces else None,
        "output_dir": str(options.output_dir),
        "warmup_steps": round(options.warmup_ratio * steps),
        "bf16": bf16(options),
        "deepspeed": config,
        # A short run says at least how it began and how it ended.
        "logging_steps": min(options.logging_steps, max(steps // 4, 1)),
        "use_cpu": cpu,
        "dataloader_pin_memory": not cpu,
        "disable_tqdm": True,
        # The sequences are ours as they are: nothing is tokenised or cut, every column is used.
        "max_length": None,
        "remove_unused_columns": False,
    }


def bf16(options: Training) -> bool:
    """Whether to compute in bfloat16. On a CPU, DeepSpeed does not unless it is asked to: it keeps
    the weights themselves in it."""
    if options.bf16 is not None:
        return options.bf16
    return hardware.fast_bf16() and not (options.deepspeed and hardware.device() == "cpu")


def weight_dtype(options: Training) -> torch.dtype:
    """What the model's weights are kept in: float32, or bfloat16, half of it, for those that are
    frozen (LoRA's own stay float32) or of which DeepSpeed keeps float32 ones.

    Raises:
        TrainerError: training in it would lose what it learns.
    """
    if options.dtype == "float32":
        return torch.float32
    if options.dtype != "bfloat16":
        raise TrainerError(f"--dtype {options.dtype}: use float32 or bfloat16")
    if not (options.use_peft or (options.deepspeed and bf16(options))):
        raise TrainerError(
            "--dtype bfloat16: its rounding swallows an optimizer's steps: add --use_peft, or "
            "--deepspeed with --bf16, which keeps float32 weights too"
        )
    return torch.bfloat16


def lora(options: Training) -> LoraConfig | None:
    """The adapter to train, if one is asked for."""
    if not options.use_peft:
        return None
    return LoraConfig(
        r=options.lora_r,
        lora_alpha=options.lora_alpha,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def _evaluation(options: Training) -> dict[str, Any]:
    if options.eval_dataset is None:
        if options.early_stopping_patience:
            raise TrainerError("--early_stopping_patience needs --eval_dataset: held-out rows")
        return {}
    often = {"eval_strategy": "steps" if options.eval_steps else "epoch"}
    given: dict[str, Any] = {
        **often,
        "eval_steps": options.eval_steps or None,
        "per_device_eval_batch_size": options.per_device_train_batch_size,
    }
    if options.early_stopping_patience:
        # transformers keeps the best of what it saved: it must save when it evaluates.
        given |= {
            "load_best_model_at_end": True,
            "metric_for_best_model": "eval_loss",
            "greater_is_better": False,
            "save_strategy": often["eval_strategy"],
            "save_steps": options.eval_steps or 1,
            "save_total_limit": options.save_total_limit or 1,
        }
    return given
