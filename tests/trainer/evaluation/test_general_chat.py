"""The loss on general chat against transformers' own, and lm-eval where it is not installed."""

import json
import subprocess
import sys
from math import exp, log
from pathlib import Path

import pytest
import torch

from tests.support.rows import GENERAL
from trainer.data.mask import label
from trainer.data.rows import read_rows
from trainer.errors import TrainerError
from trainer.evaluation.measures.general_chat import general_loss, loss_on
from trainer.runtime.loading import load
from trainer.tokens.chat_template import ChatTemplate


@pytest.fixture
def chat(tmp_path: Path) -> Path:
    file = tmp_path / "chat.json"
    file.write_text(json.dumps(GENERAL), "utf-8")
    return file


def test_the_loss_is_that_of_what_the_assistant_says(tiny: Path, chat: Path) -> None:
    model, tokenizer = load(str(tiny), torch.float32)
    renderer, nats, tokens = ChatTemplate(tokenizer), 0.0, 0
    for row in read_rows(chat):
        (one,) = label(renderer, row.messages)
        with torch.no_grad():
            out = model(torch.tensor([one.ids]), labels=torch.tensor([one.labels]))
        nats += float(out.loss) * one.trained
        tokens += one.trained
    found = general_loss(str(tiny), chat)
    assert (found.file, found.conversations, found.tokens) == ("chat.json", len(GENERAL), tokens)
    assert found.loss.value == pytest.approx(nats / tokens, abs=1e-5)
    assert found.loss.value > log(1000), "it knows nothing"
    assert found.perplexity == pytest.approx(exp(found.loss.value))
    assert found.loss.low < found.loss.value < found.loss.high


def test_what_is_over_the_context_is_left_out_and_counted(tiny: Path, chat: Path) -> None:
    model, tokenizer = load(str(tiny), torch.float32)
    rows, renderer = list(read_rows(chat)), ChatTemplate(tokenizer)
    lengths = sorted(len(label(renderer, row.messages)[0].ids) for row in rows)
    found = loss_on(model, renderer, rows, lengths[-1] - 1, "chat")
    assert found.conversations == len(rows) - 1
    assert found.left_out == {f"over the context of {lengths[-1] - 1}": 1}
    with pytest.raises(TrainerError, match="no conversation can be used: over the context of 1"):
        loss_on(model, renderer, rows, 1, "chat")


def test_without_lm_eval_there_is_one_line() -> None:
    """In a process that sees no site-packages at all, so not this package either."""
    module = "trainer.evaluation.measures.lm_harness"
    program = f"from {module} import harness\nharness('smollm2', ['hellaswag'])"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[3],
    )
    assert "TrainerError: --lm-eval needs EleutherAI's harness: pip install lm_eval" in done.stderr
