"""What every kind of training does around TRL's trainer: load the model, train, save, summarise."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub import HfApi
from peft import PeftModel
from transformers import (
    EarlyStoppingCallback,
    PreTrainedModel,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from trainer.data.contamination import read_held_out
from trainer.data.row_check import RowCheck
from trainer.errors import TrainerError
from trainer.inference.local_chat import stop_ids
from trainer.runtime import distributed
from trainer.runtime.hub import uploading
from trainer.runtime.kernels import FLASH, Attention, attention, usable_flash
from trainer.runtime.loading import load
from trainer.tokens.chat_template import ChatTemplate
from trainer.training import deepspeed
from trainer.training.options import TrainingOptions
from trainer.training.output import ADAPTER, OPTIONS, LogFile, OutputFolder, step_of, written_whole
from trainer.training.trl_config import uses_bf16, weight_dtype


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model to train, with its chat template.

    Attributes:
        name: Directory, hub id or smollm2.
        model: The model.
        renderer: Its tokenizer and chat template.
        max_length: Longest sequence in tokens: --max-length, or fewer where the model takes fewer.
        attention: The attention to compute with, unless its rows are packed as trees.
    """

    name: str
    model: PreTrainedModel
    renderer: ChatTemplate
    max_length: int
    attention: Attention = "sdpa"

    def settle_attention(self, packed: bool) -> None:
        """Make the model compute with `attention`, unless its rows are packed as trees."""
        if not packed and self.attention in FLASH and self.model._supports_flash_attn:
            self.model.set_attn_implementation(self.attention)
            distributed.say_once(f"attention: {self.attention}")


@dataclass(frozen=True, slots=True)
class TrainingSummary:
    """What every command reports of its training.

    Attributes:
        steps: Optimizer steps, those before a resumption included.
        epochs: Passes over the rows; the last one may be a part of one.
        resumed: Step from which training was resumed, or 0.
        loss_first: First logged loss.
        loss_last: Last logged loss.
        eval_loss: Lowest held-out loss, or None without --eval-dataset.
        seconds: Training time of this process.
        output_dir: Directory of the trained model.
    """

    steps: int
    epochs: float
    resumed: int
    loss_first: float
    loss_last: float
    eval_loss: float | None
    seconds: float
    output_dir: str


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """How training went.

    Attributes:
        state: transformers' state, with every log entry.
        seconds: Training time of this process.
        resumed: Step from which training was resumed, or 0.
        output_dir: Directory of the trained model.
    """

    state: TrainerState
    seconds: float
    resumed: int
    output_dir: Path

    def figures(self, name: str) -> list[float]:
        """Return every value of a logged figure, in order."""
        return [entry[name] for entry in self.state.log_history if name in entry]

    def summary(self) -> dict[str, Any]:
        """Return the values of a `TrainingSummary`."""
        losses, held_out = self.figures("loss"), self.figures("eval_loss")
        return {
            "steps": self.state.global_step,
            "epochs": round(float(self.state.epoch or 0), 4),
            "resumed": self.resumed,
            "loss_first": losses[0] if losses else float("nan"),
            "loss_last": losses[-1] if losses else float("nan"),
            "eval_loss": min(held_out) if held_out else None,
            "seconds": round(self.seconds, 1),
            "output_dir": str(self.output_dir),
        }


def open_model(options: TrainingOptions) -> LoadedModel:
    """Load the model to train; join the other processes first.

    Raises:
        TrainerError: There is no such model, or what a flag asks for cannot be used.
    """
    dtype, asked = weight_dtype(options), options.attn_implementation
    best = attention(asked, usable_flash(), uses_bf16(options))
    deepspeed.start(options.deepspeed)
    transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    transformers.set_seed(options.seed)
    with deepspeed.loading(options.deepspeed, uses_bf16(options)):
        # With auto, trees may be packed, which needs sdpa: see `settle_attention`.
        model, tokenizer = load(options.model, dtype, "sdpa" if asked == "auto" else best)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    longest = getattr(model.config, "max_position_embeddings", options.max_length)
    max_length = min(options.max_length, longest)
    return LoadedModel(options.model, model, ChatTemplate(tokenizer), max_length, best)


def row_check(options: TrainingOptions) -> RowCheck:
    """Return what the rows to train on must not be.

    Raises:
        TreegraftError: A file or run of --held-out cannot be read.
    """
    held_out = read_held_out(options.held_out, test_splits=not options.allow_test_split)
    return RowCheck(options.allow_test_split, held_out, options.drop_held_out)


class EpochEndEvaluation(TrainerCallback):
    """Takes an epoch's held-out loss at its last step, before that step's checkpoint.

    transformers evaluates after saving the checkpoint, so a run killed in between would resume
    without that loss.
    """

    _evaluated = 0  # the step at which the loss was taken

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Evaluate at the end of an epoch; transformers calls this before it saves."""
        ended = state.epoch == int(state.epoch or 0) or control.should_training_stop
        if args.eval_strategy == "epoch" and args.save_strategy == "steps" and ended:
            control.should_evaluate, self._evaluated = True, state.global_step

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Do not evaluate again; transformers calls this after `on_step_end`."""
        if self._evaluated == state.global_step:
            control.should_evaluate = False


class NothingLeft(Exception):
    """The checkpoint to continue from is of the last step."""


class LastStep(TrainerCallback):
    """Ends a training that was complete, except for the model's own files, before it begins.

    transformers looks for the end after a step only, so it would take one step too many.
    """

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Raise `NothingLeft`; transformers calls this when the checkpoint is loaded."""
        if state.global_step >= state.max_steps > 0 and not args.load_best_model_at_end:
            raise NothingLeft


def callbacks(output_dir: Path, patience: int) -> list[TrainerCallback]:
    """Return the log file, the evaluation at epoch ends, and early stopping if `patience` > 0."""
    found: list[TrainerCallback] = [
        LogFile(output_dir),
        EpochEndEvaluation(),
        LastStep(),
    ]
    if patience:
        found.append(EarlyStoppingCallback(patience))
    return found


@contextmanager
def flags_checked() -> Iterator[None]:
    """Report what TRL's configs and trainers refuse as an error in the user's flags.

    Raises:
        TrainerError: TRL refused a value; the message is TRL's.
        HubError: With --push-to-hub, the hub refused to make the repository.
    """
    try:
        then = "nothing was trained: run the same command again"
        with uploading("the hub", then, alone=False):
            yield
    except (ValueError, ImportError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise TrainerError(f"TRL refuses these flags: {reason}") from error


def run(trainer: Any, student: LoadedModel, output: OutputFolder) -> TrainingResult:
    """Train, resume from a checkpoint where there is one, and write the model.

    Args:
        trainer: A trainer of TRL's.
        student: The model as it was loaded.
        output: Where to write.

    Raises:
        TrainerError: The weights could not be written; the last checkpoint is kept.
        HubError: The model was written, and could not be pushed.
    """
    trainer.remove_callback(transformers.PrinterCallback)
    deepspeed.check_flags(trainer.args)
    trainer.accelerator.wait_for_everyone()
    if trainer.accelerator.is_main_process:
        output.prepare()
    trainer.accelerator.wait_for_everyone()
    checkpoint = output.checkpoint()
    start = time.monotonic()
    with written_whole(output.path), suppress(NothingLeft):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    seconds = time.monotonic() - start
    with written_whole(output.path, model=True):
        _save(trainer, student, output.path)
    if trainer.args.push_to_hub and distributed.is_main():
        _push(trainer, output.path)
    resumed = step_of(checkpoint) if checkpoint else 0
    return TrainingResult(trainer.state, seconds, resumed, output.path)


def _save(trainer: Any, student: LoadedModel, folder: Path) -> None:
    """Write the trained model as servers and `from_pretrained` load it.

    Every process calls this, since each may hold a part of the weights; the main one writes.
    """
    model = trainer.model
    weights: Mapping[str, torch.Tensor] | None = None
    if isinstance(model, PeftModel):
        adapted = [one for one in model.parameters() if one.requires_grad]
        with deepspeed.gathered(adapted):
            if distributed.is_main():
                # A reference that moves has an adapter too, which is of no use afterwards.
                model.save_pretrained(str(folder / ADAPTER), selected_adapters=["default"])
    elif deepspeed.is_partitioned(model):
        weights = trainer.accelerator.get_state_dict(trainer.deepspeed)
    if not distributed.is_main():
        return
    if isinstance(model, PeftModel):
        model = _merged(model, student.name, folder)
    # Servers stop at what generation_config names; the model learned the template's stop token.
    model.generation_config.eos_token_id = sorted(stop_ids(model, student.renderer))
    model.save_pretrained(str(folder), state_dict=weights)
    student.renderer.tokenizer.save_pretrained(str(folder))


def _push(trainer: Any, folder: Path) -> None:
    """Push the finished model with TRL's card to the repository that TRL made.

    TRL's own `push_to_hub` would first write the model again: of an adapter, not the merged one.
    """
    place = trainer.hub_model_id
    with uploading(place, f"the model is in {folder}: push it with `hf upload {place} {folder}`"):
        trainer.create_model_card(model_name=place.split("/")[-1])
        HfApi().upload_folder(
            repo_id=place,
            folder_path=folder,
            commit_message="End of training",
            # The options name files of this machine.
            ignore_patterns=["_*", f"{PREFIX_CHECKPOINT_DIR}-*", OPTIONS],
        )
    distributed.say_once(f"model pushed to {place}")


def _merged(model: PeftModel, base_name: str, folder: Path) -> Any:
    """Return the whole model with its adapter merged."""
    if not deepspeed.is_partitioned(model):
        return model.merge_and_unload()
    # No process holds all of the partitioned weights: merge the adapter on disk into the original.
    deepspeed.forget()
    base, _ = load(base_name, model.dtype)
    return PeftModel.from_pretrained(base, folder / ADAPTER).merge_and_unload()
