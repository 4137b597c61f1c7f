"""Memory per GPU, time and dollars of a training, by the formulas of published papers.

- Weights, gradients and optimizer states: ZeRO (Rajbhandari et al. 2020, arXiv:1910.02054, sections
  3 and 5).
- Activations: Korthikanti et al. 2022 (arXiv:2205.05198, section 4), term by term for a layer with
  a gated MLP, shared keys and values, no dropout, and fused attention, which keeps no scores.
- Time: 6 N operations per token (Kaplan et al. 2020, arXiv:2001.08361, section 2.1) and those of
  causal attention.

Limits: OTHER, for a CUDA context, fragmentation and the buffers of collectives, is a guess. The
share of a GPU's peak that a training reaches is assumed, and includes communication.
"""

from dataclasses import dataclass

from trainer.plan.gpus import Gpu
from trainer.plan.shapes import Shape

GB = 1e9
OTHER = 5.0
"""GB per GPU of what is not counted."""
MFU = 0.4
"""The share of a GPU's peak that is assumed to be reached, by 6 N operations per token."""
STAGES = (0, 1, 2, 3)
"""ZeRO's; 0 is plain data parallelism."""

_BYTES = {"bfloat16": (2, 2, 12), "float32": (4, 4, 8)}
"""Bytes per trained parameter of weights, gradients and Adam's states, by type of the weights.

Beside weights of 2 bytes, Adam keeps a copy of 4.
"""
_LIVE = 1e9  # parameters: DeepSpeed's own stage3_max_live_parameters


@dataclass(frozen=True, slots=True)
class Training:
    """A training to be planned.

    Attributes:
        shape: The model.
        gpus: Number of GPUs.
        gpu: Their kind.
        rank: LoRA's rank; 0 trains all parameters.
        dtype: Storage type of the weights.
        length: Tokens of a sequence.
        batch: Sequences per GPU.
        recompute: Whether activations are recomputed (gradient checkpointing).
        logits: Whether the logits of all tokens are kept; TRL's fused head keeps none.
    """

    shape: Shape
    gpus: int
    gpu: Gpu
    rank: int = 0
    dtype: str = "bfloat16"
    length: int = 4096
    batch: int = 1
    recompute: bool = True
    logits: bool = False


@dataclass(frozen=True, slots=True)
class Memory:
    """GB per GPU.

    Attributes:
        weights: The model's, frozen ones included.
        gradients: Of what is trained.
        optimizer: Adam's states.
        activations: What the backward pass needs, and with ZeRO-3 the weights that are gathered.
    """

    weights: float
    gradients: float
    optimizer: float
    activations: float

    @property
    def total(self) -> float:
        """All together, with `OTHER`."""
        return self.weights + self.gradients + self.optimizer + self.activations + OTHER


@dataclass(frozen=True, slots=True)
class Cost:
    """What a training takes.

    Attributes:
        tokens_per_second: Of all GPUs together.
        hours: From the first step to the last.
        dollars: For all GPUs, or None without a price.
    """

    tokens_per_second: float
    hours: float
    dollars: float | None


def memory(training: Training, stage: int) -> Memory:
    """Return GB per GPU with a stage of ZeRO.

    Stage 1 splits the optimizer's states over the GPUs, stage 2 the gradients too, stage 3 the
    weights too (section 5).
    """
    optimizer, gradients, weights = (training.gpus if stage >= s else 1 for s in (1, 2, 3))
    shape, sizes = training.shape, _BYTES[training.dtype]
    frozen = shape.parameters if training.rank else 0
    trained = shape.adapter(training.rank) if training.rank else shape.parameters
    return Memory(
        (trained + frozen) * sizes[0] / weights / GB,
        trained * sizes[1] / gradients / GB,
        trained * sizes[2] / optimizer / GB,
        activations(training, stage) / GB,
    )


def activations(training: Training, stage: int = 0) -> float:
    """Return bytes per GPU that the backward pass needs, 2 per value.

    Each layer keeps the inputs of its two norms, of q, k and v, of attention (q, k, v), of the
    output projection, of the MLP, and four values per unit of the MLP. Recomputed, it keeps its
    input only, and one layer at a time is whole again.
    """
    shape, tokens = training.shape, training.length * training.batch
    h, k, f = shape.hidden, shape.keys, shape.intermediate
    whole = 2 * tokens * (6 * h + 2 * k + 4 * f)
    kept = 2 * tokens * h * shape.layers + whole if training.recompute else whole * shape.layers
    # In bfloat16, again in float32, and its gradient.
    logits = tokens * shape.vocabulary * (2 + 4 + 4) if training.logits else 0
    size = _BYTES[training.dtype][0]
    gathered = size * min(shape.parameters, max(_LIVE, shape.layer)) if stage == 3 else 0
    return kept + logits + gathered


def operations(training: Training) -> float:
    """Return floating-point operations per token: 6 N, and 6 layers x width x length.

    With LoRA 4 N, since frozen weights have no gradients. Recomputing is not counted, as is usual.
    """
    shape = training.shape
    dense = (4 if training.rank else 6) * shape.parameters
    return dense + 6 * shape.layers * shape.hidden * training.length


def cost(training: Training, tokens: float, mfu: float = MFU, price: float | None = None) -> Cost:
    """Return time and dollars.

    Args:
        training: The training.
        tokens: Tokens to train on; with several epochs, those of all together.
        mfu: Share of the GPUs' peak that is reached.
        price: US dollars per GPU and hour, in place of the table's.
    """
    rate = mfu * training.gpus * training.gpu.flops / operations(training)
    hours = tokens / rate / 3600
    price = training.gpu.price if price is None else price
    return Cost(rate, hours, None if price is None else hours * training.gpus * price)
