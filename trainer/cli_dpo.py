"""The command `trainer dpo`: its flags, and what it says in the end."""

from pathlib import Path
from typing import Annotated

import typer

from engine.terminal import Json, results_only
from trainer import flags
from trainer.cli_report import course, left_out, print_json
from trainer.flags import chosen, prepare_torch
from trainer.processes import say, together


def dpo(
    model_name_or_path: flags.Model,
    dataset: Annotated[Path, typer.Option(help="Pairs, as `engine export --to dpo` writes them.")],
    output_dir: flags.OutputDir,
    config: flags.Config = None,
    eval_dataset: flags.EvalDataset = None,
    learning_rate: flags.LearningRate = 1e-6,
    num_train_epochs: flags.Epochs = 1.0,
    max_steps: flags.MaxSteps = -1,
    per_device_train_batch_size: flags.BatchSize = 1,
    gradient_accumulation_steps: flags.Accumulation = 8,
    max_length: flags.MaxLength = 2048,
    beta: Annotated[
        float, typer.Option("--beta", min=0, help="How strongly the student is held back.")
    ] = 0.1,
    loss_type: Annotated[str, typer.Option("--loss_type", help="sigmoid or ipo.")] = "sigmoid",
    sft_weight: Annotated[
        float, typer.Option("--sft_weight", min=0, help="Of chosen's own loss, added (RPO).")
    ] = 0.0,
    warmup_ratio: flags.Warmup = 0.05,
    lr_scheduler_type: flags.Scheduler = "linear",
    weight_decay: flags.WeightDecay = 0.0,
    logging_steps: flags.LoggingSteps = 5,
    eval_steps: flags.EvalSteps = 0,
    early_stopping_patience: flags.Patience = 0,
    save_strategy: flags.SaveStrategy = "no",
    save_steps: flags.SaveSteps = 100,
    save_total_limit: flags.SaveLimit = None,
    resume_from_checkpoint: flags.Resume = False,
    report_to: flags.ReportTo = "none",
    seed: flags.Seed = 42,
    bf16: flags.Bf16 = None,
    dtype: flags.Dtype = "float32",
    gradient_checkpointing: flags.Checkpointing = None,
    tree_packing: flags.TreePacking = "auto",
    deepspeed: flags.DeepSpeed = None,
    use_peft: flags.UsePeft = False,
    lora_r: flags.LoraR = 16,
    lora_alpha: flags.LoraAlpha = 32,
    overwrite_output_dir: flags.Overwrite = False,
    allow_test_split: flags.AllowTest = False,
    json_: Json = False,
) -> None:
    """Teach a student to prefer what succeeded, by the log-probability of what the agent wrote."""
    given = chosen(locals())
    prepare_torch()
    with together(), results_only():
        from trainer.dpo import Options, dpo

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
