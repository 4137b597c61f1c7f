"""From options to the arguments of TRL's configs."""

from math import ceil
from typing import Any

import torch
from peft import LoraConfig
from transformers.utils.import_utils import is_liger_kernel_available
from trl.trainer.sft_config import SFTConfig

from trainer.errors import TrainerError
from trainer.runtime import distributed, hardware
from trainer.runtime.kernels import check_liger
from trainer.training import deepspeed
from trainer.training.options import TrainingOptions

_UNCHANGED = (
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
    "use_liger_kernel",
    "push_to_hub",
    "hub_model_id",
)
"""Options that TRL takes under the same name and with the same meaning."""


def trl_arguments(options: TrainingOptions, rows: int) -> dict[str, Any]:
    """Return the arguments that TRL's configs have in common.

    Args:
        options: The options of a command.
        rows: Rows of the training set, as the data loader counts them.

    Raises:
        TrainerError: A flag asks for what this machine does not have.
    """
    if options.use_liger_kernel:
        check_liger(hardware.device(), is_liger_kernel_available())
    cpu = hardware.device() == "cpu"
    steps = total_steps(options, rows)
    # transformers 5.2x renamed the argument; the flag keeps the name that everybody knows.
    renamed = hasattr(SFTConfig, "activation_checkpointing")
    checkpointing = "activation_checkpointing" if renamed else "gradient_checkpointing"
    asked = options.gradient_checkpointing
    saving = not cpu if asked is None else asked
    config = deepspeed.configuration(options.deepspeed)
    partitioned = options.use_peft and deepspeed.stage(config) == 3
    return {
        **{name: getattr(options, name) for name in _UNCHANGED},
        **_evaluation(options),
        checkpointing: saving,
        # With an adapter on partitioned weights, the non-reentrant kind finds its tensors changed.
        # TRL knows it, but sets the argument under transformers' former name.
        f"{checkpointing}_kwargs": {"use_reentrant": True} if saving and partitioned else None,
        "output_dir": str(options.output_dir),
        "warmup_steps": round(options.warmup_ratio * steps),
        "bf16": uses_bf16(options),
        "deepspeed": config,
        # A short run logs at least its beginning and its end.
        "logging_steps": min(options.logging_steps, max(steps // 4, 1)),
        "use_cpu": cpu,
        "dataloader_pin_memory": not cpu,
        "disable_tqdm": True,
        # None leaves it to the organisation; what is pushed is the finished model.
        "hub_private_repo": options.hub_private_repo or None,
        "hub_strategy": "end",
        # The sequences are final: TRL must not tokenise or truncate them, nor drop a column.
        "max_length": None,
        "remove_unused_columns": False,
    }


def total_steps(options: TrainingOptions, rows: int) -> int:
    """Return the number of optimizer steps of a training on `rows` rows."""
    if options.max_steps > 0:
        return options.max_steps
    batch = options.per_device_train_batch_size * options.gradient_accumulation_steps
    return ceil(rows / (batch * distributed.world_size()) * options.num_train_epochs)


def uses_bf16(options: TrainingOptions) -> bool:
    """Return whether to compute in bfloat16.

    On a CPU, DeepSpeed does so only on request, because it keeps the weights themselves in it.
    """
    if options.bf16 is not None:
        return options.bf16
    return hardware.fast_bf16() and not (options.deepspeed and hardware.device() == "cpu")


def weight_dtype(options: TrainingOptions) -> torch.dtype:
    """Return the storage type of the model's weights.

    bfloat16 takes half the memory. It suits weights that are frozen (LoRA's own stay float32), or
    of which DeepSpeed keeps float32 copies.

    Raises:
        TrainerError: Training in bfloat16 would lose what is learned.
    """
    if options.dtype == "float32":
        return torch.float32
    if not (options.use_peft or (options.deepspeed and uses_bf16(options))):
        raise TrainerError(
            "--dtype bfloat16: its rounding swallows an optimizer's steps: add --use-peft, or "
            "--deepspeed with --bf16, which keeps float32 weights too"
        )
    return torch.bfloat16


def lora_config(options: TrainingOptions) -> LoraConfig | None:
    """Return the adapter to train, or None without --use-peft."""
    if not options.use_peft:
        return None
    return LoraConfig(
        r=options.lora_r,
        lora_alpha=options.lora_alpha,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def _evaluation(options: TrainingOptions) -> dict[str, Any]:
    if options.eval_dataset is None:
        return {}
    strategy = "steps" if options.eval_steps else "epoch"
    arguments: dict[str, Any] = {
        "eval_strategy": strategy,
        "eval_steps": options.eval_steps or None,
        "per_device_eval_batch_size": options.per_device_train_batch_size,
    }
    if options.early_stopping_patience:
        # transformers keeps the best of what it saved, so it must save whenever it evaluates.
        arguments |= {
            "load_best_model_at_end": True,
            "metric_for_best_model": "eval_loss",
            "greater_is_better": False,
            "save_strategy": strategy,
            "save_steps": options.eval_steps or 1,
            "save_total_limit": options.save_total_limit or 1,
        }
    return arguments
