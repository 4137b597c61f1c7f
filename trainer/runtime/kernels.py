"""Faster kernels, where they are installed: FlashAttention and Liger's.

Liger's norms, rotary embeddings and MLPs only: its fused cross-entropy returns a loss and no
log-probabilities, which weighted losses and DPO need. TRL's fused head computes these in tiles and
keeps no logits either.

Limit: neither has been run by us, for want of a GPU.
"""

from collections.abc import Collection
from typing import Literal

from trainer.errors import TrainerError

Attention = Literal["auto", "sdpa", "flash_attention_2", "flash_attention_3"]
FLASH: tuple[Attention, ...] = ("flash_attention_3", "flash_attention_2")
"""The fastest first."""


def usable_flash() -> list[Attention]:
    """Return which of `FLASH` are installed and run on this machine."""
    from transformers.utils.import_utils import (
        is_flash_attn_2_available,
        is_flash_attn_3_available,
    )

    found = dict(
        zip(FLASH, (is_flash_attn_3_available(), is_flash_attn_2_available()), strict=True)
    )
    return [name for name, usable in found.items() if usable]


def attention(asked: Attention, usable: Collection[Attention], bf16: bool) -> Attention:
    """Return the attention to compute with, under transformers' name.

    Args:
        asked: --attn-implementation.
        usable: What `usable_flash` returns.
        bf16: Whether the training computes in bfloat16; FlashAttention takes nothing wider.

    Raises:
        TrainerError: What is asked for cannot be used.
    """
    if asked == "sdpa":
        return asked
    if asked == "auto":
        return next((name for name in FLASH if bf16 and name in usable), "sdpa")
    if asked not in usable:
        package = "flash-attn-3" if asked == "flash_attention_3" else "flash-attn"
        raise TrainerError(
            f"--attn-implementation {asked}: {package} is not installed, or there is no NVIDIA "
            "GPU: install it, or leave the flag out"
        )
    if not bf16:
        raise TrainerError(f"--attn-implementation {asked}: it needs --bf16")
    return asked


def check_liger(device: str, installed: bool) -> None:
    """Check that --use-liger-kernel can be used.

    Raises:
        TrainerError: It cannot.
    """
    if device == "cpu":
        raise TrainerError("--use-liger-kernel: its kernels need a GPU: leave the flag out")
    if not installed:
        raise TrainerError("--use-liger-kernel: liger-kernel is not installed: pip install it")
