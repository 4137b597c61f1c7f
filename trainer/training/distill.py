"""Distillation: a student learns a local teacher's distribution of each token that the agent wrote.

    loss of a step = sum(weights x divergence of the two distributions) / sum(loss_denominator)

The rows, masks and weights are those of SFT; the divergence is that of TRL's GKDTrainer (Agarwal et
al. 2024, arXiv:2306.13649). TRL's own trainers do not serve: they generate the replies themselves,
to single prompts or with Python functions as tools, so no world is played; they have no weight per
token; and they refuse a teacher whose output layer is padded to another size. Rows of the student's
own paths make it on-policy.
"""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from trainer.data.mask import IGNORE
from trainer.errors import TrainerError
from trainer.runtime.loading import load
from trainer.tokens.comparison import difference
from trainer.training.loss import WeightedTrainer
from trainer.training.options import DistillOptions
from trainer.training.run import LoadedModel
from trainer.training.sft import SftSummary, fit
from trainer.training.trl_config import uses_bf16

with warnings.catch_warnings(action="ignore"):  # that all of trl.experimental may change
    from trl.experimental.gkd import GKDTrainer

_jsd: Callable[..., torch.Tensor] = GKDTrainer.generalized_jsd_loss


class DistillationTrainer(WeightedTrainer):
    """The trainer of SFT, with a divergence from the teacher in place of the likelihood.

    Args:
        *args: As of `WeightedTrainer`.
        teacher: The teacher.
        tokens: Number of tokens that both models know; further logits are padding.
        beta: Which divergence; see `DistillOptions`.
        temperature: Of both distributions.
        **kwargs: As of `WeightedTrainer`.
    """

    def __init__(
        self,
        *args: Any,
        teacher: PreTrainedModel,
        tokens: int,
        beta: float,
        temperature: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        frozen = teacher.train(False).requires_grad_(False)
        self.teacher: Any = self.accelerator.prepare_model(frozen, evaluation_mode=True)
        self.tokens, self.beta, self.temperature = tokens, beta, temperature

    def compute_loss(
        self,
        model: Callable[..., Any],
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Return the weighted divergence; logits are computed where some row has a label."""
        weights, denominator = inputs.pop("weights")[:, 1:], inputs.pop("loss_denominator")
        labelled = inputs.pop("labels")[:, 1:] != IGNORE
        positions = labelled.any(dim=0).nonzero()[:, 0]
        labelled, weights = labelled[:, positions], weights[:, positions]
        inputs |= {"use_cache": False, "logits_to_keep": positions}
        outputs = model(**inputs)
        with torch.no_grad():
            taught = self.teacher(**inputs).logits
        divergence = _jsd(
            outputs.logits[labelled][:, : self.tokens].float(),
            taught[labelled][:, : self.tokens].float(),
            beta=self.beta,
            temperature=self.temperature,
            reduction="none",
        ).sum(dim=-1)
        total = (divergence * weights[labelled]).sum()
        if num_items_in_batch is None:  # in evaluation
            loss = total / denominator.sum()
        else:
            processes = self.accelerator.num_processes
            share = processes if self.args.average_tokens_across_devices else 1
            loss = total * share / torch.as_tensor(num_items_in_batch).clamp(min=1)
        return (loss, outputs) if return_outputs else loss


def distill(options: DistillOptions) -> SftSummary:
    """Train, and write the model; its losses are divergences, in nats per token.

    Raises:
        TrainerError: A flag, a file or a model cannot be used; nothing was written.
    """
    return fit(options, "distill", partial(with_teacher, options))


def with_teacher(options: DistillOptions, student: LoadedModel) -> Callable[..., WeightedTrainer]:
    """Return what makes the trainer; this loads the teacher.

    Raises:
        TrainerError: There is no such teacher, or its tokens are not the student's.
    """
    dtype = torch.bfloat16 if uses_bf16(options) else torch.float32
    teacher, tokenizer = load(options.teacher, dtype)
    check_tokens(student, options.teacher, tokenizer)
    longest = getattr(teacher.config, "max_position_embeddings", student.max_length)
    if longest < student.max_length:
        raise TrainerError(
            f"--teacher {options.teacher} takes {longest} tokens: lower --max-length to that"
        )
    return partial(
        DistillationTrainer,
        teacher=teacher,
        tokens=max(tokenizer.get_vocab().values()) + 1,
        beta=options.beta,
        temperature=options.temperature,
    )


def check_tokens(student: LoadedModel, name: str, teacher: PreTrainedTokenizerBase) -> None:
    """Check that both models have the same tokens, so that their distributions can be compared.

    Raises:
        TrainerError: They differ; the message names a token.
    """
    if shown := difference(student.renderer.tokenizer, teacher, special=False):
        raise TrainerError(
            f"--teacher {name} has other tokens than {student.name} ({shown}); distillation "
            "compares the two models token by token: take a teacher with the student's tokenizer, "
            "or train on its replies by `trainer sft`"
        )
