"""A run that was killed goes on as if nothing had happened."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.support import forked
from tests.support.rows import AGENT, PAIRS, write
from trainer.errors import TrainerError
from trainer.training.dpo import dpo
from trainer.training.options import DpoOptions, SftOptions, TrainingOptions
from trainer.training.output import LOG, OPTIONS, claim
from trainer.training.sft import sft

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:transformers")


@pytest.fixture
def options(tiny: Path, tmp_path: Path) -> SftOptions:
    rows = write(tmp_path / "rows.jsonl", [{"messages": row} for row in AGENT])
    return SftOptions(
        model=str(tiny),
        dataset=rows,
        output_dir=tmp_path / "out",
        num_train_epochs=3,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=1,
        learning_rate=0.01,
        logging_steps=1,
        max_length=256,
        bf16=False,
        save_strategy="steps",
        save_steps=2,
    )


def losses(folder: Path) -> list[float]:
    log = [json.loads(line) for line in (folder / LOG).read_text("utf-8").splitlines()]
    return [entry["loss"] for entry in log if "loss" in entry]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def train(options: TrainingOptions) -> Any:
    return dpo(options) if isinstance(options, DpoOptions) else sft(options)  # type: ignore[arg-type]


def without_the_end(folder: Path, step: int) -> None:
    """Leave what a kill between `step` and `step` + 1 leaves, with half a checkpoint more."""
    for file in folder.glob("*.safetensors"):
        file.unlink()
    (folder / "config.json").unlink()
    for checkpoint in folder.glob("checkpoint-*"):
        if int(checkpoint.name.partition("-")[2]) > step:
            (checkpoint / "trainer_state.json").write_text('{"global_st')


@pytest.mark.parametrize(
    ("kind", "step"), [("sft", 4), ("sft", 6), ("lora", 4), ("packed", 4), ("dpo", 4)]
)
def test_the_losses_and_the_model_are_those_of_an_undisturbed_run(
    options: SftOptions, tmp_path: Path, kind: str, step: int
) -> None:
    """9 steps in 3 epochs: 4 is in the second, 6 its end."""
    run: TrainingOptions = replace(options, use_peft=kind == "lora")
    if kind == "packed":
        run = replace(options, packing=True, per_device_train_batch_size=1, max_length=170)
    if kind == "dpo":
        common = {name: getattr(options, name) for name in TrainingOptions.__dataclass_fields__}
        pairs = write(tmp_path / "pairs.jsonl", PAIRS + PAIRS[:2])
        run = DpoOptions(**{**common, "dataset": pairs})
    assert train(run).steps == 9
    undisturbed, model = losses(run.output_dir), weights(run.output_dir)
    without_the_end(run.output_dir, step)
    done = train(replace(run, resume_from_checkpoint=True))
    assert (done.steps, done.resumed) == (9, step)
    assert losses(run.output_dir) == undisturbed
    after = weights(run.output_dir)
    assert all(torch.equal(tensor, after[name]) for name, tensor in model.items())


def test_a_killed_command_goes_on(options: SftOptions, tmp_path: Path) -> None:
    """kill -9 in the middle, for real; then the same command with --resume-from-checkpoint."""
    undisturbed = replace(options, output_dir=options.output_dir.with_name("undisturbed"))
    long = {"num_train_epochs": 20, "save_steps": 10, "save_total_limit": 2}
    sft(replace(undisturbed, **long))
    given = replace(options, **long)
    values = {name: getattr(given, name) for name in SftOptions.__dataclass_fields__}
    flags = [
        f"--{name}={value}"
        for name, value in values.items()
        if value is not None and not isinstance(value, bool | tuple)
    ]
    out, err = tmp_path / "stdout", tmp_path / "stderr"
    killed = forked.trainer("sft", *flags, "--no-bf16", "--json", out=out, err=err)
    # The first is whole when the second is begun, which the kill may leave half written.
    while not (options.output_dir / "checkpoint-20").exists() and killed.poll() is None:
        time.sleep(0.01)
    assert killed.poll() is None, err.read_text()
    killed.kill()
    assert not (options.output_dir / "config.json").exists()
    done = sft(replace(given, resume_from_checkpoint=True))
    assert 0 < done.resumed < done.steps == 60
    assert losses(options.output_dir) == pytest.approx(losses(undisturbed.output_dir), abs=1e-4)


@pytest.mark.parametrize(("max_steps", "ends"), [(-1, [3, 6]), (4, [3, 4])])
def test_an_epochs_held_out_loss_is_in_the_checkpoint_of_its_last_step(
    options: SftOptions, max_steps: int, ends: list[int]
) -> None:
    """It was taken after the checkpoint, and whoever was killed in between went on without it."""
    run = replace(options, eval_dataset=options.dataset, num_train_epochs=2, save_steps=3)
    sft(replace(run, max_steps=max_steps))
    log = [json.loads(line) for line in (run.output_dir / LOG).read_text("utf-8").splitlines()]
    assert [entry["step"] for entry in log if "eval_loss" in entry] == ends
    for number, step in enumerate(ends, start=1):
        state = json.loads((run.output_dir / f"checkpoint-{step}/trainer_state.json").read_text())
        found = [entry["step"] for entry in state["log_history"] if "eval_loss" in entry]
        assert found == ends[:number]


def test_a_run_without_a_checkpoint_starts_anew(options: SftOptions) -> None:
    resumed = replace(options, resume_from_checkpoint=True, save_strategy="no", max_steps=1)
    assert sft(resumed).resumed == 0
    with pytest.raises(TrainerError, match="holds a finished model"):
        sft(resumed)
    (options.output_dir / "config.json").unlink()
    assert sft(resumed).steps == 1


def test_only_the_same_run_is_gone_on_with(options: SftOptions) -> None:
    sft(replace(options, max_steps=2))
    resumed = replace(options, max_steps=2, resume_from_checkpoint=True)
    with pytest.raises(TrainerError, match=r"learning_rate was 0\.01"):
        sft(replace(resumed, learning_rate=0.1))
    written = options.output_dir / OPTIONS
    as_in_0_1 = written.read_text().replace('"model":', '"model_name_or_path":')
    written.write_text(as_in_0_1)
    assert claim(resumed, "sft").resume
    written.write_text(written.read_text().replace('"processes": 1', '"processes": 2'))
    with pytest.raises(TrainerError, match="processes was 2"):
        sft(resumed)
    written.unlink()
    with pytest.raises(TrainerError, match="no run of `trainer sft` to resume"):
        sft(resumed)
