"""What this machine computes well in."""

import functools
import os
from pathlib import Path


def share_cores() -> None:
    """Let waiting threads sleep instead of spin; call it before torch is imported.

    One other busy process makes a decoding step 4 times slower with OpenMP's default (385 against
    92 ms, 2 cores), and 1.4 times with this (132 ms); alone it costs some 10 %. The user's own
    OMP_WAIT_POLICY wins.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def device() -> str:
    """ "cuda" where there is one, else "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def fast_bf16() -> bool:
    """Whether bfloat16 is faster than float32 here: on CPUs with AMX or AVX-512 BF16 (x86), BF16
    (Arm), and GPUs since Ampere. Elsewhere it is emulated, and slower."""
    if device() == "cuda":
        import torch

        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(_flags() & {"amx_bf16", "avx512_bf16", "bf16"})


def fast_bf16_attention(kind: str) -> bool:
    """Whether torch's fused attention is faster in bfloat16, too, on a device of this kind ("cpu",
    "cuda"). On CPUs without AMX it is not: 32 rows of one token over 700 take 19.8 ms a layer, in
    float32 1.9 (AVX-512 BF16, 2 threads)."""
    return kind == "cuda" or "amx_bf16" in _flags()


@functools.cache
def _flags() -> frozenset[str]:
    """What this CPU can do, in Linux's words; nothing elsewhere."""
    try:
        return frozenset(Path("/proc/cpuinfo").read_text("utf-8").split())
    except OSError:
        return frozenset()
