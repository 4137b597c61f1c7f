"""The `trainer` command. Parses and prints; the work is in the modules it calls.

Modules are imported inside the commands: `trainer --help` must not wait for torch.
"""

import json
import sys
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.flags import Data, Db, Limit, Sandbox, Split, given
from engine.terminal import Json, Unsafe, confirmed, guarded, resumable, say
from trainer.errors import TrainerError

app = typer.Typer(
    name="trainer",
    help="Train a student on rows; measure it in the environments.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


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


# TRL spells its flags with underscores, and takes hyphens too.
@app.command(context_settings={"token_normalize_func": lambda name: name.replace("-", "_")})
def sft(
    model_name_or_path: Annotated[
        str, typer.Option("--model_name_or_path", help="A directory, a hub id, or smollm2.")
    ],
    dataset: Annotated[Path, typer.Option(help="Rows, as `engine export --to sft` writes them.")],
    output_dir: Annotated[Path, typer.Option("--output_dir", help="Where the model goes.")],
    config: Annotated[
        Path | None,
        typer.Option(help="YAML of these flags; flags win.", callback=_defaults, is_eager=True),
    ] = None,
    learning_rate: Annotated[float, typer.Option("--learning_rate", help="At its highest.")] = 5e-5,
    num_train_epochs: Annotated[
        float, typer.Option("--num_train_epochs", help="Times over the rows.")
    ] = 1.0,
    max_steps: Annotated[
        int, typer.Option("--max_steps", help="Optimizer steps, instead of epochs.")
    ] = -1,
    per_device_train_batch_size: Annotated[
        int, typer.Option("--per_device_train_batch_size", min=1, help="Rows at once.")
    ] = 1,
    gradient_accumulation_steps: Annotated[
        int, typer.Option("--gradient_accumulation_steps", min=1, help="Batches a step.")
    ] = 8,
    max_length: Annotated[
        int, typer.Option("--max_length", min=1, help="Tokens; longer rows are dropped.")
    ] = 2048,
    warmup_ratio: Annotated[
        float, typer.Option("--warmup_ratio", min=0, max=1, help="Of all steps.")
    ] = 0.05,
    lr_scheduler_type: Annotated[
        str, typer.Option("--lr_scheduler_type", help="linear, cosine, constant, ...")
    ] = "linear",
    weight_decay: Annotated[float, typer.Option("--weight_decay", help="AdamW's.")] = 0.0,
    logging_steps: Annotated[
        int, typer.Option("--logging_steps", min=1, help="Steps between log lines.")
    ] = 5,
    save_strategy: Annotated[
        str, typer.Option("--save_strategy", help="Checkpoints: no, epoch or steps.")
    ] = "no",
    report_to: Annotated[
        str, typer.Option("--report_to", help="none, wandb, tensorboard, ...")
    ] = "none",
    seed: Annotated[int, typer.Option(help="Of the order of rows and of LoRA.")] = 42,
    bf16: Annotated[
        bool | None,
        typer.Option("--bf16/--no-bf16", help="Autocast.", show_default="where it is fast"),
    ] = None,
    gradient_checkpointing: Annotated[
        bool | None,
        typer.Option(
            "--gradient_checkpointing/--no-gradient_checkpointing",
            help="Less memory, more time.",
            show_default="on GPUs",
        ),
    ] = None,
    use_peft: Annotated[
        bool, typer.Option("--use_peft", help="LoRA: the merged model, and adapter/ beside it.")
    ] = False,
    lora_r: Annotated[int, typer.Option("--lora_r", min=1, help="LoRA's rank.")] = 16,
    lora_alpha: Annotated[int, typer.Option("--lora_alpha", min=1, help="LoRA's scale.")] = 32,
    overwrite_output_dir: Annotated[
        bool, typer.Option("--overwrite_output_dir", help="Replace what is there.")
    ] = False,
    json_: Json = False,
) -> None:
    """Fine-tune on rows, with loss on exactly what the agent wrote and its stop token."""
    given = {name: value for name, value in locals().items() if name not in ("config", "json_")}
    _prepare_torch()
    from trainer.sft import Options, sft

    done = asdict(sft(Options(**given)))
    if json_:
        print(json.dumps(done))
        return
    dropped = ", ".join(f"{reason}: {number}" for reason, number in done["dropped"].items())
    say(
        f"{done['used']} of {done['rows']} rows used, dropped {dropped or 'none'}; "
        f"{done['tokens']} tokens, {done['trained_tokens']} trained; {done['steps']} steps, "
        f"loss {done['loss_first']:.3f} to {done['loss_last']:.3f}; {done['seconds']:.0f} s, "
        f"{done['tokens_per_second']:.0f} tokens/s; the model is in {output_dir}"
    )


@app.command(name="eval")
def eval_(
    env: Annotated[str, typer.Option(help="A registered environment, or module:Class.")] = "",
    model: Annotated[
        str, typer.Option(help="A directory, a hub id, smollm2; or the endpoint's name of it.")
    ] = "",
    base_url: Annotated[
        str, typer.Option(help="An endpoint, instead of a model in this process.")
    ] = "",
    data: Data = None,
    split: Split = None,
    limit: Limit = None,
    tasks: Annotated[str, typer.Option(help="Task ids, a,b,c; or @FILE of one id a line.")] = "",
    template: Annotated[str, typer.Option(help="How messages are written: native, react.")] = (
        "react"
    ),
    depth: Annotated[int, typer.Option(min=1, help="Steps a task.")] = 12,
    max_tokens: Annotated[int, typer.Option(min=1, help="Tokens a reply, at most.")] = 256,
    temperature: Annotated[float, typer.Option(min=0, help="0 takes the likeliest token.")] = 0.0,
    concurrency: Annotated[
        int | None,
        typer.Option(min=1, help="Tasks at once.", show_default="32 here, 8 of an endpoint"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of sampling.")] = 0,
    sandbox: Sandbox = "auto",
    unsafe: Unsafe = False,
    db: Db = None,
    format_: Annotated[
        str | None,
        typer.Option(
            "--format", help="For --env python, of --data: humaneval, mbpp, gsm8k, jsonl."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder; the same command resumes it.")
    ] = None,
    compare: Annotated[
        list[Path] | None,
        typer.Option(help="A run to print beside; once for each. The first is compared with."),
    ] = None,
    json_: Json = False,
) -> None:
    """Run a student on tasks and report how it did; or, without --env, compare runs."""
    from trainer.evaluate import Evaluation, evaluate, read

    reports = [read(run) for run in compare or []]
    if env:
        if not model or out is None:
            raise TrainerError("--env needs --model and --out")
        confirmed(sandbox, unsafe)
        options = given(db=db, format=format_)
        if not base_url:
            _prepare_torch()
        wanted: dict[str, Any] = {
            name: value
            for name, value in locals().items()
            if name in Evaluation.__dataclass_fields__
        }
        with resumable():
            reports.append(evaluate(Evaluation(**wanted), out))
    elif not reports:
        raise TrainerError("say what to measure: --env and --model, or runs to --compare")
    if json_:
        print(json.dumps([report.to_dict() for report in reports]))
    else:
        from rich.console import Console

        from trainer.report import table

        Console().print(table(reports))
    if env and reports[-1].failed:
        say(f"{reports[-1].failed} tasks failed; the same command tries them again")
        raise typer.Exit(1)


def _prepare_torch() -> None:
    from trainer.hardware import share_cores

    missing = [name for name in ("torch", "transformers", "trl") if find_spec(name) is None]
    if missing:
        raise TrainerError(f"{missing[0]} is not installed: pip install 'treegraft[train]'")
    share_cores()


def main() -> None:
    """Entry point of `trainer`."""
    sys.exit(guarded(app))
