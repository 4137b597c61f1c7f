"""The command `trainer sft`: its flags, and what it says in the end."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.terminal import Json, results_only
from trainer.cli import options
from trainer.cli.options import chosen, prepare_torch
from trainer.cli.report import course, left_out, print_json
from trainer.runtime.distributed import say, together

if TYPE_CHECKING:
    from trainer.training.sft import Summary


def sft(
    model_name_or_path: options.Model,
    dataset: Annotated[Path, typer.Option(help="Rows, as `engine export --to sft` writes them.")],
    output_dir: options.OutputDir,
    config: options.Config = None,
    eval_dataset: options.EvalDataset = None,
    learning_rate: options.LearningRate = 5e-5,
    num_train_epochs: options.Epochs = 1.0,
    max_steps: options.MaxSteps = -1,
    per_device_train_batch_size: options.BatchSize = 1,
    gradient_accumulation_steps: options.Accumulation = 8,
    max_length: options.MaxLength = 2048,
    overlong: Annotated[
        str, typer.Option(help="Rows over --max_length: drop, or split at a turn.")
    ] = "drop",
    packing: Annotated[bool, typer.Option("--packing", help="Several rows in one, apart.")] = False,
    thought_weight: Annotated[
        float, typer.Option("--thought_weight", help="Of the loss on thoughts; a call's is 1.")
    ] = 1.0,
    general_data: Annotated[
        Path | None,
        typer.Option("--general_data", help="Chat to mix in: Alpaca, ShareGPT or messages."),
    ] = None,
    agent_loss_weight: Annotated[
        float | None,
        typer.Option(
            "--agent_loss_weight",
            help="L = W L_agent + (1 - W) L_general.",
            show_default="by tokens",
        ),
    ] = None,
    agent_ratio: Annotated[
        float | None,
        typer.Option(
            "--agent_ratio", help="Share of agent rows in an epoch.", show_default="by rows"
        ),
    ] = None,
    warmup_ratio: options.Warmup = 0.05,
    lr_scheduler_type: options.Scheduler = "linear",
    weight_decay: options.WeightDecay = 0.0,
    logging_steps: options.LoggingSteps = 5,
    eval_steps: options.EvalSteps = 0,
    early_stopping_patience: options.Patience = 0,
    save_strategy: options.SaveStrategy = "no",
    save_steps: options.SaveSteps = 100,
    save_total_limit: options.SaveLimit = None,
    resume_from_checkpoint: options.Resume = False,
    report_to: options.ReportTo = "none",
    seed: options.Seed = 42,
    bf16: options.Bf16 = None,
    dtype: options.Dtype = "float32",
    gradient_checkpointing: options.Checkpointing = None,
    tree_packing: options.TreePacking = "auto",
    deepspeed: options.DeepSpeed = None,
    use_peft: options.UsePeft = False,
    lora_r: options.LoraR = 16,
    lora_alpha: options.LoraAlpha = 32,
    overwrite_output_dir: options.Overwrite = False,
    allow_test_split: options.AllowTest = False,
    json_: Json = False,
) -> None:
    """Fine-tune on rows, with loss on exactly what the agent wrote and its stop token."""
    given = chosen(locals())
    prepare_torch()
    with together(), results_only():
        from trainer.training.sft import Options, sft

        done = sft(Options(**given))
    if json_:
        print_json(done)
    else:
        _report(done)


def _report(done: "Summary") -> None:
    split = f", split {done.split} ({done.lost} turns lost)" if done.split else ""
    general = done.general
    mixed = f", {general['drawn']} general of {general['used']}" if general["rows"] else ""
    say(
        f"{done.used} of {done.rows} rows used{mixed}, dropped {left_out(done.dropped)}{split}; "
        f"{done.tokens} tokens, {done.trained_tokens} trained; "
        f"{course(done)}; "
        f"{done.seconds:.0f} s, {done.tokens_per_second:.0f} tokens/s; "
        f"the model is in {done.output_dir}"
    )
