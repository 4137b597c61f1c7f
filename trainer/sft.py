"""Masked supervised fine-tuning on TRL's SFTTrainer, which is given token ids and labels.

The output directory holds a model that transformers (or vLLM) loads as it is: with LoRA, the
merged one, and the adapter by itself in `adapter/`. Beside it: the tokenizer,
`training_log.jsonl` and `treegraft_sft.json`, the resolved options.

Limits: one process; no DeepSpeed, per-token weights or packing yet.
"""

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Any

import torch
import transformers
import trl
from datasets import Dataset  # type: ignore[import-untyped]
from peft import LoraConfig, PeftModel
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from trainer import hardware
from trainer.dataset import Prepared, prepare, read_rows
from trainer.errors import TrainerError
from trainer.loading import load
from trainer.local_chat import stop_ids
from trainer.loss import score_labelled_only
from trainer.rendering import Renderer

LOG, OPTIONS, ADAPTER = "training_log.jsonl", "treegraft_sft.json", "adapter"


@dataclass(frozen=True, slots=True)
class Options:
    """Flags of `trainer sft`, under TRL's names.

    dataset: a JSON-lines file of rows.   max_length: tokens; longer rows are dropped.
    per_device_train_batch_size: on a CPU one is the fastest: a padded row needs a mask, with which
    attention costs 1.5 times as much; on a GPU take what fits.
    bf16: autocast; None for where it is fast.
    gradient_checkpointing: trade time for memory; None for on GPUs only.
    """

    model_name_or_path: str
    dataset: Path
    output_dir: Path
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
    save_strategy: str = "no"
    report_to: str = "none"
    seed: int = 42
    bf16: bool | None = None
    gradient_checkpointing: bool | None = None
    use_peft: bool = False
    lora_r: int = 16
    lora_alpha: int = 32
    overwrite_output_dir: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """tokens_per_second: all tokens of the rows, padding not counted, over the training time.
    trained_tokens: labelled, in one epoch.   dropped: rows, by reason."""

    rows: int
    used: int
    dropped: Mapping[str, int]
    sequences: int
    tokens: int
    trained_tokens: int
    steps: int
    loss_first: float
    loss_last: float
    seconds: float
    tokens_per_second: float
    output_dir: str


def sft(options: Options) -> Summary:
    """Train, and write the model.

    Raises:
        TrainerError: something that the user can mend, before anything is written.
    """
    _claim(options)
    _quiet()
    rows = list(read_rows(options.dataset))
    transformers.set_seed(options.seed)
    model, tokenizer = load(options.model_name_or_path, torch.float32)
    renderer = Renderer(tokenizer)
    prepared = prepare(renderer, rows, _longest(options, model))
    if not prepared.sequences:
        raise TrainerError(f"no row is left to train on: {_reasons(prepared) or 'no rows'}")
    trainer = build(options, model, tokenizer, prepared)
    if options.output_dir.exists():
        shutil.rmtree(options.output_dir)
    options.output_dir.mkdir(parents=True)
    _write_options(options)
    start = time.monotonic()
    trainer.train()
    seconds = time.monotonic() - start
    _save(trainer, options, renderer)
    return _summary(options, prepared, trainer.state, seconds)


def build(
    options: Options,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prepared: Prepared,
) -> SFTTrainer:
    """TRL's trainer over `prepared`, ready to train.

    Raises:
        TrainerError: a flag has a value that TRL refuses.
    """
    rows = [{"input_ids": one.ids, "labels": one.labels} for one in prepared.sequences]
    try:
        trainer = SFTTrainer(
            model,
            args=_arguments(options, len(rows)),
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
            peft_config=_lora(options) if options.use_peft else None,
            callbacks=[_Log(options.output_dir / LOG)],
        )
    except (ValueError, ImportError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise TrainerError(f"TRL refuses these flags: {reason}") from error
    trainer.remove_callback(transformers.PrinterCallback)
    score_labelled_only(model)
    return trainer


def _arguments(options: Options, rows: int) -> SFTConfig:
    cpu = hardware.device() == "cpu"
    shared: dict[str, Any] = {
        name: getattr(options, name)
        for name in (
            "learning_rate",
            "num_train_epochs",
            "max_steps",
            "per_device_train_batch_size",
            "gradient_accumulation_steps",
            "lr_scheduler_type",
            "weight_decay",
            "save_strategy",
            "report_to",
            "seed",
        )
    }
    batch = options.per_device_train_batch_size * options.gradient_accumulation_steps
    epochs = ceil(rows / batch * options.num_train_epochs)
    steps = options.max_steps if options.max_steps > 0 else epochs
    # transformers 5.2x renamed it; the flag keeps the name that everybody knows.
    renamed = hasattr(SFTConfig, "activation_checkpointing")
    checkpointing = "activation_checkpointing" if renamed else "gradient_checkpointing"
    wanted = options.gradient_checkpointing
    shared[checkpointing] = not cpu if wanted is None else wanted
    return SFTConfig(
        **shared,
        output_dir=str(options.output_dir),
        warmup_steps=round(options.warmup_ratio * steps),
        bf16=hardware.fast_bf16() if options.bf16 is None else options.bf16,
        # A short run says at least how it began and how it ended.
        logging_steps=min(options.logging_steps, max(steps // 4, 1)),
        use_cpu=cpu,
        dataloader_pin_memory=not cpu,
        disable_tqdm=True,
        # The rows are ours as they are: nothing is tokenised, cut or packed.
        max_length=None,
        packing=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        # Rows of like length together: little padding, which costs as much as text.
        train_sampling_strategy="group_by_length",
    )


def _lora(options: Options) -> LoraConfig:
    return LoraConfig(
        r=options.lora_r,
        lora_alpha=options.lora_alpha,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


class _Log(TrainerCallback):
    """Writes a line of JSON for every log of the trainer."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **_: Any,
    ) -> None:
        with self.file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"step": state.global_step, **(logs or {})}) + "\n")


def _claim(options: Options) -> None:
    """See that the output directory is free, or is an earlier output that may be replaced."""
    taken = options.output_dir.exists() and (
        not options.output_dir.is_dir() or any(options.output_dir.iterdir())
    )
    if taken and not options.overwrite_output_dir:
        raise TrainerError(
            f"{options.output_dir} is not empty: choose another --output_dir, "
            "or replace it with --overwrite_output_dir"
        )
    if taken and not (options.output_dir / OPTIONS).is_file():
        raise TrainerError(
            f"{options.output_dir} holds something else than an output of `trainer sft`: "
            "--overwrite_output_dir would delete it; choose another --output_dir"
        )


def _quiet() -> None:
    transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def _longest(options: Options, model: PreTrainedModel) -> int:
    return min(
        options.max_length, getattr(model.config, "max_position_embeddings", options.max_length)
    )


def _write_options(options: Options) -> None:
    versions = {"torch": torch, "transformers": transformers, "trl": trl}
    resolved = {
        **{k: str(v) if isinstance(v, Path) else v for k, v in asdict(options).items()},
        "versions": {name: str(module.__version__) for name, module in versions.items()},
    }
    (options.output_dir / OPTIONS).write_text(json.dumps(resolved, indent=2) + "\n", "utf-8")


def _save(trainer: SFTTrainer, options: Options, renderer: Renderer) -> None:
    model: Any = trainer.model
    if isinstance(model, PeftModel):
        model.save_pretrained(str(options.output_dir / ADAPTER))
        model = model.merge_and_unload()
    # Servers stop at what generation_config names; the model has learnt the template's stop token.
    model.generation_config.eos_token_id = sorted(stop_ids(model, renderer))
    model.save_pretrained(str(options.output_dir))
    renderer.tokenizer.save_pretrained(str(options.output_dir))


def _summary(options: Options, prepared: Prepared, state: TrainerState, seconds: float) -> Summary:
    losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
    epochs = float(state.epoch or 0)
    return Summary(
        rows=prepared.rows,
        used=prepared.used,
        dropped=dict(prepared.dropped),
        sequences=len(prepared.sequences),
        tokens=prepared.tokens,
        trained_tokens=prepared.trained,
        steps=state.global_step,
        loss_first=losses[0] if losses else float("nan"),
        loss_last=losses[-1] if losses else float("nan"),
        seconds=round(seconds, 1),
        tokens_per_second=round(prepared.tokens * epochs / seconds, 1),
        output_dir=str(options.output_dir),
    )


def _reasons(prepared: Prepared) -> str:
    return ", ".join(f"{reason} {number}" for reason, number in prepared.dropped.most_common())
