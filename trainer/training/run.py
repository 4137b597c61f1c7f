"""What every kind of training does around TRL's trainer: load, build, run, and say how it went."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import transformers
from transformers import (
    EarlyStoppingCallback,
    PreTrainedModel,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from trainer.errors import TrainerError
from trainer.runtime.loading import load
from trainer.tokens.chat_template import ChatTemplate
from trainer.training import deepspeed
from trainer.training.options import Training, bf16, weight_dtype
from trainer.training.output import Log, begin, claim, last_checkpoint, save


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model to train, and how its chat template writes."""

    model: PreTrainedModel
    renderer: ChatTemplate

    def longest(self, wanted: int) -> int:
        """Tokens that a sequence may have: `wanted`, or fewer where the model takes fewer."""
        return min(wanted, getattr(self.model.config, "max_position_embeddings", wanted))


@dataclass(frozen=True, slots=True)
class TrainingSummary:
    """What every command says of its training.

    resumed: the step it went on from, or 0.   eval_loss: the lowest.   seconds: of this process.
    """

    steps: int
    resumed: int
    loss_first: float
    loss_last: float
    eval_loss: float | None
    seconds: float
    output_dir: str


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """How training went. seconds: of this process.   resumed: the step it went on from, or 0."""

    state: TrainerState
    seconds: float
    resumed: int

    def figures(self, name: str) -> list[float]:
        """Every value of a logged figure, in order."""
        return [entry[name] for entry in self.state.log_history if name in entry]

    def summary(self) -> dict[str, Any]:
        """steps, losses and seconds, as every command reports them."""
        losses, held_out = self.figures("loss"), self.figures("eval_loss")
        return {
            "steps": self.state.global_step,
            "resumed": self.resumed,
            "loss_first": losses[0] if losses else float("nan"),
            "loss_last": losses[-1] if losses else float("nan"),
            "eval_loss": min(held_out) if held_out else None,
            "seconds": round(self.seconds, 1),
        }


def open_model(options: Training, command: str) -> LoadedModel:
    """Claim the output folder and load the model.

    Raises:
        TrainerError: something that the user can mend, before anything is written.
    """
    dtype = weight_dtype(options)
    claim(options, command)
    deepspeed.start(options.deepspeed)
    transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    transformers.set_seed(options.seed)
    with deepspeed.loading(options.deepspeed, bf16(options)):
        model, tokenizer = load(options.model_name_or_path, dtype)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return LoadedModel(model, ChatTemplate(tokenizer))


class EpochEnds(TrainerCallback):
    """Has an epoch's held-out loss taken at its last step, before that step's checkpoint.

    transformers takes it after: who is killed in between would go on without it.
    """

    _taken = 0  # the step at which it was

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        ended = state.epoch == int(state.epoch or 0) or control.should_training_stop
        if args.eval_strategy == "epoch" and args.save_strategy == "steps" and ended:
            control.should_evaluate, self._taken = True, state.global_step

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if self._taken == state.global_step:
            control.should_evaluate = False


def callbacks(options: Training) -> list[TrainerCallback]:
    """The log, epochs' ends, and the early stop where it is asked for."""
    made: list[TrainerCallback] = [Log(options.output_dir), EpochEnds()]
    if options.early_stopping_patience:
        made.append(EarlyStoppingCallback(options.early_stopping_patience))
    return made


@contextmanager
def flags_checked() -> Iterator[None]:
    """Around TRL's configs and trainers: what they refuse is a flag of the user's.

    Raises:
        TrainerError: with TRL's own words.
    """
    try:
        yield
    except (ValueError, ImportError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise TrainerError(f"TRL refuses these flags: {reason}") from error


def run(
    trainer: Trainer, options: Training, renderer: ChatTemplate, command: str
) -> TrainingResult:
    """Train, from a checkpoint where there is one to go on from, and write the model."""
    trainer.remove_callback(transformers.PrinterCallback)
    deepspeed.check_flags(trainer.args)
    processes = trainer.accelerator
    processes.wait_for_everyone()
    if processes.is_main_process:
        begin(options, command)
    processes.wait_for_everyone()
    checkpoint = last_checkpoint(options.output_dir) if options.resume_from_checkpoint else None
    start = time.monotonic()
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    seconds = time.monotonic() - start
    save(trainer, options, renderer)
    resumed = int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
    return TrainingResult(trainer.state, seconds, resumed)
