"""Packed SFT on two processes that hold half of every weight each (DeepSpeed ZeRO-3, gloo)."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerBase

from tests.packed_rows import GROUPED, ROWS, columns, save_small
from trainer.mask import IGNORE
from trainer.trie import pack


@pytest.fixture
def deepspeed() -> None:
    """A machine without it fails in CI, else skips."""
    if find_spec("deepspeed") is None:
        trouble = "no DeepSpeed: pip install 'treegraft[deepspeed]'"
        if "CI" in os.environ:
            pytest.fail(trouble)
        pytest.skip(trouble)


@pytest.mark.usefixtures("deepspeed")
def test_a_step_of_two_processes_is_that_of_one_unpacked(
    tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    """With plain descent at rate 1 the weights move by the gradient. (TRL checkpoints activations
    unless told otherwise.)"""
    small = tmp_path / "small"
    save_small(small, tokenizer)
    run = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc_per_node", "2", str(Path(__file__).with_name("zero3_step.py"))),
            *(str(small), str(tmp_path), json.dumps(GROUPED.grouped(columns()))),
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    # Each process met one of the groups, and no token of it twice.
    seen = [json.loads(path.read_text("utf-8")) for path in sorted(tmp_path.glob("widths-*"))]
    expected = [[pack([ROWS[number] for number in group]).distinct] for group in GROUPED.groups]
    assert sorted(seen) == sorted(expected)

    model = AutoModelForCausalLM.from_pretrained(small)
    total, labelled = torch.zeros(()), 0
    for row in columns():
        ids, labels = torch.tensor([row["input_ids"]]), torch.tensor([row["labels"]])[:, 1:]
        chances = model(ids).logits[:, :-1].log_softmax(-1)
        kept = labels != IGNORE
        total = total - chances.gather(-1, labels.clamp(min=0)[..., None])[..., 0][kept].sum()
        labelled += int(kept.sum())
    (total / labelled).backward()
    stepped = AutoModelForCausalLM.from_pretrained(tmp_path)
    for (name, before), after in zip(model.named_parameters(), stepped.parameters(), strict=True):
        torch.testing.assert_close(
            before - after, before.grad, rtol=1e-5, atol=1e-5, msg=lambda t, n=name: f"{n}: {t}"
        )
