"""A reference model that follows the student (TR-DPO: Gorbatovski et al. 2024, arXiv:2404.09656).

Every few steps, reference = share x student + (1 - share) x reference, weight by weight. The
reference of full training is a second model; with LoRA it is a second adapter on the same base, so
what is mixed are the adapter's matrices. TRL moves a reference too, but not with LoRA, and its
checkpoints do not hold it.
"""

from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from trainer.errors import TrainerError
from trainer.training.output import checkpoint_folder

ADAPTER_NAME = "ref"
"""The adapter that TRL takes for the reference."""
_FILE = "reference.safetensors"


class MovingReference(TrainerCallback):
    """Moves the reference after every `steps` optimizer steps, and keeps it in checkpoints.

    Attributes:
        weights: The reference's weights, by their name in the student.

    Args:
        student: The model that is trained.
        reference: The model that follows it; None for an adapter of `student`'s.
        share: How much of the student the reference takes each time.
        steps: Optimizer steps between two moves.
    """

    def __init__(
        self, student: torch.nn.Module, reference: torch.nn.Module | None, share: float, steps: int
    ) -> None:
        self.share, self.steps = share, steps
        trained = {name: one for name, one in student.named_parameters() if one.requires_grad}
        self._student = trained
        where = student if reference is None else reference
        self.weights = {
            name: where.get_parameter(name.replace(".default.", f".{ADAPTER_NAME}."))
            for name in trained
        }

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Move the reference if it is time; transformers calls this after an optimizer step."""
        if state.global_step % self.steps:
            return
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.lerp_(self._student[name].to(weight.dtype), self.share)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Take the reference of the checkpoint that training continues from, if any."""
        if not state.global_step:
            return
        file = checkpoint_folder(Path(str(args.output_dir)), state.global_step) / _FILE
        if not file.is_file():
            raise TrainerError(f"{file.parent} has no {_FILE}: it cannot be resumed from")
        kept = load_file(file)
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(kept[name])

    def save(self, checkpoint: Path) -> None:
        """Write the reference into a checkpoint's folder."""
        checkpoint.mkdir(parents=True, exist_ok=True)
        save_file(
            {name: one.contiguous() for name, one in self.weights.items()}, checkpoint / _FILE
        )


def add_reference_adapter(student: PeftModel) -> None:
    """Give `student` an adapter for the reference, equal to its own, which is not trained."""
    student.add_adapter(ADAPTER_NAME, student.peft_config["default"])
    with torch.no_grad():
        for name, weight in student.named_parameters():
            if ".default." in name:
                twin = student.get_parameter(name.replace(".default.", f".{ADAPTER_NAME}."))
                twin.copy_(weight)
                twin.requires_grad_(False)
