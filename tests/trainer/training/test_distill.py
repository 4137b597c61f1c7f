"""Distillation: the loss is the divergence on the agent's tokens, and training lowers it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from tests.support.rows import AGENT, BATCH, write
from trainer.data.mask import IGNORE
from trainer.errors import TrainerError
from trainer.training.distill import check_tokens, distill, with_teacher
from trainer.training.options import DistillOptions
from trainer.training.run import open_model
from trainer.training.sft import build, gather

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:transformers")


@pytest.fixture(scope="module")
def teacher(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A narrower model with the student's tokenizer, whose output layer is padded."""
    torch.manual_seed(1)
    config = LlamaConfig.from_pretrained(tiny)
    config.update({"hidden_size": 16, "vocab_size": config.vocab_size + 7})
    folder = tmp_path_factory.mktemp("teacher")
    LlamaForCausalLM(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny).save_pretrained(folder)
    return folder


@pytest.fixture
def options(tiny: Path, teacher: Path, tmp_path: Path) -> DistillOptions:
    rows = write(tmp_path / "rows.jsonl", ({"messages": row} for row in AGENT))
    return DistillOptions(
        model=str(tiny),
        teacher=str(teacher),
        dataset=rows,
        output_dir=tmp_path / "out",
        max_length=256,
        bf16=False,
        **BATCH,
    )


def divergence(own: torch.Tensor, taught: torch.Tensor, beta: float) -> torch.Tensor:
    """The generalised Jensen-Shannon divergence of log-probabilities, as the paper writes it."""

    def kl(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        return (p.exp() * (p - q)).sum(-1)

    if beta in (0, 1):
        return kl(own, taught) if beta else kl(taught, own)
    mixed = (beta * taught.exp() + (1 - beta) * own.exp()).log()
    return beta * kl(taught, mixed) + (1 - beta) * kl(own, mixed)


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0])
def test_the_loss_is_the_weighted_divergence_on_the_agents_tokens(
    options: DistillOptions, beta: float
) -> None:
    options = replace(options, beta=beta, temperature=1.5, thought_weight=0.25)
    student = open_model(options)
    make = with_teacher(options, student)
    trainer = build(options, student, gather(options, student), make)
    teacher = AutoModelForCausalLM.from_pretrained(options.teacher)
    vocabulary = len(student.renderer.tokenizer)
    batch: dict[str, Any] = dict(next(iter(trainer.get_train_dataloader())))
    found = trainer.compute_loss(trainer.model, dict(batch))
    seen = {name: batch[name] for name in ("input_ids", "attention_mask")}
    own, taught = (
        (model(**seen).logits[:, :-1, :vocabulary] / 1.5).log_softmax(-1)
        for model in (trainer.model, teacher)
    )
    agent = batch["labels"][:, 1:] != IGNORE
    weights = batch["weights"][:, 1:]
    assert set(weights[agent].tolist()) == {0.25, 1.0} and not weights[~agent].any()
    each = divergence(own, taught, beta)
    expected = (each * weights).sum() / batch["loss_denominator"].sum()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    found.backward()
    assert all(p.grad is None for p in trainer.teacher.parameters())


def test_training_lowers_it(options: DistillOptions) -> None:
    done = distill(replace(options, num_train_epochs=8, learning_rate=0.02, logging_steps=1))
    assert (done.used, done.steps) == (5, 24)
    assert done.loss_last < 0.7 * done.loss_first
    AutoModelForCausalLM.from_pretrained(options.output_dir)


def test_models_with_other_tokens_are_refused(options: DistillOptions) -> None:
    student = open_model(options)
    other = AutoTokenizer.from_pretrained(options.model)
    other.add_tokens(["<more>"])
    with pytest.raises(TrainerError, match="--teacher big has other tokens .*'<more>'") as raised:
        check_tokens(student, "big", other)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"beta": 1.5}, "--beta 1.5: must be at most 1"),
        ({"tree_packing": "on"}, "--tree-packing on: use off"),
        ({"deepspeed": "zero2"}, "leave it out"),
    ],
)
def test_what_distillation_cannot_do_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(TrainerError, match=reason):
        DistillOptions(model="m", teacher="t", dataset=Path("r"), output_dir=Path("o"), **change)
