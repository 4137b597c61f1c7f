"""MaskedDPOTrainer in a plain TRL script, against `trainer dpo` and against TRL's own."""

from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer

import treegraft
from tests.support.rows import PAIRS, write
from trainer.data.preferences import read_pairs
from trainer.errors import TrainerError
from trainer.training.dpo import build
from trainer.training.options import DpoOptions
from trainer.training.preference_trainer import gather
from trainer.training.run import open_model

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:transformers")


def plain(kind: type[DPOTrainer], tiny: Path, tmp_path: Path, **more: Any) -> DPOTrainer:
    """What a script with TRL makes; `kind` is all that changes."""
    return kind(
        AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32),
        args=DPOConfig(
            str(tmp_path / "plain"),
            per_device_train_batch_size=len(PAIRS),
            max_steps=2,
            learning_rate=1e-3,
            beta=0.3,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            bf16=False,
            gradient_checkpointing=False,
            dataloader_pin_memory=False,
            **more,
        ),
        train_dataset=Dataset.from_list([{k: v for k, v in p.items() if v} for p in PAIRS]),
        processing_class=AutoTokenizer.from_pretrained(tiny),
    )


@pytest.mark.parametrize("precomputed", [False, True])
def test_its_loss_is_that_of_trainer_dpo(tiny: Path, tmp_path: Path, precomputed: bool) -> None:
    mine = plain(treegraft.MaskedDPOTrainer, tiny, tmp_path, precompute_ref_log_probs=precomputed)
    options = DpoOptions(
        model=str(tiny),
        dataset=write(tmp_path / "pairs.jsonl", PAIRS),
        output_dir=tmp_path / "out",
        per_device_train_batch_size=len(PAIRS),
        gradient_accumulation_steps=1,
        max_steps=2,
        learning_rate=1e-3,
        max_length=256,
        bf16=False,
        beta=0.3,
    )
    student = open_model(options)
    ours = build(options, student, gather(options, student, read_pairs))
    # The schedules differ: so does what each step learns, until they are the same.
    for name in ("warmup_steps", "lr_scheduler_type", "logging_steps", "max_grad_norm"):
        setattr(ours.args, name, getattr(mine.args, name))
    for name in ("weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon", "optim"):
        setattr(ours.args, name, getattr(mine.args, name))
    ours.args.save_strategy = mine.args.save_strategy
    losses = []
    for trainer in (mine, ours):
        trainer.train()
        losses.append([log["loss"] for log in trainer.state.log_history if "loss" in log])
    assert len(losses[0]) == 2 and losses[0][1] < losses[0][0]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def gradients(trainer: DPOTrainer) -> tuple[torch.Tensor, torch.Tensor]:
    """Whether each token's log-probability has a gradient; and the batch's token ids.

    The last hidden state before a token decides its log-probability and no other.
    """
    model: Any = trainer.model
    kept: list[torch.Tensor] = []
    hook = model.model.norm.register_forward_hook(
        lambda _, __, output: (output.retain_grad(), kept.append(output))[0]
    )
    batch = dict(trainer.data_collator(list(trainer.train_dataset)))
    ids = batch["input_ids"]
    trainer.compute_loss(model, batch).backward()
    hook.remove()
    (grad,) = [one.grad for one in kept if one.grad is not None]
    return grad[:, :-1].abs().sum(-1) > 0, ids[:, 1:]


def test_tool_output_has_no_gradient(tiny: Path, tmp_path: Path) -> None:
    found = {}
    for kind in (treegraft.MaskedDPOTrainer, DPOTrainer):
        trainer = plain(kind, tiny, tmp_path)
        learns, ids = gradients(trainer)
        decode = trainer.processing_class.decode
        found[kind] = [decode(row[seen]) for seen, row in zip(learns, ids, strict=True)]
    masked, theirs = found.values()
    for column, texts in (("chosen", masked[:3]), ("rejected", masked[3:])):
        for pair, text in zip(PAIRS, texts, strict=True):
            replies = [m["content"] for m in pair[column] if m["role"] == "assistant"]
            assert text == "".join(f"{reply}<|im_end|>" for reply in replies)
    assert "Observation: 3" in theirs[1] and "Observation: 5" in theirs[4]


def test_a_streamed_data_set_is_refused(tiny: Path, tmp_path: Path) -> None:
    rows = Dataset.from_list([{k: v for k, v in p.items() if v} for p in PAIRS])
    with pytest.raises(TrainerError, match="the train data set is streamed"):
        treegraft.MaskedDPOTrainer(
            AutoModelForCausalLM.from_pretrained(tiny),
            args=DPOConfig(str(tmp_path), max_steps=2, bf16=False, report_to="none"),
            train_dataset=rows.to_iterable_dataset(),
            processing_class=AutoTokenizer.from_pretrained(tiny),
        )
