"""The folder that a training run writes: options, log, checkpoints, and in the end the model.

OUTPUT/treegraft.json        the resolved options and versions
OUTPUT/training_log.jsonl    a line per log entry of the trainer
OUTPUT/checkpoint-N/         where --save-strategy asks for them
OUTPUT/*.safetensors ...     the model; with LoRA the merged one, and adapter/ beside it
"""

import errno
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch
import transformers
import trl
from safetensors import SafetensorError
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from trainer.data.row_source import fingerprint
from trainer.errors import TrainerError
from trainer.runtime import distributed
from trainer.training.options import TrainingOptions
from treegraft.write_files import check_folder, write_text

LOG, OPTIONS, ADAPTER = "training_log.jsonl", "treegraft.json", "adapter"

_MAY_DIFFER = {
    "resume_from_checkpoint",
    "overwrite_output_dir",
    "report_to",
    "save_total_limit",
    "push_to_hub",
    "hub_model_id",
    "hub_private_repo",
}
"""Options that a resumed run may change: they do not affect what is computed."""


@dataclass(frozen=True, slots=True)
class OutputFolder:
    """The output folder of a run, which is free or may be written to.

    Attributes:
        path: The folder.
        record: The resolved options; a resumed run must have the same.
        resume: Whether to continue from the last checkpoint.
    """

    path: Path
    record: Mapping[str, Any]
    resume: bool = False

    def checkpoint(self) -> Path | None:
        """Return the checkpoint to continue from, if any."""
        return last_checkpoint(self.path) if self.resume else None

    def prepare(self) -> None:
        """Empty the folder; or, where there is a checkpoint to continue from, keep it.

        The main process calls this while the others wait.
        """
        if checkpoint := self.checkpoint():
            _truncate_log(self.path / LOG, step_of(checkpoint))
            return
        if self.path.exists():
            shutil.rmtree(self.path)
        self.path.mkdir(parents=True)
        versions = {"torch": torch, "transformers": transformers, "trl": trl}
        record = {
            **self.record,
            "versions": {name: str(module.__version__) for name, module in versions.items()},
        }
        write_text(self.path / OPTIONS, json.dumps(record, indent=2) + "\n")


def claim(options: TrainingOptions, command: str) -> OutputFolder:
    """Return the output folder, once it is free, resumable, or replaceable. Write nothing.

    Raises:
        TrainerError: The folder holds something else, or another run.
        FileError: Nothing can be written there.
    """
    record = {
        "command": command,
        "processes": distributed.world_size(),
        **{each.name: _plain(getattr(options, each.name)) for each in fields(options)},
    }
    output = OutputFolder(options.output_dir, record, options.resume_from_checkpoint)
    folder = output.path
    check_folder(folder)
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return output
    if output.resume:
        _check_same(folder, record, options)
        if last_checkpoint(folder) is None and (folder / "config.json").exists():
            raise TrainerError(f"{folder} holds a finished model, and no checkpoint to resume from")
    elif not options.overwrite_output_dir:
        raise TrainerError(
            f"{folder} is not empty: continue with --resume-from-checkpoint, choose another "
            "--output, or replace it with --overwrite-output-dir"
        )
    elif not (folder / OPTIONS).is_file():
        raise TrainerError(
            f"{folder} holds something other than an output of `trainer`: "
            "--overwrite-output-dir would delete it; choose another --output"
        )
    return output


def last_checkpoint(folder: Path) -> Path | None:
    """Return the last checkpoint that is complete; a killed run may leave half of one.

    `transformers.trainer_utils.get_last_checkpoint` takes the last one, complete or not.
    """
    found = [one for one in folder.glob("checkpoint-*") if one.name[11:].isdecimal()]
    return max(filter(_is_complete, found), key=step_of, default=None)


def checkpoint_folder(folder: Path, step: int) -> Path:
    """Return where transformers writes the checkpoint of an optimizer step."""
    return folder / f"checkpoint-{step}"


def step_of(checkpoint: Path) -> int:
    """Return the optimizer step at which a checkpoint was written."""
    return int(checkpoint.name.rpartition("-")[2])


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
_TORCH_WRITER = re.compile(r"inline_container\.cc|PytorchStreamWriter")
"""How torch words it that a file could not be written to its end."""


@contextmanager
def written_whole(folder: Path, *, model: bool = False) -> Iterator[None]:
    """Report that something could not be written into `folder`; leave nothing half there.

    Args:
        folder: The output folder.
        model: Whether the model is written, which is removed if it is not whole.

    Raises:
        TrainerError: The disk is full, say; the message tells how to go on.
    """
    before = set(folder.iterdir()) if model else set()
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = _no_room(error)
        if not reason:
            raise
        half = [one for one in folder.glob("checkpoint-*") if not _is_complete(one)]
        half += set(folder.iterdir()) - before if model else ()
        for each in half:
            shutil.rmtree(each) if each.is_dir() else each.unlink()
        place = half[0] if half and not model else folder
        raise TrainerError(
            f"the weights could not be written to {place}: {reason}; {_way_on(folder)}"
        ) from error


def _no_room(error: Exception) -> str:
    """Return why a file could not be written, or "" if `error` is about something else."""
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno in _NO_ROOM else ""
    if isinstance(error, SafetensorError):
        found = re.search(r"os error (\d+)", str(error))
        return os.strerror(int(found[1])) if found else ""
    return (
        "a file could not be written to its end; is the disk full?"
        if _TORCH_WRITER.search(str(error))
        else ""
    )


def _way_on(folder: Path) -> str:
    checkpoint = last_checkpoint(folder)
    if checkpoint is None:
        return "there is no checkpoint; make room, then train again"
    return f"make room, then --resume-from-checkpoint goes on from {checkpoint.name}"


class LogFile(TrainerCallback):
    """Writes a line of JSON per log entry of the trainer."""

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
        """Append the entry; transformers calls this."""
        if state.is_world_process_zero:
            with self.file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps({"step": state.global_step, **(logs or {})}) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, tuple) and all(isinstance(each, Path) for each in value):
        return [str(each) for each in value]
    return fingerprint(value) if isinstance(value, Path | tuple) else value


def _check_same(folder: Path, record: Mapping[str, Any], options: TrainingOptions) -> None:
    try:
        before = json.loads((folder / OPTIONS).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise TrainerError(
            f"{folder} holds no run of `trainer {record['command']}` to resume: choose another "
            "--output"
        ) from error
    # An earlier version did not have each of today's options.
    known = {each.name: _plain(each.default) for each in fields(options)}
    known |= {"processes": 1, "model": before.get("model_name_or_path")}
    before = known | before
    if other := sorted(k for k in record if k not in _MAY_DIFFER and record[k] != before.get(k)):
        changed = ", ".join(f"{name} was {before.get(name)}" for name in other)
        raise TrainerError(
            f"{folder} is the run of another command ({changed}): give the same flags, or choose "
            "another --output"
        )


def _is_complete(checkpoint: Path) -> bool:
    """Return whether a checkpoint was written to its end.

    In the main process transformers writes the trainer's state last; in each of the others the
    random state, a zip file, which is readable only if its end was written.
    """
    try:
        state = json.loads((checkpoint / "trainer_state.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    others = (checkpoint / f"rng_state_{rank}.pth" for rank in range(1, distributed.world_size()))
    return bool(state["global_step"] == step_of(checkpoint)) and all(map(is_zipfile, others))


def _truncate_log(log: Path, step: int) -> None:
    """Cut from the log what the killed run did after the checkpoint: it is done again."""
    kept = []
    for line in log.read_text("utf-8").split("\n") if log.exists() else []:
        try:
            entry = json.loads(line)
        except ValueError:  # the run was killed while it wrote this line
            break
        if entry["step"] <= step:
            kept.append(line + "\n")
    write_text(log, "".join(kept))
