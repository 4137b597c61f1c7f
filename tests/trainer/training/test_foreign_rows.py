"""A subset in AgentInstruct's form is trained on as it is."""

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from tests.support.rows import BATCH, call
from trainer.api import sft
from trainer.training.options import SftOptions
from trainer.training.run import open_model
from trainer.training.sft import gather

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:transformers")


def conversation(number: int) -> dict[str, Any]:
    """A worked example, which is context, and then the task's own turns."""
    turns = [
        ("human", None, "You play an operating system. How many files are in /etc?"),
        ("gpt", False, call("I list them.", "bash")),
        ("human", None, "The output of the OS: 220"),
        ("gpt", False, call("So.", "answer")),
        ("human", None, f"Now, a new problem: how many users are on host {number}?"),
        ("gpt", True, call("I count users.", "bash")),
        ("human", None, f"The output of the OS: {number}"),
        ("gpt", True, call(f"There are {number}.", "answer")),
    ]
    said = [{"from": who, "loss": loss, "value": text} for who, loss, text in turns]
    return {"id": f"os_{number}", "conversations": said}


def test_a_subset_in_agent_instructs_form(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [*map(conversation, range(6)), {"id": "os_9", "conversations": [None]}]
    file = tmp_path / "os.json"
    file.write_text(json.dumps(rows), "utf-8")
    done = sft(
        file,
        model=tiny,
        output_dir=tmp_path / "out",
        max_length=512,
        max_steps=6,
        learning_rate=0.05,
        logging_steps=1,
        bf16=False,
        **BATCH,
    )
    summary: Any = done.summary
    assert (summary.rows, summary.used, summary.dropped) == (7, 6, {"a message is null": 1})
    assert summary.loss_last < summary.loss_first
    assert f"{file}: 1 of 7 rows are left out: a message is null 1" in capsys.readouterr().err


def test_only_turns_with_loss_are_trained(tiny: Path, tmp_path: Path) -> None:
    options = SftOptions(model=str(tiny), dataset=[conversation(3)], output_dir=tmp_path / "out")
    (sequence,) = gather(options, open_model(options)).train
    kept = [id for id, weight in zip(sequence.ids, sequence.weights, strict=True) if weight]
    said = AutoTokenizer.from_pretrained(tiny).decode(kept)
    end = "<|im_end|>"
    assert said == f"{call('I count users.', 'bash')}{end}{call('There are 3.', 'answer')}{end}"
