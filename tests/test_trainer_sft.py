"""Training: what TRL's trainer is given, what it computes, and what the command writes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from engine.templates.base import Message
from trainer.dataset import prepare, read_rows
from trainer.errors import TrainerError
from trainer.loading import load
from trainer.mask import IGNORE
from trainer.rendering import Renderer
from trainer.sft import ADAPTER, LOG, OPTIONS, Options, build, sft

pytestmark = [
    # torch's pickler of the optimizer, transformers' own calls of what it deprecates
    pytest.mark.filterwarnings("ignore::FutureWarning:transformers"),
]


def dialogue(*texts: str) -> list[Message]:
    roles = ["user", "assistant"]
    return [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]


ROWS = [
    dialogue("How many books?", "Action: count\nAction Input: {}", "Observation: 3", "Three."),
    dialogue("How many loans?", "Action: count\nAction Input: {}", "Observation: 5", "Five."),
    dialogue("Who wrote it?", "Action: authors", "Observation: Ann " * 9, "Ann.", "Sure?", "Yes."),
    dialogue("And?", "No."),
]


BATCH = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 1}


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps({"messages": row}) + "\n" for row in ROWS), "utf-8")
    return file


@pytest.fixture
def options(tiny: Path, rows: Path, tmp_path: Path) -> Options:
    return Options(str(tiny), rows, tmp_path / "out", max_length=256, bf16=False, **BATCH)


def batches(options: Options, *, rows: Path) -> Iterator[tuple[Any, dict[str, torch.Tensor]]]:
    """The trainer, and each batch as its own collator makes it."""
    model, tokenizer = load(options.model_name_or_path, torch.float32)
    prepared = prepare(Renderer(tokenizer), read_rows(rows), options.max_length)
    trainer = build(options, model, tokenizer, prepared)
    for batch in trainer.get_train_dataloader():
        yield trainer, dict(batch)


def test_the_labels_reach_the_loss_as_they_were_made(options: Options, rows: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(options.model_name_or_path)
    made = prepare(Renderer(tokenizer), read_rows(rows), 256).sequences
    given = {(tuple(one.ids), tuple(one.labels)) for one in made}
    seen = set()
    for _, batch in batches(options, rows=rows):
        assert len(batch["labels"]) == options.per_device_train_batch_size
        for ids, labels, shown in zip(
            batch["input_ids"], batch["labels"], batch["attention_mask"], strict=True
        ):
            length = int(shown.sum())
            assert (labels[length:] == IGNORE).all()
            seen.add((tuple(ids[:length].tolist()), tuple(labels[:length].tolist())))
    assert seen == given


@pytest.mark.parametrize("use_peft", [False, True])
def test_the_loss_and_its_gradient_are_the_labelled_tokens(
    options: Options, rows: Path, use_peft: bool
) -> None:
    """Against cross entropy over all positions, written out by hand."""
    for trainer, batch in batches(replace(options, use_peft=use_peft), rows=rows):
        model = trainer.model
        model.zero_grad()
        loss = trainer.compute_loss(model, dict(batch))
        loss.backward()
        gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.requires_grad}
        model.zero_grad()
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        chances = logits[:, :-1].log_softmax(-1)
        targets = batch["labels"][:, 1:]
        chosen = chances.gather(-1, targets.clamp(min=0)[..., None])[..., 0]
        expected = -chosen[targets != IGNORE].mean()
        torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
        expected.backward()
        assert len(gradients) > 10
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                torch.testing.assert_close(gradients[name], parameter.grad, rtol=1e-3, atol=1e-6)


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trainer", *arguments], capture_output=True, text=True, timeout=300
    )


def test_the_command_trains_a_model_that_loads(tiny: Path, rows: Path, tmp_path: Path) -> None:
    out, config = tmp_path / "out", tmp_path / "sft.yaml"
    config.write_text(
        f"model_name_or_path: {tiny}\ndataset: {rows}\nlearning_rate: 5e-2\n"
        "num_train_epochs: 9\nper_device_train_batch_size: 2\ngradient_accumulation_steps: 1\n"
        "logging_steps: 1\nmax_length: 90\nbf16: false\n"
    )
    flags = ["--config", str(config), "--output_dir", str(out), "--num-train-epochs", "4"]
    done = run("sft", *flags, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["rows"], summary["used"]) == (4, 3)
    assert summary["dropped"] == {"over --max_length 90": 1}
    assert summary["loss_last"] < summary["loss_first"] / 2
    model = AutoModelForCausalLM.from_pretrained(out)
    assert model.generation_config.eos_token_id == [2]
    assert AutoTokenizer.from_pretrained(out).chat_template
    log = [json.loads(line) for line in (out / LOG).read_text("utf-8").splitlines()]
    assert [entry["step"] for entry in log if "loss" in entry] == list(range(1, 9))
    kept = json.loads((out / OPTIONS).read_text("utf-8"))
    assert (kept["learning_rate"], kept["num_train_epochs"]) == (0.05, 4.0)

    again = run("sft", *flags)
    assert again.returncode == 2
    assert again.stderr.count("\n") == 1
    assert "--overwrite_output_dir" in again.stderr
    assert (out / LOG).exists()


def test_lora_writes_the_merged_model_and_the_adapter(options: Options, tiny: Path) -> None:
    summary = sft(replace(options, use_peft=True, max_steps=2, learning_rate=0.01))
    assert summary.steps == 2
    base = AutoModelForCausalLM.from_pretrained(tiny)
    merged = AutoModelForCausalLM.from_pretrained(options.output_dir)
    adapted = PeftModel.from_pretrained(base, str(options.output_dir / ADAPTER))
    ids = torch.tensor([[1, 520, 77, 198]])
    torch.testing.assert_close(merged(ids).logits, adapted(ids).logits, rtol=1e-4, atol=1e-5)
    with adapted.disable_adapter():
        assert not torch.allclose(merged(ids).logits, adapted(ids).logits, atol=1e-3)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"max_length": 5}, "no row is left to train on: over --max_length 5 4"),
        ({"model_name_or_path": "/none"}, "/none: no such model directory"),
        ({"dataset": Path("none.jsonl")}, "none.jsonl: no such file"),
        ({"lr_scheduler_type": "zigzag"}, "zigzag"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_written(
    options: Options, change: dict[str, Any], reason: str
) -> None:
    with pytest.raises(TrainerError, match=reason):
        sft(replace(options, **change))
    assert not options.output_dir.exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("learning_rate: [", "cannot read --config"),
        ("learning_rat: 1", "no such flag: learning_rat"),
        ("- 1", "must hold flags"),
    ],
)
def test_a_bad_config_is_one_line(tmp_path: Path, text: str, reason: str) -> None:
    config = tmp_path / "sft.yaml"
    config.write_text(text)
    done = run("sft", "--config", str(config))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert reason in done.stderr


def test_only_an_earlier_output_is_replaced(options: Options) -> None:
    options.output_dir.mkdir()
    (options.output_dir / "thesis.txt").write_text("years of work")
    with pytest.raises(TrainerError, match="something else"):
        sft(replace(options, overwrite_output_dir=True))
    assert (options.output_dir / "thesis.txt").read_text() == "years of work"
