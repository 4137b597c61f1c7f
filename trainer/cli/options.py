"""Flags that every kind of training has, under TRL's names, and the YAML file that may hold them.

TRL spells its flags with underscores, and takes hyphens too: `SETTINGS`.
"""

import logging
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from trainer.errors import TrainerError

SETTINGS: dict[str, Any] = {"token_normalize_func": lambda name: name.replace("-", "_")}


def _defaults(context: typer.Context, file: Path | None) -> Path | None:
    """Take a command's defaults from a YAML file whose keys are its flags; flags win."""
    if file is None:
        return None
    import yaml

    try:
        values = yaml.safe_load(file.read_text("utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise TrainerError(f"cannot read --config {file}: {reason}") from error
    if not isinstance(values, dict):
        raise TrainerError(f"--config {file}: must hold flags and their values")
    known = {str(parameter.name) for parameter in context.command.params} - {"config"}
    if unknown := [str(key) for key in values if key not in known]:
        raise TrainerError(f"--config {file}: no such flag: {', '.join(unknown)}")
    context.default_map = {**(context.default_map or {}), **values}
    return file


Model = Annotated[
    str, typer.Option("--model_name_or_path", help="A directory, a hub id, or smollm2.")
]
OutputDir = Annotated[Path, typer.Option("--output_dir", help="Where the model goes.")]
Config = Annotated[
    Path | None,
    typer.Option(help="YAML of these flags; flags win.", callback=_defaults, is_eager=True),
]
EvalDataset = Annotated[
    Path | None, typer.Option("--eval_dataset", help="Held-out rows, whose loss is reported.")
]
LearningRate = Annotated[float, typer.Option("--learning_rate", help="At its highest.")]
Epochs = Annotated[float, typer.Option("--num_train_epochs", help="Times over the rows.")]
MaxSteps = Annotated[int, typer.Option("--max_steps", help="Optimizer steps, instead of epochs.")]
BatchSize = Annotated[
    int, typer.Option("--per_device_train_batch_size", min=1, help="Rows at once.")
]
Accumulation = Annotated[
    int, typer.Option("--gradient_accumulation_steps", min=1, help="Batches a step.")
]
MaxLength = Annotated[int, typer.Option("--max_length", min=1, help="Tokens of a sequence.")]
Warmup = Annotated[float, typer.Option("--warmup_ratio", min=0, max=1, help="Of all steps.")]
Scheduler = Annotated[
    str, typer.Option("--lr_scheduler_type", help="linear, cosine, constant, ...")
]
WeightDecay = Annotated[float, typer.Option("--weight_decay", help="AdamW's.")]
LoggingSteps = Annotated[
    int, typer.Option("--logging_steps", min=1, help="Steps between log lines.")
]
EvalSteps = Annotated[
    int,
    typer.Option(
        "--eval_steps",
        min=0,
        help="Steps between losses of --eval_dataset.",
        show_default="every epoch",
    ),
]
Patience = Annotated[
    int,
    typer.Option(
        "--early_stopping_patience",
        min=0,
        help="Stop after so many held-out losses that are not lower, and keep the best model.",
        show_default="never",
    ),
]
SaveStrategy = Annotated[
    str, typer.Option("--save_strategy", help="Checkpoints: no, epoch or steps.")
]
SaveSteps = Annotated[int, typer.Option("--save_steps", min=1, help="Steps between checkpoints.")]
SaveLimit = Annotated[
    int | None, typer.Option("--save_total_limit", min=1, help="Checkpoints kept, at most.")
]
ReportTo = Annotated[str, typer.Option("--report_to", help="none, wandb, tensorboard, ...")]
Seed = Annotated[int, typer.Option(help="Of the order of rows and of LoRA.")]
Bf16 = Annotated[
    bool | None,
    typer.Option("--bf16/--no-bf16", help="Autocast.", show_default="where it is fast"),
]
Dtype = Annotated[
    str,
    typer.Option(
        "--dtype", help="What frozen weights (LoRA) are kept in: float32, or bfloat16, half of it."
    ),
]
Checkpointing = Annotated[
    bool | None,
    typer.Option(
        "--gradient_checkpointing/--no-gradient_checkpointing",
        help="Less memory, more time.",
        show_default="on GPUs",
    ),
]
TreePacking = Annotated[
    str, typer.Option("--tree_packing", help="Compute what rows share once: auto, on or off.")
]
DeepSpeed = Annotated[
    str | None,
    typer.Option(
        "--deepspeed",
        help="ZeRO over several processes: zero2, zero3, or DeepSpeed's own FILE.",
        show_default="off",
    ),
]
UsePeft = Annotated[
    bool, typer.Option("--use_peft", help="LoRA: the merged model, and adapter/ beside it.")
]
LoraR = Annotated[int, typer.Option("--lora_r", min=1, help="LoRA's rank.")]
LoraAlpha = Annotated[int, typer.Option("--lora_alpha", min=1, help="LoRA's scale.")]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume_from_checkpoint", help="Go on from the last checkpoint in --output_dir."
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite_output_dir", help="Replace what is there.")]
AllowTest = Annotated[
    bool, typer.Option("--allow_test_split", help="Train on rows of a test split too.")
]


def chosen(flags: Mapping[str, Any]) -> dict[str, Any]:
    """A command's flags without those that say how to run it."""
    return {name: value for name, value in flags.items() if name not in ("config", "json_")}


def prepare_torch() -> None:
    """See that what trains is installed, and share the cores; before torch is imported.

    Raises:
        TrainerError: it is not installed.
    """
    from trainer.runtime.hardware import share_cores

    missing = [name for name in ("torch", "transformers", "trl") if find_spec(name) is None]
    if missing:
        raise TrainerError(f"{missing[0]} is not installed: pip install 'treegraft[train]'")
    share_cores()
    # TRL calls what transformers has deprecated, and DeepSpeed what torch has: no business of the
    # person at the terminal.
    for deprecated in ("transformers", r"torch\.distributed"):
        warnings.filterwarnings("ignore", category=FutureWarning, module=deprecated)
    for name in ("DeepSpeed", "accelerate.accelerator"):
        logging.getLogger(name).addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Where DeepSpeed is installed it is imported, used or not, and warns that there is no GPU.
    accelerate is told a step's batches by DeepSpeed's configuration, as it should be, and warns."""
    known = "Setting accelerator to CPU", "Gradient accumulation steps mismatch"
    return not any(text in record.getMessage() for text in known)
