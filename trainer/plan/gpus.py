"""GPUs that can be rented: memory, speed and price."""

import re
from dataclasses import dataclass

from trainer.errors import TrainerError

_MODAL = "Modal's list price, 2026-05-07"
_LAMBDA = "Lambda's list price, 2026-05-07"


@dataclass(frozen=True, slots=True)
class Gpu:
    """A kind of GPU.

    Attributes:
        name: Its name.
        memory: GB (1e9 bytes).
        flops: Peak operations per second in bfloat16, dense: NVIDIA's data sheet.
        price: US dollars per hour, or None where no price is known here.
        source: Whose price it is, and of which day.
    """

    name: str
    memory: float
    flops: float
    price: float | None = None
    source: str = ""


GPUS = (
    Gpu("A100", 80, 312e12, 2.50, _MODAL),
    Gpu("A100-40GB", 40, 312e12, 1.48, _LAMBDA),
    Gpu("H100", 80, 989e12, 3.95, _MODAL),
    Gpu("H200", 141, 989e12),
    Gpu("B200", 180, 2250e12),
    Gpu("L40S", 48, 362e12, 1.95, _MODAL),
    Gpu("L4", 24, 121e12, 0.80, _MODAL),
    Gpu("A10", 24, 125e12, 0.86, _LAMBDA),
    Gpu("RTX4090", 24, 165e12),
)
"""A100 and H100 are those of 80 GB on SXM boards. Prices are of one GPU on demand."""


def parse_gpus(text: str) -> tuple[int, Gpu]:
    """Return the number and the kind of GPUs from a text such as 4xA100.

    Raises:
        TrainerError: It is not NUMBERxNAME, or the name is not known.
    """
    found = re.fullmatch(r"(?:([1-9][0-9]{0,5})x)?([a-z][a-z0-9-]*)", text.strip().lower())
    known = {gpu.name.lower(): gpu for gpu in GPUS}
    known |= {"a100-80gb": known["a100"], "h100-80gb": known["h100"]}
    gpu = known.get(found[2]) if found else None
    if found is None or gpu is None:
        names = ", ".join(gpu.name for gpu in GPUS)
        raise TrainerError(f"--gpus {text}: use NUMBERxNAME, such as 4xA100; names: {names}")
    return int(found[1] or 1), gpu
