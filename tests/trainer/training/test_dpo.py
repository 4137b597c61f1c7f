"""DPO: what is scored, against formulas written out by hand."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from torch.nn.functional import logsigmoid
from transformers import AutoModelForCausalLM

from tests.support import commands
from tests.support.rows import PAIRS, STARTED, call, dialogue, pair, write
from trainer.data.preferences import Case, TokenizedCase, read_pairs, tokenize_case
from trainer.errors import TemplateRefused, TrainerError
from trainer.training.dpo import MaskedDPOTrainer, build, dpo
from trainer.training.options import DpoOptions
from trainer.training.output import ADAPTER
from trainer.training.preference_trainer import gather
from trainer.training.run import LoadedModel, open_model

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:transformers")


@pytest.fixture
def options(tiny: Path, tmp_path: Path) -> DpoOptions:
    pairs = write(tmp_path / "pairs.jsonl", PAIRS)
    return DpoOptions(
        model=str(tiny),
        dataset=pairs,
        output_dir=tmp_path / "out",
        per_device_train_batch_size=3,
        gradient_accumulation_steps=1,
        max_length=256,
        bf16=False,
        beta=0.3,
    )


def ready(options: DpoOptions) -> tuple[LoadedModel, MaskedDPOTrainer]:
    student = open_model(options)
    return student, build(options, student, gather(options, student, read_pairs))


def batch_of(trainer: MaskedDPOTrainer) -> dict[str, torch.Tensor]:
    """All pairs at once, in the file's order."""
    return dict(trainer.data_collator(list(trainer.train_dataset)))


def said(messages: Sequence[dict[str, Any]], before: Sequence[dict[str, Any]]) -> str:
    """What the agent wrote after `before`, with its stop tokens."""
    return "".join(m["content"] + "<|im_end|>" for m in messages if m["role"] == "assistant")


def moved(model: torch.nn.Module, use_peft: bool = False) -> None:
    """Move the student away from its reference."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and "norm" not in name:
                parameter.add_((0.2 if use_peft else 0.02) * torch.randn_like(parameter))


def by_hand(model: torch.nn.Module, case: TokenizedCase) -> list[float]:
    """The log-probabilities of what the agent wrote, from plain logits."""
    ids = torch.tensor([case.prompt + case.completion])
    with torch.no_grad():
        chances = model(ids).logits.log_softmax(-1)[0]
    start = len(case.prompt)
    return [
        float(chances[start + at - 1, token])
        for at, (token, counts) in enumerate(zip(case.completion, case.mask, strict=True))
        if counts
    ]


def test_what_the_agent_wrote_is_scored_and_nothing_else(options: DpoOptions) -> None:
    student, trainer = ready(options)
    batch = batch_of(trainer)
    decode = student.renderer.tokenizer.decode
    rows = [*(row["chosen"] for row in PAIRS), *(row["rejected"] for row in PAIRS)]
    for ids, mask, messages in zip(batch["input_ids"], batch["completion_mask"], rows, strict=True):
        assert decode(ids[mask.bool()]) == said(messages, [])
    text = decode(batch["input_ids"][1])
    assert "Observation: 3" in text
    assert text.startswith("<|im_start|>system")


def test_the_context_is_the_whole_path_so_far(options: DpoOptions) -> None:
    student, trainer = ready(options)
    tokenizer, row = student.renderer.tokenizer, trainer.train_dataset[0]
    assert row["prompt_ids"] == tokenizer.apply_chat_template(
        PAIRS[0]["prompt"], add_generation_prompt=True, return_dict=False
    )


@pytest.mark.parametrize("use_peft", [False, True])
@pytest.mark.parametrize(
    ("loss_type", "sft_weight"), [("sigmoid", 0.0), ("ipo", 0.0), ("sigmoid", 0.2)]
)
def test_the_loss_is_the_formula_on_masked_sums(
    options: DpoOptions, loss_type: str, sft_weight: float, use_peft: bool
) -> None:
    options = replace(options, loss_type=loss_type, sft_weight=sft_weight, use_peft=use_peft)
    student, trainer = ready(options)
    assert trainer.ref_model is None
    pairs = gather(options, student, read_pairs).train.rows
    base = AutoModelForCausalLM.from_pretrained(options.model)
    reference = [[by_hand(base, case) for case in row] for row in pairs]
    for row, (chosen, rejected) in zip(trainer.train_dataset, reference, strict=True):
        assert row["ref_chosen_logps"] == pytest.approx(sum(chosen), rel=1e-5)
        assert row["ref_rejected_logps"] == pytest.approx(sum(rejected), rel=1e-5)
    model: Any = trainer.model
    moved(model, use_peft)
    now = [[by_hand(model, case) for case in row] for row in pairs]
    losses = []
    for mine, theirs in zip(now, reference, strict=True):
        gains = [sum(a) - sum(b) for a, b in zip(mine, theirs, strict=True)]
        if loss_type == "ipo":
            means = [gain / len(half) for gain, half in zip(gains, mine, strict=True)]
            losses.append((means[0] - means[1] - 1 / (2 * options.beta)) ** 2)
        else:
            losses.append(-float(logsigmoid(torch.tensor(options.beta * (gains[0] - gains[1])))))
    chosen_tokens = [chance for mine in now for chance in mine[0]]
    expected = sum(losses) / len(losses) - sft_weight * sum(chosen_tokens) / len(chosen_tokens)
    loss = trainer.compute_loss(model, batch_of(trainer))
    assert loss.item() == pytest.approx(expected, rel=1e-4)
    assert abs(expected - 0.6931) > 0.01, "the student has moved"


def test_an_observation_matters_as_context_only(options: DpoOptions) -> None:
    """Other tokens in its place, as many: nothing of theirs is in the loss or has a gradient of
    its own; what changes is what the agent's later tokens see."""
    student, trainer = ready(options)
    model: Any = trainer.model
    batch = batch_of(trainer)
    moved(model)
    row, ids = 1, batch["input_ids"][1].tolist()
    observed = student.renderer.tokenizer("Observation: 3", add_special_tokens=False)["input_ids"]
    start = next(at for at in range(len(ids)) if ids[at : at + len(observed)] == observed)
    where = range(start, start + len(observed))
    assert not batch["completion_mask"][row, where[0] : where[-1] + 1].any()

    def scores(changed: dict[str, torch.Tensor]) -> torch.Tensor:
        labels = changed["input_ids"].masked_fill(changed["completion_mask"] == 0, -100)
        with torch.no_grad():
            out = model(
                input_ids=changed["input_ids"],
                attention_mask=changed["attention_mask"],
                labels=labels,
                fused_lm_head=True,
            )
        return torch.as_tensor(out.log_probs)

    other = {**batch, "input_ids": batch["input_ids"].clone()}
    other["input_ids"][row, where[0] : where[-1] + 1] = 77
    before, after = scores(batch), scores(other)
    # Not one log-probability up to the observation's end has changed; later ones have.
    torch.testing.assert_close(before[:, : where[-1]], after[:, : where[-1]])
    assert not torch.allclose(before[row, where[-1] :], after[row, where[-1] :])
    # A student that is blind to the observation has the very same loss.
    blind = {"attention_mask": batch["attention_mask"].clone()}
    blind["attention_mask"][row, where[0] : where[-1] + 1] = 0
    one = trainer.compute_loss(model, {**batch, **blind})
    two = trainer.compute_loss(model, {**other, **blind})
    assert one.item() == pytest.approx(two.item(), abs=1e-6)
    assert trainer.compute_loss(model, batch).item() != pytest.approx(one.item(), abs=1e-6)


def test_accumulating_changes_nothing(options: DpoOptions) -> None:
    found = []
    for batch, steps in ((2, 1), (1, 2)):
        student, trainer = ready(
            replace(options, per_device_train_batch_size=batch, gradient_accumulation_steps=steps)
        )
        model: Any = trainer.model.train()  # type: ignore[union-attr]
        trainer.current_gradient_accumulation_steps = steps
        rows = list(trainer.train_dataset)[:2]
        for start in range(0, 2, batch):
            trainer.training_step(model, dict(trainer.data_collator(rows[start : start + batch])))
        found.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    assert len(found[0]) > 10
    for name, gradient in found[0].items():
        torch.testing.assert_close(gradient, found[1][name], rtol=1e-4, atol=1e-6)


def test_training_moves_chosen_above_rejected(options: DpoOptions) -> None:
    summary = dpo(
        replace(options, learning_rate=0.01, max_steps=8, warmup_ratio=0.0, logging_steps=1)
    )
    assert (summary.rows, summary.used, summary.steps) == (3, 3, 8)
    assert summary.loss_first == pytest.approx(0.6931, abs=1e-3)
    assert summary.loss_last < 0.2
    assert (summary.accuracy, summary.margin > 1) == (1.0, True)


@pytest.mark.parametrize("use_peft", [False, True])
def test_less_memory_is_the_same_start(options: DpoOptions, use_peft: bool) -> None:
    frugal = {"bf16": True, "gradient_checkpointing": True, "use_peft": use_peft}
    summary = dpo(replace(options, max_steps=2, logging_steps=1, learning_rate=0.01, **frugal))
    assert summary.loss_first == pytest.approx(0.6931, abs=2e-3)
    assert summary.loss_last < summary.loss_first - 0.01


def test_lora_writes_the_merged_model_and_the_adapter(options: DpoOptions, tiny: Path) -> None:
    dpo(replace(options, use_peft=True, max_steps=2, learning_rate=0.01))
    base = AutoModelForCausalLM.from_pretrained(tiny)
    merged = AutoModelForCausalLM.from_pretrained(options.output_dir)
    adapted = PeftModel.from_pretrained(base, str(options.output_dir / ADAPTER))
    ids = torch.tensor([[1, 520, 77, 198]])
    torch.testing.assert_close(merged(ids).logits, adapted(ids).logits, rtol=1e-4, atol=1e-5)


def test_rows_that_cannot_be_pairs_are_counted(options: DpoOptions) -> None:
    same = pair(dialogue("Why?"), dialogue("", "So.")[1:], dialogue("", "So.")[1:])
    mute = pair(STARTED, [{"role": "user", "content": "?"}], dialogue("", "So.")[1:])
    light = pair(STARTED, [dialogue("", "No.")[1] | {"weight": 0}], dialogue("", "So.")[1:])
    write(options.dataset, [*PAIRS, same, mute, light])
    options = replace(options, max_length=90)
    found = gather(options, open_model(options), read_pairs).train
    assert (found.read, len(found.rows)) == (6, 2)
    assert found.dropped == {
        "chosen and rejected are the same": 1,
        "its completion has no assistant message that is trained": 1,
        "two user messages in a row: a reply is missing": 1,
        "over --max-length 90": 1,
    }


def test_a_turn_of_weight_0_is_not_scored(options: DpoOptions) -> None:
    renderer = open_model(options).renderer
    said = dialogue("", "Oops.", "Observation: error", "Right.")[1:]
    whole = tokenize_case(renderer, Case(STARTED, said, [], True))
    said[0]["weight"] = 0
    scored = tokenize_case(renderer, Case(STARTED, said, [], True))
    assert scored.prompt + scored.completion == whole.prompt + whole.completion
    kept = [id for id, counts in zip(scored.completion, scored.mask, strict=True) if counts]
    assert renderer.tokenizer.decode(kept) == "Right.<|im_end|>"


def test_a_template_that_changes_earlier_turns_has_step_pairs_only(options: DpoOptions) -> None:
    student = open_model(options)
    renderer = student.renderer
    forgetful = renderer.tokenizer.chat_template.replace(
        "message['content']",
        "(message['content'] if loop.last or message['role'] != 'assistant' else 'did')",
    )
    assert forgetful != renderer.tokenizer.chat_template
    renderer.tokenizer.chat_template = forgetful
    step = Case(PAIRS[0]["prompt"], PAIRS[0]["chosen"], [], True)
    scored = tokenize_case(renderer, step)
    assert renderer.tokenizer.decode(scored.completion) == call("Books.") + "<|im_end|>"
    whole = Case(PAIRS[1]["prompt"], PAIRS[1]["chosen"], [], True)
    with pytest.raises(Exception, match="export with --pairs step"):
        tokenize_case(renderer, whole)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"loss_type": "zigzag"}, "use sigmoid or ipo"),
        ({"max_length": 5}, "no row is left: over --max-length 5 3"),
        ({"dataset": Path("none.jsonl")}, "none.jsonl: no such file"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_written(
    options: DpoOptions, change: dict[str, Any], reason: str
) -> None:
    with pytest.raises(TrainerError, match=reason):
        dpo(replace(options, **change))
    assert not options.output_dir.exists()


def test_test_pairs_and_tools_without_support_are_refused(options: DpoOptions) -> None:
    write(options.dataset, [{**PAIRS[0], "split": "test"}])
    with pytest.raises(TrainerError, match="1 of 1 rows are of the test split"):
        dpo(options)
    tool = {"type": "function", "function": {"name": "a", "parameters": {"type": "object"}}}
    write(options.dataset, [PAIRS[1], {**PAIRS[0], "tools": [tool]}])
    with pytest.raises(TemplateRefused, match="line 2: .*--template react"):
        dpo(options)


def test_the_command_reads_flags_from_a_file(
    options: DpoOptions, tiny: Path, tmp_path: Path
) -> None:
    config = tmp_path / "dpo.yaml"
    config.write_text(
        f"model_name_or_path: {tiny}\ndataset: {options.dataset}\nmax_steps: 9\nbeta: 0.2\n"
        f"eval_dataset: {options.dataset}\nbf16: false\nmax_length: 256\n"
    )
    out = tmp_path / "out"
    flags = ["--config", str(config), "--output-dir", str(out), "--max-steps", "2", "--json"]
    done = commands.trainer("dpo", *flags)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["steps"], summary["used"]) == (2, 3)
    assert summary["eval_loss"] == pytest.approx(0.6931, abs=0.05)
    kept = json.loads((out / "treegraft.json").read_text("utf-8"))
    assert (kept["command"], kept["beta"], kept["max_steps"]) == ("dpo", 0.2, 2)
    assert AutoModelForCausalLM.from_pretrained(out)
