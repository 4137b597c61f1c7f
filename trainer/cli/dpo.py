"""The command `trainer dpo`: its flags, and what it says in the end."""

from pathlib import Path
from typing import Annotated

import typer

from engine.terminal import Json, results_only
from trainer.cli import options
from trainer.cli.options import chosen, prepare_torch
from trainer.cli.report import course, left_out, print_json
from trainer.runtime.distributed import say, together


def dpo(
    model_name_or_path: options.Model,
    dataset: Annotated[Path, typer.Option(help="Pairs, as `engine export --to dpo` writes them.")],
    output_dir: options.OutputDir,
    config: options.Config = None,
    eval_dataset: options.EvalDataset = None,
    learning_rate: options.LearningRate = 1e-6,
    num_train_epochs: options.Epochs = 1.0,
    max_steps: options.MaxSteps = -1,
    per_device_train_batch_size: options.BatchSize = 1,
    gradient_accumulation_steps: options.Accumulation = 8,
    max_length: options.MaxLength = 2048,
    beta: Annotated[
        float, typer.Option("--beta", min=0, help="How strongly the student is held back.")
    ] = 0.1,
    loss_type: Annotated[str, typer.Option("--loss_type", help="sigmoid or ipo.")] = "sigmoid",
    sft_weight: Annotated[
        float, typer.Option("--sft_weight", min=0, help="Of chosen's own loss, added (RPO).")
    ] = 0.0,
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
    """Teach a student to prefer what succeeded, by the log-probability of what the agent wrote."""
    given = chosen(locals())
    prepare_torch()
    with together(), results_only():
        from trainer.training.dpo import Options, dpo

        done = dpo(Options(**given))
    if json_:
        print_json(done)
        return
    say(
        f"{done.used} of {done.rows} pairs used, dropped {left_out(done.dropped)}; "
        f"{done.tokens} tokens, {done.scored_tokens} of them the agent's; "
        f"{course(done)}; "
        f"chosen preferred in {100 * done.accuracy:.0f} % of the last, by {done.margin:.3f}; "
        f"{done.seconds:.0f} s; the model is in {done.output_dir}"
    )
