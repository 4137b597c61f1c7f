"""The cost of a training by formula: worked by hand, and beside published trainings."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trainer.errors import TrainerError
from trainer.plan.cost import OTHER, Memory, Training, activations, cost, memory, operations
from trainer.plan.gpus import GPUS, parse_gpus
from trainer.plan.shapes import QWEN, Shape, amount, shape_of
from treegraft.commands import trainer_app

A100 = parse_gpus("A100")[1]
SMALL = Shape("small", layers=2, hidden=8, intermediate=16, keys=4, vocabulary=10)
SCALE = Path(__file__).parents[3] / "docs" / "scale.md"

QWEN_7B = Shape("Qwen-7B", 32, 4096, 11_008, 4096, 151_936)
QWEN_14B = Shape("Qwen-14B", 40, 5120, 13_696, 5120)
QWEN_72B = Shape("Qwen-72B", 80, 8192, 24_576, 8192)
LLAMA = [
    (Shape("Llama-2-7B", 32, 4096, 11_008, 4096, 32_000), 184_320),
    (Shape("Llama-2-13B", 40, 5120, 13_824, 5120, 32_000), 368_640),
    (Shape("Llama-2-70B", 80, 8192, 28_672, 1024, 32_000), 1_720_320),
]
MEASURED = [
    (QWEN_7B, 64, 1, 0, 4096, 10.1, 29.7),
    (QWEN_14B, 64, 1, 0, 4096, 17.0, 42.5),
    (QWEN_72B, 64, 4, 3, 4096, 83.4, 249.0),
    (QWEN_7B, 64, 1, 0, 1024, 2.8, 21.5),
    (QWEN_14B, 64, 1, 0, 1024, 4.4, 35.3),
    (QWEN_72B, 64, 4, 3, 1024, 29.4, 222.6),
    (QWEN_7B, 0, 2, 3, 1024, 4.5, 162.0),
]
"""Shape, rank, GPUs, ZeRO's stage, tokens, seconds per step of 8 sequences a GPU, GB of all GPUs:
https://github.com/QwenLM/Qwen, "Profiling of Memory and Speed" (A100 80 GB, FlashAttention 2)."""


def plan(*flags: str) -> str:
    done = CliRunner().invoke(trainer_app(), ["plan", *flags], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_small_model_worked_by_hand() -> None:
    matrices = 2 * 8 * 8 + 2 * 8 * 4 + 3 * 8 * 16
    assert SMALL.parameters == 2 * (matrices + 8 + 2 * 4 + 2 * 8) + 2 * 10 * 8 + 8 == 1384
    assert SMALL.adapter(3) == 2 * 3 * (4 * 8 + 2 * (8 + 4) + 3 * (8 + 16)) == 768
    training = Training(SMALL, 4, A100, length=5, batch=3)
    layer = 2 * 15 * (6 * 8 + 2 * 4 + 4 * 16)
    assert activations(training) == 2 * 15 * 8 * 2 + layer == 4080
    assert activations(replace(training, recompute=False)) == 2 * layer == 7200
    assert activations(replace(training, logits=True)) == 4080 + 15 * 10 * 10
    assert activations(training, stage=3) == 4080 + 2 * 1384  # all of so small a model
    assert operations(training) == 6 * 1384 + 6 * 2 * 8 * 5 == 8784
    assert operations(replace(training, rank=3)) == 4 * 1384 + 480
    found = cost(training, tokens=1e12, mfu=0.5, price=2.0)
    assert found.tokens_per_second == pytest.approx(0.5 * 4 * 312e12 / 8784)
    assert found.hours == pytest.approx(1e12 * 8784 / (0.5 * 4 * 312e12) / 3600)
    assert found.dollars == pytest.approx(found.hours * 4 * 2)


@pytest.mark.parametrize(("stage", "gigabytes"), [(0, 120), (1, 31.4), (2, 16.6), (3, 1.9)])
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_weights_gradients_and_optimizer_are_the_papers(
    stage: int, gigabytes: float, dtype: str
) -> None:
    """arXiv:1910.02054, figure 1: 7.5 billion parameters on 64 GPUs; both types take 16 bytes."""
    training = Training(replace(SMALL, counted=7_500_000_000), 64, A100, dtype=dtype)
    found = memory(training, stage)
    states = found.total - found.activations - OTHER
    if dtype == "bfloat16" or stage in (0, 3):
        assert states == pytest.approx(gigabytes, abs=0.05)
    assert memory(replace(training, rank=1), 0).weights == pytest.approx(
        7.5 * (2 if dtype == "bfloat16" else 4), rel=1e-3
    )


def test_activations_are_those_of_the_paper() -> None:
    """arXiv:2205.05198, section 4.1: 34 sbh bytes for a layer that keeps no scores of attention.

    The paper's layer has as many keys as queries, an MLP of 4 h with one input matrix, and three
    dropout masks of one byte. Without the masks (3 sbh) 31 remain. A gated MLP of 4 h keeps two
    values more per unit (2 x 2 x 4 h = 16), and attention's result is the projection's input.
    """
    h, tokens = 64, 10
    shape = Shape("paper", 1, h, 4 * h, h, 10)
    training = Training(shape, 1, A100, length=tokens, recompute=False)
    assert activations(training) / (tokens * h) == 31 + 16 + 1


def test_the_shapes_have_the_published_numbers_of_parameters() -> None:
    """As the model cards count them, in billions."""
    counts = [round(shape.parameters / 1e9, 2) for shape in QWEN]
    assert counts == [0.49, 1.54, 3.09, 7.62, 14.77, 32.76, 72.71]
    assert shape_of("13b").parameters == 13_000_000_000
    scaled = shape_of("70B")
    assert replace(scaled, counted=None).parameters == pytest.approx(70e9, rel=0.001)


def test_the_parameters_of_a_model_on_this_machine_are_counted(tmp_path: Path) -> None:
    config = {"model_type": "llama", "num_hidden_layers": 2, "hidden_size": 8, "vocab_size": 10}
    config |= {"num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 16}
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    shape = shape_of(str(tmp_path))
    assert shape.parameters == SMALL.parameters - 2 * (8 + 2 * 4)  # Llama has no biases
    assert replace(shape, name="small", counted=None) == SMALL
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_experts": 4}), "utf-8")
    with pytest.raises(TrainerError, match="mixture of experts"):
        shape_of(str(tmp_path))


def published() -> list[tuple[str, float, float]]:
    """Row of the table in docs/scale.md, our hours and our GB over the published ones (or 1)."""
    found = []
    for shape, rank, gpus, stage, length, seconds, gigabytes in MEASURED:
        training = Training(shape, gpus, A100, rank=rank, length=length, logits=True)
        theirs = 8 * length / seconds
        ours = cost(training, 1).tokens_per_second / gpus
        needed = memory(training, stage).total
        hours, size = theirs / ours, needed / (gigabytes / gpus)
        method = f"LoRA, {gpus} x A100" if rank else f"full, {gpus} x A100"
        found.append(
            (
                f"| {shape.name}, {method}, {length:,} tokens | {theirs:,.0f} | {ours:,.0f} | "
                f"{hours:.2f} | {gigabytes / gpus:.1f} | {needed:.1f} | {size:.2f} |",
                hours,
                size,
            )
        )
    for shape, gpu_hours in LLAMA:
        theirs = 2e12 / gpu_hours / 3600
        ours = cost(Training(shape, 1, A100), 1).tokens_per_second
        row = f"| {shape.name}, pre-training, 4,096 tokens | {theirs:,.0f} | {ours:,.0f} | "
        found.append((f"{row}{theirs / ours:.2f} | | | |", theirs / ours, 1.0))
    return found


def test_published_trainings_are_within_the_factors_that_the_page_states() -> None:
    text = SCALE.read_text("utf-8")
    factors = r"hours within a factor of ([0-9.]+), .*\smemory\s+within ([0-9]\.[0-9]+)"
    stated = re.search(factors, text, re.DOTALL)
    assert stated
    for row, hours, size in published():
        assert row in text
        limit = 1.2 if "4,096" in row else float(stated[1])
        assert 1 / limit < hours < limit
        assert 1 / float(stated[2]) < size < float(stated[2])


def test_the_command_prints_stages_time_and_dollars() -> None:
    text = plan("--model", "7B", "--tokens", "470M", "--gpus", "4xA100")
    assert "| ZeRO-0 | 15.2 | 15.2 | 91.4 | 1.6 | 128.5 | too much |" in text
    assert "| ZeRO-3 | 3.8 | 3.8 | 22.8 | 3.6 | 39.1 | fits |" in text
    assert "12.6 hours: 470M tokens at 10,365 per second" in text
    assert "$126: 50.4 GPU hours at $2.50" in text
    text = plan("--model=72B", "--tokens=1B", "--gpus=B200", "--lora", "--zero=3")
    assert text.count("| ZeRO-") == 1 and "no price of B200 is known here" in text
    found = json.loads(plan("--model=7B", "--tokens=1B", "--gpus=2xh100", "--json", "--price=1"))
    assert found["dollars"] == pytest.approx(found["hours"] * 2)
    assert [Memory(*list(one.values())[1:5]).total for one in found["memory_gb"]] == [
        one["total"] for one in found["memory_gb"]
    ]


@pytest.mark.parametrize(
    "flags",
    [
        ["--model=7Q", "--tokens=1B", "--gpus=A100"],
        ["--model=7B", "--tokens=much", "--gpus=A100"],
        ["--model=7B", "--tokens=1B", "--gpus=4xA1"],
        ["--model=7B", "--tokens=1B", "--gpus=0xA100"],
    ],
)
def test_what_names_nothing_is_refused(flags: list[str]) -> None:
    with pytest.raises(TrainerError, match="^--(model|tokens|gpus) "):
        plan(*flags)


def test_amounts_and_gpus_are_read() -> None:
    assert [amount(text) for text in ("470M", "1.5b", "4_096", "2T")] == [470e6, 1.5e9, 4096, 2e12]
    assert parse_gpus("8xa100-80gb") == (8, A100) and parse_gpus("L4")[0] == 1
    assert all(bool(gpu.price) == bool(gpu.source) for gpu in GPUS)
