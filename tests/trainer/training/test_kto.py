"""KTO on single successes and failures: what is scored, against the formula written out by hand."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.support.rows import AGENT, PAIRS, write
from trainer.data.preferences import read_cases
from trainer.errors import TrainerError
from trainer.training.kto import MaskedKTOTrainer, build, check, kto
from trainer.training.options import KtoOptions
from trainer.training.preference_trainer import PreferenceData, gather
from trainer.training.run import LoadedModel, open_model

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:transformers")


@pytest.fixture
def options(tiny: Path, tmp_path: Path) -> KtoOptions:
    rows = [{"messages": row, "reward": n / 2} for n, row in enumerate(AGENT[:4])]
    return KtoOptions(
        model=str(tiny),
        dataset=write(tmp_path / "rows.jsonl", rows),
        output_dir=tmp_path / "out",
        per_device_train_batch_size=4,
        gradient_accumulation_steps=1,
        max_length=256,
        bf16=False,
        beta=0.3,
        undesirable_weight=0.5,
    )


def found(options: KtoOptions, student: LoadedModel) -> PreferenceData:
    return gather(options, student, lambda file: read_cases(file, options.min_reward))


def ready(options: KtoOptions) -> tuple[LoadedModel, MaskedKTOTrainer]:
    student = open_model(options)
    return student, build(options, student, found(options, student))


def masked_sum(model: torch.nn.Module, prompt: list[int], rest: list[int], mask: list[int]) -> Any:
    ids = torch.tensor([prompt + rest])
    with torch.no_grad():
        chances = model(ids).logits.log_softmax(-1)[0]
    start = len(prompt)
    return sum(chances[start + at - 1, id] for at, id in enumerate(rest) if mask[at])


@pytest.mark.parametrize("use_peft", [False, True])
def test_the_loss_is_the_formula_on_masked_sums(options: KtoOptions, use_peft: bool) -> None:
    _, trainer = ready(replace(options, use_peft=use_peft))
    assert trainer.ref_model is None
    base = AutoModelForCausalLM.from_pretrained(options.model)
    model: Any = trainer.model
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and "norm" not in name:
                parameter.add_((0.2 if use_peft else 0.02) * torch.randn_like(parameter))
    rows = list(trainer.train_dataset)

    def gain(row: dict[str, Any], rest: str, mask: str) -> float:
        case = row["prompt_ids"], row[rest], row[mask]
        return float(masked_sum(model, *case) - masked_sum(base, *case))

    gains = [gain(row, "completion_ids", "completion_mask") for row in rows]
    drift = max(sum(gain(row, "KL_completion_ids", "KL_mask") for row in rows) / len(rows), 0.0)
    losses = []
    for row, one in zip(rows, gains, strict=True):
        sign, weight = (1, 1.0) if row["label"] else (-1, 0.5)
        losses.append(weight * (1 - float(torch.sigmoid(torch.tensor(0.3 * sign * (one - drift))))))
    loss = trainer.compute_loss(model, dict(trainer.data_collator(rows)))
    assert loss.item() == pytest.approx(sum(losses) / len(losses), rel=1e-4)
    assert max(map(abs, gains)) > 0.1, "the student has moved"


def test_what_the_agent_wrote_is_scored_in_both_kinds_of_case(options: KtoOptions) -> None:
    student, trainer = ready(options)
    batch = trainer.data_collator(list(trainer.train_dataset))
    decode = student.renderer.tokenizer.decode
    wrote = {
        "".join(m["content"] + "<|im_end|>" for m in row if m["role"] == "assistant")
        for row in AGENT[:4]
    }
    for prefix in ("", "KL_"):
        scored = [
            decode(ids[mask.bool()])
            for ids, mask in zip(
                batch[f"{prefix}input_ids"], batch[f"{prefix}completion_mask"], strict=True
            )
        ]
        assert set(scored) == wrote
    # Every prompt stands with another's completion.
    assert all(row["completion_ids"] != row["KL_completion_ids"] for row in trainer.train_dataset)


def test_rewards_and_pairs_say_what_is_a_success(options: KtoOptions) -> None:
    student = open_model(options)
    good = [case.good for (case,) in found(options, student).train.rows]
    assert good == [False, False, True, True]
    some = replace(options, min_reward=0.5)
    assert [case.good for (case,) in found(some, student).train.rows] == [False, True, True, True]
    write(options.dataset, PAIRS)
    assert [case.good for (case,) in found(options, student).train.rows] == [True, False] * 3


def test_training_learns_from_both(options: KtoOptions) -> None:
    summary = kto(replace(options, learning_rate=0.01, max_steps=6, warmup_ratio=0.0))
    assert (summary.rows, summary.used, summary.successes) == (4, 4, 2)
    assert summary.loss_last < summary.loss_first - 0.05
    student = open_model(options)
    cases = [case for (case,) in found(options, student).train.rows]
    for good, before in ((True, summary.successes_before), (False, summary.failures_before)):
        scores = [
            masked_sum(student.model, case.prompt, case.completion, case.mask)
            for case in cases
            if case.good == good
        ]
        assert before == pytest.approx(float(sum(scores)) / 2, rel=1e-4)
    apart = summary.successes_before - summary.failures_before
    assert summary.successes_after - summary.failures_after > apart + 1
    assert AutoModelForCausalLM.from_pretrained(options.output_dir)


def test_packed_cases_have_the_loss_and_the_gradients_of_padded_ones(options: KtoOptions) -> None:
    """The same question is asked in all of them, and in the mismatched cases."""
    asked, said = AGENT[0][:1], [AGENT[0][1:], AGENT[1][1:2], AGENT[2][1:], AGENT[3][1:]]
    write(options.dataset, [{"messages": asked + s, "reward": n % 2} for n, s in enumerate(said)])
    losses, gradients, widths = [], [], []
    for mode in ("off", "on"):
        _, trainer = ready(replace(options, tree_packing=mode))
        model: Any = trainer.model
        torch.manual_seed(1)
        with torch.no_grad():  # away from the reference, so that the KL term counts
            for parameter in model.parameters():
                parameter.add_(0.02 * torch.randn_like(parameter))
        seen: list[int] = []
        model.get_input_embeddings().register_forward_hook(
            lambda module, given, out, seen=seen: seen.append(given[0].numel())
        )
        loss = trainer.compute_loss(model, dict(trainer.data_collator(list(trainer.train_dataset))))
        loss.backward()
        losses.append(loss.item())
        gradients.append({name: p.grad for name, p in model.named_parameters()})
        widths.append(sum(seen))
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-5, atol=1e-5)
    assert widths[1] < widths[0], "what the cases share was computed once"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"min_reward": 0.0}, "4 successes and 0 failures are left .*--min-reward 0"),
        ({"per_device_train_batch_size": 1}, "batch size must be > 1"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_written(
    options: KtoOptions, change: dict[str, Any], reason: str
) -> None:
    with pytest.raises(TrainerError, match=reason):
        kto(replace(options, **change))
    assert not options.output_dir.exists()


def test_rows_without_a_reward_are_named(options: KtoOptions) -> None:
    write(options.dataset, [{"messages": AGENT[0]}])
    with pytest.raises(TrainerError, match='line 1: a row must have "reward"'):
        kto(options)


def test_held_out_cases_of_one_kind_are_refused(options: KtoOptions) -> None:
    student = open_model(options)
    cases = found(options, student)
    only = found(replace(options, min_reward=0.0), student).train
    with pytest.raises(TrainerError, match="4 successes and 0 failures"):
        check(PreferenceData(cases.train, only))
