"""The folder that a training run writes: options, log, checkpoints, and in the end the model.

OUTPUT/treegraft.json        the resolved options and versions
OUTPUT/training_log.jsonl    a line for every log of the trainer
OUTPUT/checkpoint-N/         where --save_strategy asks for them
OUTPUT/*.safetensors ...     the model; with LoRA the merged one, and adapter/ beside it
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch
import transformers
import trl
from peft import PeftModel
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from engine.runs.atomic import write_text
from trainer.errors import TrainerError
from trainer.inference.local_chat import stop_ids
from trainer.runtime import distributed
from trainer.runtime.loading import load
from trainer.tokens.chat_template import ChatTemplate
from trainer.training import deepspeed
from trainer.training.options import Training

LOG, OPTIONS, ADAPTER = "training_log.jsonl", "treegraft.json", "adapter"

_MAY_DIFFER = {"resume_from_checkpoint", "overwrite_output_dir", "report_to", "save_total_limit"}
"""Options that a run may change when it goes on: they do not touch what is computed."""


def claim(options: Training, command: str) -> None:
    """See that the output folder is free, is this run's to go on with, or may be replaced.

    Raises:
        TrainerError: it is not; nothing was touched.
    """
    folder = options.output_dir
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if options.resume_from_checkpoint:
        _check_same(options, command)
        if last_checkpoint(folder) is None and (folder / "config.json").exists():
            raise TrainerError(f"{folder} holds a finished model, and no checkpoint to go on from")
        return
    if not options.overwrite_output_dir:
        raise TrainerError(
            f"{folder} is not empty: go on with --resume_from_checkpoint, choose another "
            "--output_dir, or replace it with --overwrite_output_dir"
        )
    if not (folder / OPTIONS).is_file():
        raise TrainerError(
            f"{folder} holds something else than an output of `trainer`: "
            "--overwrite_output_dir would delete it; choose another --output_dir"
        )


def begin(options: Training, command: str) -> None:
    """Make the folder anew; or, where there is a checkpoint to go on from, keep it.

    Of several processes one calls this, and the others wait for it.
    """
    folder = options.output_dir
    checkpoint = last_checkpoint(folder) if options.resume_from_checkpoint else None
    if checkpoint is None:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        versions = {"torch": torch, "transformers": transformers, "trl": trl}
        resolved = {
            **_resolved(options, command),
            "versions": {name: str(module.__version__) for name, module in versions.items()},
        }
        write_text(folder / OPTIONS, json.dumps(resolved, indent=2) + "\n")
    else:
        _forget_after(folder / LOG, _step(checkpoint))


def last_checkpoint(folder: Path) -> Path | None:
    """The last checkpoint that was written to its end: a kill may leave half of one."""
    found = [one for one in folder.glob("checkpoint-*") if one.name[11:].isdecimal()]
    whole = [one for one in found if _is_whole(one)]
    return max(whole, key=_step, default=None)


class Log(TrainerCallback):
    """Writes a line of JSON for every log of the trainer."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / LOG

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **_: Any,
    ) -> None:
        if state.is_world_process_zero:
            with self.file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps({"step": state.global_step, **(logs or {})}) + "\n")


def save(trainer: Any, options: Training, renderer: ChatTemplate) -> None:
    """Write the model as servers and `from_pretrained` load it.

    trainer: TRL's, done. Every process calls this, since each may hold a part of the weights; the
    main one writes.
    """
    folder, model = options.output_dir, trainer.model
    weights: Mapping[str, torch.Tensor] | None = None
    if isinstance(model, PeftModel):
        adapted = [one for one in model.parameters() if one.requires_grad]
        with deepspeed.gathered(adapted):
            if distributed.is_main():
                model.save_pretrained(str(folder / ADAPTER))
    elif deepspeed.is_split(model):
        weights = trainer.accelerator.get_state_dict(trainer.deepspeed)
    if not distributed.is_main():
        return
    if isinstance(model, PeftModel):
        model = _merged(model, options)
    # Servers stop at what generation_config names; the model has learnt the template's stop token.
    model.generation_config.eos_token_id = sorted(stop_ids(model, renderer))
    model.save_pretrained(str(folder), state_dict=weights)
    renderer.tokenizer.save_pretrained(str(folder))


def _merged(model: PeftModel, options: Training) -> Any:
    """The whole model with its adapter in it."""
    if not deepspeed.is_split(model):
        return model.merge_and_unload()
    # No process has the whole of a model in pieces. The adapter is on disk, and so is the rest.
    deepspeed.forget()
    base, _ = load(options.model_name_or_path, model.dtype)
    return PeftModel.from_pretrained(base, options.output_dir / ADAPTER).merge_and_unload()


def _resolved(options: Training, command: str) -> dict[str, Any]:
    given = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(options).items()}
    return {"command": command, "processes": distributed.count(), **given}


def _check_same(options: Training, command: str) -> None:
    file = options.output_dir / OPTIONS
    try:
        before = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise TrainerError(
            f"{options.output_dir} holds no run of `trainer {command}` to go on with: choose "
            "another --output_dir"
        ) from error
    before.setdefault("processes", 1)
    now = _resolved(options, command)
    if other := sorted(k for k in now if k not in _MAY_DIFFER and now[k] != before.get(k)):
        changed = ", ".join(f"{name} was {before.get(name)}" for name in other)
        raise TrainerError(
            f"{options.output_dir} is the run of another command ({changed}): give the same flags, "
            "or choose another --output_dir"
        )


def _is_whole(checkpoint: Path) -> bool:
    """The trainer's state is what transformers writes last in the main process; what each of the
    others writes last is its random state, a zip file, whose end says that it is whole."""
    try:
        state = json.loads((checkpoint / "trainer_state.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    others = (checkpoint / f"rng_state_{rank}.pth" for rank in range(1, distributed.count()))
    return bool(state["global_step"] == _step(checkpoint)) and all(map(is_zipfile, others))


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _forget_after(log: Path, step: int) -> None:
    """Cut from the log what the killed run did after the checkpoint: it is done again."""
    kept = []
    for line in log.read_text("utf-8").splitlines() if log.exists() else []:
        try:
            entry = json.loads(line)
        except ValueError:  # the kill came while it was written
            break
        if entry["step"] <= step:
            kept.append(line + "\n")
    write_text(log, "".join(kept))
