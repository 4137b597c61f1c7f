"""DPO: what is scored, against formulas written out by hand."""

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from torch.nn.functional import logsigmoid
from transformers import AutoModelForCausalLM
from trl.trainer.dpo_trainer import DPOTrainer

from tests.support import commands
from tests.support.rows import PAIRS, STARTED, call, dialogue, pair, write
from trainer.data.preferences import Case, TokenizedCase, read_pairs, tokenize_case
from trainer.errors import TemplateRefused, TrainerError
from trainer.training.dpo import PairDPOTrainer, build, dpo
from trainer.training.options import DpoOptions
from trainer.training.output import ADAPTER, OPTIONS
from trainer.training.pair_loss import check_kinds
from trainer.training.preference_figures import NOTABLE_FALL, warning_of_fall
from trainer.training.preference_trainer import gather
from trainer.training.run import LoadedModel, open_model

Scores = Sequence[Sequence[float]]
"""The log-probability of each token that the agent wrote, in chosen and in rejected."""

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


def ready(options: DpoOptions) -> tuple[LoadedModel, PairDPOTrainer]:
    student = open_model(options)
    return student, build(options, student, gather(options, student, read_pairs))


def batch_of(trainer: PairDPOTrainer) -> dict[str, torch.Tensor]:
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


@pytest.mark.parametrize(
    ("loss_type", "smoothing", "sft_weight", "use_peft"),
    [
        ("sigmoid", 0.0, 0.0, True),
        ("sigmoid", 0.1, 0.2, False),
        ("sigmoid_norm", 0.0, 0.0, False),
        ("sigmoid_norm", 0.1, 0.0, False),
        ("ipo", 0.0, 0.2, True),
        ("robust", 0.1, 0.0, False),
    ],
)
def test_the_loss_is_the_formula_on_masked_sums(
    options: DpoOptions, loss_type: str, smoothing: float, sft_weight: float, use_peft: bool
) -> None:
    options = replace(
        options,
        loss_type=loss_type,
        label_smoothing=smoothing,
        sft_weight=sft_weight,
        use_peft=use_peft,
    )
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
    losses = [
        loss_by_hand(options, mine, theirs) - sft_weight * sum(mine[0]) / len(mine[0])
        for mine, theirs in zip(now, reference, strict=True)
    ]
    expected = sum(losses) / len(losses)
    batch = batch_of(trainer)
    loss = trainer.compute_loss(model, dict(batch))
    assert loss.item() == pytest.approx(expected, rel=1e-4)
    assert abs(expected - 0.6931) > 0.01, "the student has moved"
    if loss_type == "robust" or not (smoothing or sft_weight):
        plain = {name: value for name, value in batch.items() if "weight" not in name}
        theirs = DPOTrainer.compute_loss(trainer, model, plain)
        assert loss.item() == pytest.approx(theirs.item(), rel=1e-5), "TRL's own"


def loss_by_hand(options: DpoOptions, mine: Scores, theirs: Scores) -> float:
    """The loss of a pair, whose halves' tokens have these log-probabilities."""
    gains = [sum(a) - sum(b) for a, b in zip(mine, theirs, strict=True)]
    if options.loss_type in ("ipo", "sigmoid_norm"):
        gains = [gain / len(half) for gain, half in zip(gains, mine, strict=True)]
    if options.loss_type == "ipo":
        return float((gains[0] - gains[1] - 1 / (2 * options.beta)) ** 2)
    delta = torch.tensor(options.beta * (gains[0] - gains[1]))
    right, wrong = -float(logsigmoid(delta)), -float(logsigmoid(-delta))
    share = options.label_smoothing
    if options.loss_type == "robust":
        return ((1 - share) * right - share * wrong) / (1 - 2 * share)
    return (1 - share) * right + share * wrong


KINDS = ["step", "trajectory", "trajectory"]


def test_steps_trajectories_and_chosen_paths_are_one_loss(options: DpoOptions) -> None:
    """IPR's sum of three means, however the rows are put into batches."""
    rows = [row | {"pair_kind": kind} for row, kind in zip(PAIRS, KINDS, strict=True)]
    options = replace(options, dataset=rows, step_weight=0.5, sft_weight=0.25)
    student, trainer = ready(options)
    pairs = gather(options, student, read_pairs).train.rows
    model: Any = trainer.model
    reference = [[by_hand(model, case) for case in row] for row in pairs]
    moved(model)
    now = [[by_hand(model, case) for case in row] for row in pairs]
    losses = [loss_by_hand(options, *scores) for scores in zip(now, reference, strict=True)]
    learned = [-sum(mine[0]) / len(mine[0]) for mine in now]
    expected = (losses[1] + losses[2]) / 2 + 0.5 * losses[0] + 0.25 * (learned[1] + learned[2]) / 2
    assert trainer.compute_loss(model, batch_of(trainer)).item() == pytest.approx(
        expected, rel=1e-4
    )
    alone = [trainer.data_collator([row]) for row in trainer.train_dataset]
    found = [trainer.compute_loss(model, batch).item() for batch in alone]
    assert sum(found) / 3 == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("kinds", "reason"),
    [
        (["step", "", "trajectory"], "1 of 3 pairs do not say their pair_kind"),
        (["step"] * 3, "0 of 3 pairs are of trajectories: export both"),
    ],
)
def test_a_weight_of_steps_needs_both_kinds(kinds: list[str], reason: str) -> None:
    with pytest.raises(TrainerError, match=reason):
        check_kinds(kinds)


@pytest.mark.parametrize("use_peft", [False, True])
def test_a_reference_that_moves_is_a_mix_of_weights(options: DpoOptions, use_peft: bool) -> None:
    """Its log-probabilities are of the weights mixed by hand, the figures of those at the start."""
    options = replace(
        options,
        use_peft=use_peft,
        sync_ref_model=True,
        ref_model_mixup_alpha=0.6,
        ref_model_sync_steps=1,
    )
    student, trainer = ready(options)
    pairs = gather(options, student, read_pairs).train.rows
    model: Any = trainer.model
    trained = {name: one for name, one in model.named_parameters() if one.requires_grad}
    assert len(trained) > 10
    assert not any(".ref." in name for name in trained)
    before = {name: one.detach().clone() for name, one in trained.items()}
    start = [[sum(by_hand(model, case)) for case in row] for row in pairs]
    moved(model, use_peft)
    after = {name: one.detach().clone() for name, one in trained.items()}
    now = [[by_hand(model, case) for case in row] for row in pairs]
    mixed = {name: 0.4 * before[name] + 0.6 * after[name] for name in trained}
    with torch.no_grad():
        for name, one in trained.items():
            one.copy_(mixed[name])
    reference = [[by_hand(model, case) for case in row] for row in pairs]
    with torch.no_grad():
        for name, one in trained.items():
            one.copy_(after[name])
    trainer.state.global_step = 1
    trainer.callback_handler.on_step_end(trainer.args, trainer.state, trainer.control)
    expected = [loss_by_hand(options, *scores) for scores in zip(now, reference, strict=True)]
    model.train()
    loss = trainer.compute_loss(model, batch_of(trainer))
    assert loss.item() == pytest.approx(sum(expected) / 3, rel=1e-4)
    assert abs(sum(expected) / 3 - 0.6931) > 0.001
    gains = [sum(mine[0]) - was[0] for mine, was in zip(now, start, strict=True)]
    assert trainer._metrics["train"]["gain/chosen"] == [pytest.approx(sum(gains) / 3, rel=1e-3)]
    loss.backward()
    assert {name for name, one in model.named_parameters() if one.grad is not None} == set(trained)


@pytest.mark.parametrize("use_peft", [False, True])
def test_a_reference_that_moves_is_resumed(
    options: DpoOptions, tmp_path: Path, use_peft: bool
) -> None:
    options = replace(
        options,
        use_peft=use_peft,
        sync_ref_model=True,
        ref_model_sync_steps=2,
        max_steps=3,
        save_strategy="steps",
        save_steps=2,
        learning_rate=0.01,
    )
    whole = dpo(options)
    again = replace(options, output_dir=tmp_path / "again", resume_from_checkpoint=True)
    shutil.copytree(options.output_dir / "checkpoint-2", again.output_dir / "checkpoint-2")
    shutil.copy(options.output_dir / OPTIONS, again.output_dir)
    kept = json.loads((again.output_dir / OPTIONS).read_text("utf-8"))
    kept["output_dir"] = str(again.output_dir)
    (again.output_dir / OPTIONS).write_text(json.dumps(kept), "utf-8")
    resumed = dpo(again)
    assert (resumed.resumed, resumed.steps) == (2, 3)
    assert resumed.loss_last == pytest.approx(whole.loss_last, rel=1e-5)
    assert resumed.chosen_after == pytest.approx(whole.chosen_after, rel=1e-5)
    one, two = (
        AutoModelForCausalLM.from_pretrained(each.output_dir).state_dict()
        for each in (options, again)
    )
    for name, weight in one.items():
        torch.testing.assert_close(weight, two[name])
    if use_peft:
        assert sorted(p.name for p in (again.output_dir / ADAPTER).iterdir() if p.is_dir()) == []


def test_only_pairs_at_the_boundary_are_trained_on(
    options: DpoOptions, capsys: pytest.CaptureFixture[str]
) -> None:
    backwards = {"chosen": PAIRS[2]["rejected"], "rejected": PAIRS[2]["chosen"]}
    rows = [*PAIRS[:2], PAIRS[2] | backwards]
    options = replace(options, dataset=rows)
    _, trainer = ready(options)
    scores = [
        list(trainer.train_dataset[name]) for name in ("ref_chosen_logps", "ref_rejected_logps")
    ]
    margins = [good - bad for good, bad in zip(*scores, strict=True)]
    wrong = sum(margin <= 0 for margin in margins)
    assert 0 < wrong < 3, "the tiny model ranks some pairs right, some wrong"
    assert (trainer.before.wrong, trainer.before.pairs) == (wrong, 3)
    assert trainer.before.margin == pytest.approx(sum(margins) / 3)
    widest = max(margins)
    options = replace(options, boundary=widest - 0.01, max_steps=2, learning_rate=0.0)
    summary = dpo(options)
    assert (summary.rows, summary.used) == (3, 2)
    assert summary.dropped == {f"ranked right by more than --boundary {widest - 0.01:g}": 1}
    assert summary.ranked_wrong == pytest.approx(wrong / 3)
    left = [number for number in range(3) if margins[number] < widest]
    assert summary.chosen_before == pytest.approx(sum(scores[0][n] for n in left) / 2)
    assert summary.margin_before == pytest.approx(sum(margins[n] for n in left) / 2)
    assert summary.chosen_after == pytest.approx(summary.chosen_before, abs=1e-4)
    said = capsys.readouterr().err
    assert f"ranks {wrong} of 3 pairs ({100 * wrong / 3:.0f} %) wrong" in said
    assert "2 of 3 pairs are left" in said
    assert "warning" not in said
    none = [row for row, margin in zip(rows, margins, strict=True) if margin == widest]
    with pytest.raises(TrainerError, match="ranks all 1 pairs right by more, the closest by"):
        dpo(replace(options, dataset=none, boundary=0.0, output_dir=options.output_dir / "no"))


def test_a_fall_of_the_chosen_replies_is_told(
    options: DpoOptions, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both halves begin alike: pushing one down takes the other with it."""
    prompt = dialogue("Why?")
    both = [dialogue("", f"Because {word}.")[1:] for word in ("it does", "it does not at all")]
    options = replace(
        options,
        dataset=[{"prompt": prompt, "chosen": both[0], "rejected": both[1]}],
        max_steps=8,
        learning_rate=0.01,
        warmup_ratio=0.0,
    )
    summary = dpo(options)
    assert summary.chosen_after < summary.chosen_before - NOTABLE_FALL
    assert summary.margin_after > summary.margin_before
    (warning,) = re.findall("warning: .*", capsys.readouterr().err)
    assert f"of {summary.chosen_before:.2f} to {summary.chosen_after:.2f}, a known" in warning
    assert "add --sft-weight 1, or lower --learning-rate" in warning
    assert warning_of_fall(-3.0, -3.05, "") == warning_of_fall(-3.0, float("nan"), "") == ""


def test_the_held_out_margin_can_end_training(options: DpoOptions) -> None:
    watched = {"early_stopping_metric": "margin", "early_stopping_patience": 1, "eval_steps": 1}
    backwards = [row | {"chosen": row["rejected"], "rejected": row["chosen"]} for row in PAIRS]
    summary = dpo(
        replace(
            options,
            eval_dataset=backwards,
            max_steps=9,
            learning_rate=0.01,
            warmup_ratio=0.0,
            **watched,
        )
    )
    assert summary.steps == 2, "the first margin is the best"
    assert summary.eval_margin is not None
    assert summary.eval_margin < 0 < summary.margin_after - summary.margin_before


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
        ({"loss_type": "zigzag"}, "use sigmoid or sigmoid_norm or ipo or robust"),
        ({"loss_type": "robust"}, "robust needs --label-smoothing"),
        ({"loss_type": "ipo", "label_smoothing": 0.1}, "raise --beta instead"),
        ({"label_smoothing": 0.5}, "must be below 0.5"),
        ({"sync_ref_model": True, "deepspeed": "zero2"}, "use one of them"),
        ({"sync_ref_model": True, "max_steps": 5}, "has 5 steps, so the reference would never"),
        ({"step_weight": 1.0}, "3 of 3 pairs do not say their pair_kind"),
        ({"early_stopping_metric": "margin"}, "needs --early-stopping-patience"),
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
