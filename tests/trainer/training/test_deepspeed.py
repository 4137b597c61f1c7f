"""Training on two processes (gloo): DeepSpeed's ZeRO and plain data parallelism compute what one
process computes, go on after `kill -9` by the commands that a user types, and leave a whole model.
"""

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from tests.support import forked
from tests.support.forked import Group
from tests.support.parts import missing
from tests.support.rows import AGENT, PAIRS, write
from trainer.errors import TrainerError
from trainer.training.deepspeed import configuration, preset
from trainer.training.output import ADAPTER, LOG

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
ACCELERATE = ("-m", "accelerate.commands.launch", "--config_file")
SETTINGS = """\
distributed_type: DEEPSPEED
deepspeed_config: {}
num_processes: 2
use_cpu: true
"""
# One process takes as many rows to a step as two of half its accumulation.
ONE, TWO = "--gradient_accumulation_steps=4", "--gradient_accumulation_steps=2"
SFT = ("sft", "--tree_packing=on", "--thought_weight=0.5", "--num_train_epochs=3")
KEPT = ("--save_strategy=steps", "--save_steps=2")
DPO = ("dpo", "--use_peft", "--gradient_checkpointing", "--tree_packing=on")


@dataclass(frozen=True, slots=True)
class Runs:
    """Where runs are written, and of which model."""

    folder: Path
    tiny: Path

    def fork(self, name: str, *flags: str, processes: int = 1) -> Group:
        """`trainer FLAGS` without a launcher."""
        out, err = self.printed(name, "out"), self.printed(name, "err")
        return forked.trainer(*self.told(name, *flags), out=out, err=err, processes=processes)

    def launch(self, name: str, *flags: str, launcher: tuple[str, ...]) -> subprocess.Popen[bytes]:
        """`trainer FLAGS` as a user starts it on two processes."""
        command = [sys.executable, *launcher, "-m", "trainer", *self.told(name, *flags)]
        with self.printed(name, "out").open("w") as out, self.printed(name, "err").open("w") as err:
            return subprocess.Popen(command, stdout=out, stderr=err)

    def told(self, name: str, kind: str, *flags: str) -> list[str]:
        """The arguments; what is printed goes to NAME.out and NAME.err."""
        common = {
            "model_name_or_path": self.tiny,
            "dataset": self.folder / f"{kind}.jsonl",
            "output_dir": self.folder / name,
            "learning_rate": 0.002,
            "logging_steps": 1,
            "max_length": 256,
        }
        told = [f"--{flag}={value}" for flag, value in common.items()]
        if kind == "sft":
            told.append(f"--eval_dataset={self.folder / 'held-out.jsonl'}")
        return [kind, *told, *flags, "--no-bf16", "--json"]

    def printed(self, name: str, where: str) -> Path:
        return self.folder / f"{name}.{where}"

    def end(self, **running: subprocess.Popen[bytes] | Group) -> None:
        """Wait for all of them, and see that they went well."""
        for name, process in running.items():
            code = process.wait(300)
            assert code == 0, self.printed(name, "err").read_text("utf-8")[-3000:]

    def kill(self, name: str, group: Group) -> None:
        """kill -9 once a second checkpoint is begun: the first is whole."""
        while not (self.folder / name / "checkpoint-4").exists() and group.poll() is None:
            time.sleep(0.01)
        group.kill()
        assert not (self.folder / name / "config.json").exists(), "killed before its end"

    def summaries(self, name: str) -> list[dict[str, Any]]:
        """What --json printed; the launcher of accelerate has lines of its own."""
        lines = self.printed(name, "out").read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def losses(self, name: str) -> list[float]:
        log = [json.loads(line) for line in (self.folder / name / LOG).read_text().splitlines()]
        return [entry[key] for entry in log for key in ("loss", "eval_loss") if key in entry]

    def assert_same(self, name: str, other: str) -> None:
        """The losses, on rows that are trained on and held out, and the final weights."""
        assert self.losses(name) == pytest.approx(self.losses(other), abs=1e-5)
        one, two = (load_file(self.folder / run / "model.safetensors") for run in (name, other))
        torch.testing.assert_close(one, two, rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def runs(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """All runs, several at once. What was killed goes on by the commands that a user types."""
    if find_spec("deepspeed") is None:
        missing("deepspeed")
    made = Runs(tmp_path_factory.mktemp("runs"), tiny)
    rows = [*AGENT, *(row[:2] for row in AGENT[:3])]
    write(made.folder / "sft.jsonl", [{"messages": row} for row in rows])
    write(made.folder / "held-out.jsonl", [{"messages": row} for row in AGENT[:3]])
    write(made.folder / "dpo.jsonl", PAIRS + PAIRS[:1])
    (made.folder / "settings.yaml").write_text(SETTINGS, "utf-8")
    (made.folder / "zero.json").write_text('{"zero_optimization": {"stage": 2}}', "utf-8")
    zero2 = (*SFT, TWO, *KEPT, "--deepspeed=zero2")
    zero3 = (*SFT, TWO, *KEPT, "--deepspeed=zero3")
    accelerate = (*ACCELERATE, str(made.folder / "settings.yaml"))
    first, second = (
        made.fork("zero2", *zero2, processes=2),
        made.fork("zero3", *zero3, processes=2),
    )
    made.kill("zero2", first)
    made.kill("zero3", second)
    on = "--resume_from_checkpoint"
    made.end(
        zero2=made.launch("zero2", *zero2, on, launcher=TORCHRUN),
        zero3=made.launch("zero3", *zero3, on, launcher=accelerate),
    )
    failing = made.launch("failed", *SFT, "--deepspeed=zero9", launcher=TORCHRUN)
    made.end(
        one=made.fork("one", *SFT, ONE),
        alone=made.fork("alone", *SFT, ONE, f"--deepspeed={made.folder / 'zero.json'}"),
        ddp=made.fork("ddp", *SFT, TWO, processes=2),
        dpo=made.fork("dpo", *DPO, ONE),
        dpo3=made.fork("dpo3", *DPO, TWO, "--deepspeed=zero3", processes=2),
    )
    assert failing.wait(300) != 0
    return made


@pytest.mark.parametrize("name", ["zero2", "zero3", "alone", "ddp"])
def test_packed_and_weighted_training_is_that_of_one_process(runs: Runs, name: str) -> None:
    """zero2 and zero3 were killed on the way, and went on from a checkpoint."""
    runs.assert_same(name, "one")
    (done,) = runs.summaries(name)
    assert done["steps"] == 6
    assert (done["resumed"] > 0) == name.startswith("zero")


def test_dpo_with_lora_is_that_of_one_process(runs: Runs) -> None:
    runs.assert_same("dpo3", "dpo")
    adapters = [
        runs.folder / name / ADAPTER / "adapter_model.safetensors" for name in ("dpo3", "dpo")
    ]
    one, two = map(load_file, adapters)
    torch.testing.assert_close(one, two, rtol=0, atol=1e-5)


def test_a_model_that_lay_in_pieces_is_written_whole(runs: Runs) -> None:
    before = AutoModelForCausalLM.from_pretrained(runs.tiny).state_dict()
    after = AutoModelForCausalLM.from_pretrained(runs.folder / "zero3").state_dict()
    assert {name: tensor.shape for name, tensor in before.items()} == {
        name: tensor.shape for name, tensor in after.items()
    }


@pytest.mark.parametrize("name", ["zero2", "zero3"])
def test_each_process_keeps_its_share(runs: Runs, name: str) -> None:
    """Of the optimizer, and with ZeRO-3 of the weights, as its checkpoint holds them."""
    pieces = runs.folder / name / "checkpoint-6" / "global_step6"
    whole = AutoModelForCausalLM.from_pretrained(runs.tiny).num_parameters()
    kept = [file.stat().st_size for file in pieces.glob("*optim_states.pt")]
    assert kept == pytest.approx([12 * whole / 2] * 2, rel=0.02)
    assert len(list(pieces.glob("*model_states.pt"))) == (2 if name == "zero3" else 1)


@pytest.mark.parametrize("name", ["zero2", "zero3", "ddp", "dpo3"])
def test_only_the_main_process_speaks(runs: Runs, name: str) -> None:
    assert len(runs.summaries(name)) == 1
    said = runs.printed(name, "err").read_text("utf-8")
    assert said.count("tree packing:") == (name != "dpo3")


def test_nothing_is_said_of_what_is_as_it_should_be(runs: Runs) -> None:
    """accelerate warns that DeepSpeed's configuration knows the accumulation, and it does not."""
    for name in ("alone", "dpo3"):
        assert "mismatch" not in runs.printed(name, "err").read_text("utf-8")


def test_what_all_processes_fail_of_is_said_once(runs: Runs) -> None:
    said = runs.printed("failed", "err").read_text("utf-8")
    assert said.count("error: --deepspeed zero9: use zero2, zero3 or a JSON file") == 1
    assert not (runs.folder / "failed").exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is not JSON"),
        ("[]", r'needs "zero_optimization": \{"stage"'),
        ('{"zero_optimization": {"stage": 4}}', r'needs "zero_optimization": \{"stage"'),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "zero.json"
    file.write_text(text, "utf-8")
    with pytest.raises(TrainerError, match=f"--deepspeed {file}: {reason}"):
        configuration(str(file))


def test_what_a_file_leaves_open_comes_from_the_flags(tmp_path: Path) -> None:
    file = tmp_path / "zero.json"
    file.write_text('{"zero_optimization": {"stage": 3}, "gradient_clipping": 0.5}', "utf-8")
    config = configuration(str(file))
    assert config is not None
    assert config["gradient_clipping"] == 0.5
    assert config["train_micro_batch_size_per_gpu"] == config["bf16"]["enabled"] == "auto"
    assert config["zero_optimization"]["stage3_gather_16bit_weights_on_model_save"]
    file.write_text('{"zero_optimization": {"stage": 2}, "fp16": {"enabled": true}}', "utf-8")
    assert "bf16" not in (configuration(str(file)) or {})


def test_presets_differ_in_what_is_split() -> None:
    assert configuration(None) is None
    assert (configuration("zero2"), configuration("zero3")) == (preset(2), preset(3))
