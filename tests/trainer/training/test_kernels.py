"""Which kernels a training asks TRL and transformers for; none of them runs on a CPU."""

from pathlib import Path
from typing import Any

import pytest
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.sft_config import SFTConfig

from trainer.errors import TrainerError
from trainer.runtime.hardware import device
from trainer.runtime.kernels import FLASH, Attention, attention, check_liger, usable_flash
from trainer.training.options import DpoOptions, SftOptions, TrainingOptions
from trainer.training.trl_config import trl_arguments

REQUIRED: dict[str, Any] = {"model": "m", "dataset": "rows.jsonl", "output_dir": Path("out")}
THREE, TWO = FLASH
no_gpu = pytest.mark.skipif(device() != "cpu", reason="has a GPU")


@pytest.mark.parametrize(
    ("asked", "usable", "bf16", "taken"),
    [
        ("auto", FLASH, True, THREE),
        ("auto", [TWO], True, TWO),
        ("auto", FLASH, False, "sdpa"),
        ("auto", [], True, "sdpa"),
        ("sdpa", FLASH, True, "sdpa"),
        (TWO, FLASH, True, TWO),
        (TWO, [THREE], True, "flash-attn is not installed"),
        (THREE, [], True, "flash-attn-3 is not installed"),
        (THREE, FLASH, False, "needs --bf16"),
    ],
)
def test_attention_is_the_fastest_that_can_be_used(
    asked: Attention, usable: list[Attention], bf16: bool, taken: str
) -> None:
    if " " not in taken:
        assert attention(asked, usable, bf16) == taken
        return
    with pytest.raises(TrainerError, match=f"^--attn-implementation {asked}: .*{taken}"):
        attention(asked, usable, bf16)


def test_flash_attention_takes_no_tree() -> None:
    with pytest.raises(TrainerError, match=f"^--attn-implementation {TWO} and --tree-packing on"):
        SftOptions(**REQUIRED, attn_implementation=TWO, tree_packing="on")
    with pytest.raises(TrainerError, match="^--attn-implementation eager: use auto or sdpa or"):
        SftOptions(**REQUIRED, attn_implementation="eager")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("where", "installed", "why"),
    [("cpu", True, "need a GPU"), ("cuda", False, "not installed"), ("cuda", True, "")],
)
def test_liger_needs_a_gpu_and_its_package(where: str, installed: bool, why: str) -> None:
    if not why:
        return check_liger(where, installed)
    with pytest.raises(TrainerError, match=f"^--use-liger-kernel: .*{why}"):
        check_liger(where, installed)


@no_gpu
def test_a_cpu_has_neither() -> None:
    assert usable_flash() == []
    with pytest.raises(TrainerError, match="need a GPU"):
        trl_arguments(SftOptions(**REQUIRED, use_liger_kernel=True), rows=1)


@pytest.mark.parametrize(("kind", "config"), [(SftOptions, SFTConfig), (DpoOptions, DPOConfig)])
def test_bfloat16_and_4096_tokens_reach_trl(
    kind: type[TrainingOptions], config: type[SFTConfig | DPOConfig], tmp_path: Path
) -> None:
    """Length is ours to check: TRL must not truncate. Liger's flag is TRL's own."""
    options = kind(**REQUIRED | {"output_dir": tmp_path}, bf16=True, max_length=4096)
    made = config(**trl_arguments(options, rows=10))
    assert made.bf16 and made.max_length is None and options.max_length == 4096
    assert made.use_liger_kernel is False
    assert trl_arguments(options, rows=10)["use_liger_kernel"] is options.use_liger_kernel
