"""Options of the training commands: declared once, checked wherever they come from."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import typer
from datasets import Dataset  # type: ignore[import-untyped]
from typer.testing import CliRunner

from engine.cli.flags import command, flag_name, help_texts
from engine.cli.lazy import load
from tests.support.rows import AGENT, PAIRS
from trainer.cli.options import RENAMED, Config
from trainer.errors import TrainerError
from trainer.training.dpo import dpo
from trainer.training.options import (
    DistillOptions,
    DpoOptions,
    KtoOptions,
    SftOptions,
    TrainingOptions,
)
from trainer.training.output import claim
from trainer.training.sft import sft

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:transformers")
KINDS = {"sft": SftOptions, "dpo": DpoOptions, "kto": KtoOptions, "distill": DistillOptions}
REQUIRED: dict[str, Any] = {"model": "m", "dataset": "rows.jsonl", "output_dir": "out"}


def parsed(kind: type[TrainingOptions], *arguments: str) -> TrainingOptions:
    """The options that a command is called with."""
    found: list[TrainingOptions] = []

    def call(options: kind, config: Config = None) -> None:  # type: ignore[valid-type]
        found.append(options)

    app = typer.Typer()
    run = command(call, RENAMED)
    app.command(context_settings=run.context_settings)(run)  # type: ignore[attr-defined]
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return found[0]


def test_help_does_not_import_torch() -> None:
    program = (
        "import sys; from trainer.cli.train import sft, dpo, kto; "
        "sys.exit(bool({'torch', 'transformers', 'trl', 'datasets'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_option_is_a_flag_with_a_help_text(kind: str) -> None:
    flags = load(kind, f"trainer.cli.train:{kind}").params
    known = {name for flag in flags for name in flag.opts}
    for field in fields(KINDS[kind]):
        assert flag_name(field) in known
        assert help_texts(KINDS[kind])[field.name].endswith(".")
        assert field.metadata["panel"]


@pytest.mark.parametrize("kind", KINDS.values())
def test_the_command_has_the_defaults_of_the_dataclass(kind: type[TrainingOptions]) -> None:
    given = ["--model=m", "--dataset=rows.jsonl", "--output=out"]
    required = dict(REQUIRED)
    if kind is DistillOptions:
        given.append("--teacher=t")
        required["teacher"] = "t"
    assert parsed(kind, *given) == kind(**required)


def test_flags_and_yaml_keys_keep_their_former_names(tmp_path: Path) -> None:
    expected = SftOptions(**REQUIRED, learning_rate=0.5, save_total_limit=3, bf16=False)
    old = ("--model_name_or_path=m", "--dataset=rows.jsonl", "--output_dir=out")
    assert parsed(SftOptions, *old, "--learning_rate=0.5", "--save_total_limit=3", "--no-bf16") == (
        expected
    )
    file = tmp_path / "flags.yaml"
    for text in (
        "model_name_or_path: m\noutput_dir: out\nlearning_rate: 0.5\nsave_total_limit: 3\n",
        "model: m\noutput: out\nlearning-rate: 0.5\nsave-total-limit: 3\n",
    ):
        file.write_text(f"{text}dataset: rows.jsonl\nbf16: false\n", "utf-8")
        assert parsed(SftOptions, f"--config={file}") == expected
    faster = parsed(SftOptions, f"--config={file}", "--learning-rate=0.7")
    assert faster == replace(expected, learning_rate=0.7)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"tree_packing": "yes"}, "--tree-packing yes: use auto or on or off"),
        ({"lora_r": 0}, "--lora-r 0: must be at least 1"),
        ({"warmup_ratio": 1.5}, "--warmup-ratio 1.5: must be at most 1"),
        ({"early_stopping_patience": 1}, "needs --eval-dataset"),
        ({"packing": True, "tree_packing": "on"}, "use one of them"),
        ({"trained_tokens": 9, "max_steps": 1}, "--trained-tokens and --max-steps: use one"),
    ],
)
def test_values_are_checked_in_python_too(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(TrainerError, match=reason):
        SftOptions(**REQUIRED, **change)


def test_rows_may_be_in_memory(tiny: Path, tmp_path: Path) -> None:
    """A generator for training, a `datasets.Dataset` to hold out."""

    def rows() -> Iterator[dict[str, Any]]:
        yield from ({"messages": messages} for messages in AGENT)

    done = sft(
        SftOptions(
            model=str(tiny),
            dataset=rows(),
            eval_dataset=Dataset.from_list(list(rows())[:2]),
            general_data=[{"instruction": "Add.", "output": "3"}],
            output_dir=tmp_path / "sft",
            max_steps=1,
            max_length=256,
        )
    )
    assert (done.rows, done.used, done.general["used"]) == (5, 5, 1)
    assert done.eval_loss is not None
    pairs = DpoOptions(
        model=str(tiny), dataset=PAIRS, output_dir=tmp_path / "dpo", trained_tokens=1
    )
    trained = dpo(pairs)
    assert (trained.used, trained.steps, trained.epochs) == (3, 1, 1)
    with pytest.raises(TrainerError, match="dataset was rows in memory, sha256"):
        claim(replace(pairs, dataset=PAIRS[:2], resume_from_checkpoint=True), "dpo")
    with pytest.raises(TrainerError, match="the rows in memory: 1 of 1 rows are of the test split"):
        dpo(replace(pairs, dataset=[{**PAIRS[0], "split": "test"}], output_dir=tmp_path / "no"))
