"""Sizes of models: those of a decoder like Llama and Qwen 2, by name or from a config."""

import re
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.errors import TrainerError
from trainer.runtime.embedded_model import resolve

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}


@dataclass(frozen=True, slots=True)
class Shape:
    """A decoder: attention with shared keys and values, a gated MLP, biases of q, k and v.

    Attributes:
        name: Whose shape it is.
        layers: Number of layers.
        hidden: Width of the residual stream.
        intermediate: Width of the MLP.
        keys: Width of all heads of keys together.
        vocabulary: Number of tokens.
        tied: Whether the head is the embedding.
        counted: Number of parameters, where the model itself was counted.
    """

    name: str
    layers: int
    hidden: int
    intermediate: int
    keys: int
    vocabulary: int = 152_064
    tied: bool = False
    counted: int | None = None

    @property
    def matrices(self) -> int:
        """Parameters in the matrices of a layer."""
        h, k, f = self.hidden, self.keys, self.intermediate
        return 2 * h * h + 2 * h * k + 3 * h * f

    @property
    def layer(self) -> int:
        """Parameters of a layer."""
        return self.matrices + (self.hidden + 2 * self.keys) + 2 * self.hidden

    @property
    def embeddings(self) -> int:
        """Parameters of the embedding and the head."""
        return (1 if self.tied else 2) * self.vocabulary * self.hidden

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        return self.counted or self.layers * self.layer + self.embeddings + self.hidden

    def adapter(self, rank: int) -> int:
        """Parameters of LoRA (Hu et al. 2021, arXiv:2106.09685) on all matrices but the head."""
        h, k, f = self.hidden, self.keys, self.intermediate
        return self.layers * rank * (4 * h + 2 * (h + k) + 3 * (h + f))


QWEN = (
    Shape("Qwen2.5-0.5B", 24, 896, 4864, 128, 151_936, tied=True),
    Shape("Qwen2.5-1.5B", 28, 1536, 8960, 256, 151_936, tied=True),
    Shape("Qwen2.5-3B", 36, 2048, 11_008, 256, 151_936, tied=True),
    Shape("Qwen2.5-7B", 28, 3584, 18_944, 512),
    Shape("Qwen2.5-14B", 48, 5120, 13_824, 1024),
    Shape("Qwen2.5-32B", 64, 5120, 27_648, 1024),
    Shape("Qwen2.5-72B", 80, 8192, 29_568, 1024),
)
"""From the published config.json of each."""


def amount(text: str) -> float:
    """Return the number that a text such as 470M, 1.5B or 4096 names.

    Raises:
        ValueError: It names none above 0.
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([kmbt]?)", text.strip().lower().replace("_", ""))
    value = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not value > 0:
        raise ValueError(f"{text} is not a number above 0, such as 470M")
    return value


def shape_of(model: str) -> Shape:
    """Return the shape of a model.

    Args:
        model: A size (7B), a directory, a hub id whose config is on this machine, or smollm2.

    Raises:
        TrainerError: There is no such model here, or its shape is not that of a decoder.
    """
    try:
        wanted = amount(model)
    except ValueError:
        return _from_config(model)
    for shape in QWEN:
        if shape.name.lower() == f"qwen2.5-{model.strip().lower()}":
            return shape
    nearest = min(QWEN, key=lambda shape: abs(sqrt(shape.parameters) - sqrt(wanted)))
    return _scaled(nearest, wanted)


def _scaled(shape: Shape, parameters: float) -> Shape:
    """Return `shape` with wider or narrower layers, so that it has as many parameters."""
    square, linear = shape.layers * shape.matrices, shape.embeddings
    factor = (sqrt(linear**2 + 4 * square * parameters) - linear) / (2 * square)
    widths = {w: round(getattr(shape, w) * factor) for w in ("hidden", "intermediate", "keys")}
    return replace(shape, name=f"{shape.name}, scaled", counted=round(parameters), **widths)


def _from_config(model: str) -> Shape:
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(resolve(model), local_files_only=True)
    except (OSError, ValueError) as error:
        raise TrainerError(
            f"--model {model}: neither a size such as 7B nor a model on this machine, whose "
            "config.json could be read"
        ) from error
    text = config.get_text_config()
    if any(getattr(text, name, None) for name in ("num_experts", "num_local_experts")):
        raise TrainerError(f"--model {model}: a mixture of experts; only dense models are planned")
    try:
        keys = text.num_key_value_heads * (
            getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        )
        return Shape(
            Path(model).name,
            text.num_hidden_layers,
            text.hidden_size,
            text.intermediate_size,
            keys,
            text.vocab_size,
            counted=_counted(config),
        )
    except AttributeError as error:
        raise TrainerError(f"--model {model}: its config is not that of a decoder") from error


def _counted(config: "PreTrainedConfig") -> int:
    """Return the number of parameters of the model itself, without making its weights."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    return sum(parameter.numel() for parameter in model.parameters())  # tied ones once
