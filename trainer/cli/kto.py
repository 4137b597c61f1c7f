"""The command `trainer kto`: its flags, and what it says in the end."""

from pathlib import Path
from typing import Annotated

import typer

from engine.terminal import Json, results_only
from trainer.cli import options
from trainer.cli.options import chosen, prepare_torch
from trainer.cli.report import course, left_out, print_json
from trainer.runtime.distributed import say, together


def kto(
    model_name_or_path: options.Model,
    dataset: Annotated[
        Path, typer.Option(help="Rows of `engine export --to sft --min-reward 0`, or pairs.")
    ],
    output_dir: options.OutputDir,
    config: options.Config = None,
    eval_dataset: options.EvalDataset = None,
    learning_rate: options.LearningRate = 1e-6,
    num_train_epochs: options.Epochs = 1.0,
    max_steps: options.MaxSteps = -1,
    per_device_train_batch_size: options.BatchSize = 4,
    gradient_accumulation_steps: options.Accumulation = 2,
    max_length: options.MaxLength = 2048,
    min_reward: Annotated[
        float, typer.Option("--min_reward", min=0, max=1, help="From which a row is a success.")
    ] = 1.0,
    beta: Annotated[
        float, typer.Option("--beta", min=0, help="How strongly the student is held back.")
    ] = 0.1,
    desirable_weight: Annotated[
        float, typer.Option("--desirable_weight", min=0, help="Of successes.")
    ] = 1.0,
    undesirable_weight: Annotated[
        float, typer.Option("--undesirable_weight", min=0, help="Of failures.")
    ] = 1.0,
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
    """Teach a student by single successes and failures, where there are no pairs."""
    given = chosen(locals())
    prepare_torch()
    with together(), results_only():
        from trainer.training.kto import Options, kto

        done = kto(Options(**given))
    if json_:
        print_json(done)
        return
    say(
        f"{done.used} of {done.rows} cases used, {done.successes} successes, "
        f"dropped {left_out(done.dropped)}; "
        f"{done.tokens} tokens, {done.scored_tokens} of them the agent's; "
        f"{course(done)}; "
        f"{done.seconds:.0f} s; the model is in {done.output_dir}"
    )
