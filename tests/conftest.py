"""What several test files share."""

import os
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox.check import check
from tests.support import parts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from trainer.tokens.chat_template import ChatTemplate


# What is not about sandboxes uses the one that starts fastest; those tests name theirs.
FASTEST = ("bubblewrap", "landlock", "process")
os.environ.setdefault("TREEGRAFT_SANDBOX", next(name for name in FASTEST if check(name).works))

# Tests run side by side, and threads of torch that wait for one another spin.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell ignores it for what it starts in the background, and so would all that tests interrupt.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


LONGEST = (
    "test_rounds.py",
    "test_ray.py",
    "test_processes.py",
    "test_resume.py",
    "test_contract.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest: where several run at once, none is left alone."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONGEST)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the parts that skipped tests would need, in one line."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = (report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    if line := parts.summary(reasons):
        terminalreporter.write_line(line)


@pytest.fixture
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temp folder of this test's own, for what this process makes."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="session")
def tokenizer() -> "PreTrainedTokenizerBase":
    """The embedded student's own tokenizer and chat template."""
    from transformers import AutoTokenizer

    from trainer.runtime.embedded_model import resolve

    return AutoTokenizer.from_pretrained(resolve("smollm2"))


@pytest.fixture(scope="session")
def renderer(tokenizer: "PreTrainedTokenizerBase") -> "ChatTemplate":
    from trainer.tokens.chat_template import ChatTemplate

    return ChatTemplate(tokenizer)


@pytest.fixture(scope="session")
def tiny(tokenizer: "PreTrainedTokenizerBase", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two small layers, randomly initialised, with the student's tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.2,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
        tie_word_embeddings=True,
    )
    folder = tmp_path_factory.mktemp("tiny")
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
