"""Direct preference optimisation (Rafailov et al. 2023, arXiv:2305.18290) of a student on pairs.

TRL's DPOTrainer, with log-probabilities of only what the agent wrote.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from torch.utils.data import Sampler
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

from trainer.data.preferences import TokenizedPreferences, read_pairs
from trainer.errors import TrainerError
from trainer.runtime.distributed import say_once
from trainer.training.length_sampler import LengthGroupedSampler
from trainer.training.masked_trl import MaskedPreferenceCollator, preference_columns
from trainer.training.moving_reference import MovingReference, add_reference_adapter
from trainer.training.options import DpoOptions
from trainer.training.output import checkpoint_folder, claim
from trainer.training.pair_loss import PairLoss, check_kinds, check_named, pair_weights
from trainer.training.preference_figures import Ranking, at_boundary, rank, warning_of_fall
from trainer.training.preference_trainer import (
    PreferenceData,
    PreTokenizedMixin,
    finish_setup,
    gather,
)
from trainer.training.run import (
    LoadedModel,
    TrainingResult,
    TrainingSummary,
    callbacks,
    flags_checked,
    open_model,
    run,
)
from trainer.training.token_budget import with_passes
from trainer.training.trl_config import lora_config, total_steps, trl_arguments
from trainer.tree_packing.batches import alike

_REFERENCE = ("ref_chosen_logps", "ref_rejected_logps")
"""Columns of the log-probabilities before training."""
_WEIGHTS = ("pair_weight", "sft_weight")
"""Columns of `PairWeights`."""


@dataclass(frozen=True, slots=True)
class DpoSummary(TrainingSummary):
    """What DPO reports.

    Log-probabilities are means over pairs of the sum over what the agent wrote.

    Attributes:
        rows: Pairs read.
        used: Pairs trained on.
        dropped: Pairs left out, by reason.
        tokens: Tokens of one epoch.
        scored_tokens: Those of them that the agent wrote.
        ranked_wrong: Share of pairs whose rejected half is at least as likely as the chosen one
            before training; of all pairs, those included that --boundary leaves out.
        chosen_before: Log-probability of chosen before training, of the pairs trained on.
        chosen_after: The same at the end: what the pairs of the last log entry gained, added.
        margin_before: Log-probability of chosen minus that of rejected, before training.
        margin_after: The same at the end.
        accuracy: Share of pairs whose chosen half has the higher reward, in the last log entry.
        margin: By how much, in log-probability times beta.
        eval_margin: Highest held-out gain of chosen on rejected in log-probability, or None.
    """

    rows: int
    used: int
    dropped: Mapping[str, int]
    tokens: int
    scored_tokens: int
    ranked_wrong: float
    chosen_before: float
    chosen_after: float
    margin_before: float
    margin_after: float
    accuracy: float
    margin: float
    eval_margin: float | None


class WeightedCollator(MaskedPreferenceCollator):
    """The collator of masked pairs, with the weights of pairs."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """Return a batch, chosen halves first."""
        batch = super().torch_call(examples)
        for name in _WEIGHTS:
            if name in examples[0]:  # not where the reference is computed: see `build`
                batch[name] = torch.tensor([example[name] for example in examples])
        return batch


class PairDPOTrainer(PreTokenizedMixin, DPOTrainer):
    """TRL's trainer, for rows as `preference_columns` makes them, with the loss of `pair_loss`.

    Attributes:
        before: How the student ranked the pairs before training, all of them.
    """

    before: Ranking

    def __init__(self, *args: Any, loss: PairLoss, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._loss = loss
        self._moving: MovingReference | None = None

    def follow(self, reference: MovingReference) -> None:
        """Take the log-probabilities of a reference that moves, instead of the rows' columns."""
        self._moving = reference
        self.add_callback(reference)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Return the loss of a batch; TRL computes its figures."""
        weight, sft_weight = (inputs.pop(name) for name in _WEIGHTS)
        start = reference = torch.stack([inputs[name] for name in _REFERENCE])
        if self._moving:
            compute_reference: Callable[..., Any] = self.compute_ref_log_probs
            found = compute_reference(self.ref_model or self.model, inputs)
            reference = torch.stack(found)
            inputs |= dict(zip(_REFERENCE, found, strict=True))  # for TRL's figures
        outputs: list[Any] = []

        def noted(**kwargs: Any) -> Any:
            outputs.append(model(**kwargs))
            return outputs[-1]

        compute: Callable[..., Any] = super().compute_loss
        compute(noted, inputs, False, num_items_in_batch)
        (out,) = outputs
        scores = torch.stack(out.log_probs.sum(dim=1).chunk(2))  # (2, pairs), chosen first
        lengths = torch.stack(inputs["completion_mask"].sum(dim=1).chunk(2))
        self._note(scores.detach() - start)
        losses = weight * self._loss(scores - reference, lengths)
        loss = (losses - sft_weight * scores[0] / lengths[0]).mean()
        if self.aux_loss_enabled:
            loss = loss + self.router_aux_loss_coef * out.aux_loss
        return (loss, out) if return_outputs else loss

    def _note(self, gains: torch.Tensor) -> None:
        """Log by how much the halves, (2, pairs), have become more likely in training."""
        student: Any = self.model
        mode = "train" if student.training else "eval"
        chosen, rejected = self.accelerator.gather(gains.T.contiguous()).mean(dim=0).tolist()
        self._metrics[mode]["gain/chosen"].append(chosen)
        self._metrics[mode]["gain/rejected"].append(rejected)
        self._metrics[mode]["gain/margin"].append(chosen - rejected)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        if self._moving and self.args.should_save:
            folder = checkpoint_folder(Path(str(self.args.output_dir)), self.state.global_step)
            self._moving.save(folder)
        save: Callable[..., None] = super()._save_checkpoint
        save(model, trial)

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler[int]:
        rows: Any = self.train_dataset if train_dataset is None else train_dataset
        halves = [rows["prompt_ids"], rows["chosen_ids"], rows["rejected_ids"]]
        lengths = [len(prompt) + max(len(a), len(b)) for prompt, a, b in zip(*halves, strict=True)]
        return LengthGroupedSampler(lengths, self.args.per_device_train_batch_size, self.args.seed)


def dpo(options: DpoOptions) -> DpoSummary:
    """Train, and write the model.

    Raises:
        TrainerError: A flag, a file or the model cannot be used; nothing was written.
    """
    output = claim(options, "dpo")
    student = open_model(options)
    pairs = gather(options, student, read_pairs)
    trainer = build(options, student, pairs)
    say_once(str(trainer.before))
    start = _ranking(trainer.train_dataset)
    if options.boundary is not None:
        left = f"{start.pairs} of {trainer.before.pairs} pairs are left"
        say_once(f"--boundary {options.boundary:g}: {left}; {start.means}")
    summary = _summary(trainer.before, start, pairs, run(trainer, student, output))
    more = "add --sft-weight 1" if not options.sft_weight else "raise --sft-weight"
    remedy = f"{more}, or lower --learning-rate"
    if warning := warning_of_fall(summary.chosen_before, summary.chosen_after, remedy):
        say_once(warning)
    return summary


def _summary(
    before: Ranking, start: Ranking, pairs: PreferenceData, result: TrainingResult
) -> DpoSummary:
    def last(name: str) -> float:
        return (result.figures(name) or [float("nan")])[-1]

    return DpoSummary(
        **pairs.train.counts(),
        ranked_wrong=before.share_wrong,
        chosen_before=start.chosen,
        chosen_after=start.chosen + last("gain/chosen"),
        margin_before=start.margin,
        margin_after=start.margin + last("gain/margin"),
        accuracy=last("rewards/accuracies"),
        margin=last("rewards/margins"),
        eval_margin=max(result.figures("eval_gain/margin"), default=None),
        **result.summary(),
    )


def build(options: DpoOptions, student: LoadedModel, pairs: PreferenceData) -> PairDPOTrainer:
    """Return TRL's trainer, ready to train; this computes the reference's log-probabilities.

    With --boundary, it leaves out pairs of `pairs.train`.

    Raises:
        TrainerError: TRL refuses the value of a flag, or the pairs do not suit the flags.
    """
    asked, options = options, _with_passes(options, pairs.train)
    _check(options, pairs)
    tokenizer = student.renderer.tokenizer
    longest = max(half.tokens for row in pairs.train.rows for half in row)
    packed = alike(options.tree_packing, student.model, longest)
    student.settle_attention(packed)
    train, held_out = pairs.tables(preference_columns)
    copied = options.sync_ref_model and not options.use_peft
    with flags_checked():
        trainer = PairDPOTrainer(
            student.model,
            deepcopy(student.model) if copied else None,
            loss=PairLoss(options.loss_type, options.beta, options.label_smoothing),
            args=DPOConfig(
                **trl_arguments(options, len(train)) | _watched(options),
                beta=options.beta,
                loss_type=[options.loss_type],
                label_smoothing=options.label_smoothing,
                precompute_ref_log_probs=True,
            ),
            data_collator=WeightedCollator(tokenizer.pad_token_id),
            train_dataset=train,
            eval_dataset=held_out,
            processing_class=tokenizer,
            peft_config=lora_config(options),
            callbacks=callbacks(options.output_dir, options.early_stopping_patience),
        )
    finish_setup(trainer, packed, _REFERENCE)
    trainer.before = _ranking(trainer.train_dataset)
    if options.boundary is not None:
        options = _keep_boundary(trainer, pairs.train, asked)
        _check(options, pairs)
    trainer.train_dataset = _weighted(trainer.train_dataset, pairs.train, options)
    if pairs.held_out:
        trainer.eval_dataset = _weighted(trainer.eval_dataset, pairs.held_out, options)
    if options.sync_ref_model:
        _let_reference_move(trainer, options)
    return trainer


def _check(options: DpoOptions, pairs: PreferenceData) -> None:
    """Check the flags that depend on the pairs.

    Raises:
        TrainerError: --step-weight does not find pairs of both kinds, or the training ends before
            its reference would move.
    """
    if options.step_weight is not None:
        check_kinds(pairs.train.kinds)
        check_named(pairs.held_out.kinds if pairs.held_out else [])
    steps, between = total_steps(options, len(pairs.train.rows)), options.ref_model_sync_steps
    if options.sync_ref_model and steps < between:
        raise TrainerError(
            f"--ref-model-sync-steps {between}: the training has {steps} steps, so the reference "
            "would never move; give fewer"
        )


def _watched(options: DpoOptions) -> dict[str, Any]:
    """Return the arguments of the held-out figure that says which model is the best."""
    if options.early_stopping_metric == "loss":
        return {}
    return {"metric_for_best_model": "eval_gain/margin", "greater_is_better": True}


def _ranking(rows: Any) -> Ranking:
    return rank(*_before(rows))


def _before(rows: Any) -> tuple[list[float], list[float]]:
    """Return the log-probabilities of chosen and of rejected before training."""
    chosen, rejected = (list(rows[name]) for name in _REFERENCE)
    return chosen, rejected


def _keep_boundary(
    trainer: PairDPOTrainer, pairs: TokenizedPreferences, options: DpoOptions
) -> DpoOptions:
    """Leave out the pairs that the student ranks right by more than --boundary.

    Returns:
        The options, with as many passes over the pairs that are left as were asked for.
    """
    assert options.boundary is not None
    rows: Any = trainer.train_dataset
    kept = at_boundary(*_before(rows), options.boundary)
    trainer.train_dataset = rows.select(kept)
    pairs.keep(kept, f"ranked right by more than --boundary {options.boundary:g}")
    # There are fewer steps now than when the trainer was made.
    options = _with_passes(options, pairs)
    arguments = trl_arguments(options, len(kept))
    for name in ("warmup_steps", "logging_steps", "num_train_epochs"):
        setattr(trainer.args, name, arguments[name])
    return options


def _with_passes(options: DpoOptions, pairs: TokenizedPreferences) -> DpoOptions:
    return with_passes(options, pairs.counts()["scored_tokens"])


def _weighted(rows: Any, pairs: TokenizedPreferences, options: DpoOptions) -> Dataset:
    weights = pair_weights(pairs.kinds, options.step_weight, options.sft_weight)
    for name, values in zip(_WEIGHTS, (weights.pair, weights.sft), strict=True):
        rows = rows.add_column(name, values)
    return rows


def _let_reference_move(trainer: PairDPOTrainer, options: DpoOptions) -> None:
    """Give the trainer a reference that follows the student."""
    model: Any = trainer.model
    if isinstance(model, PeftModel):
        add_reference_adapter(model)
    trainer.follow(
        MovingReference(
            model, trainer.ref_model, options.ref_model_mixup_alpha, options.ref_model_sync_steps
        )
    )
