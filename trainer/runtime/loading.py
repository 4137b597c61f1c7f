"""Load models and tokenizers without progress bars, with one-line errors."""

from typing import TYPE_CHECKING

from trainer.errors import TrainerError
from trainer.runtime.embedded_model import resolve

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load(
    name_or_path: str, dtype: "torch.dtype", attention: str = "sdpa"
) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """Return a causal model, on the CPU, and its tokenizer.

    Args:
        name_or_path: Directory, hub id or smollm2.
        dtype: Storage type of the weights.
        attention: transformers' name of the attention implementation.

    Raises:
        TrainerError: There is no such model, or it cannot be downloaded.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    path = resolve(name_or_path)
    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
        model = AutoModelForCausalLM.from_pretrained(
            path, dtype=dtype, attn_implementation=attention
        )
    except (OSError, ValueError) as error:  # no such id, no network, unknown architecture
        first = str(error).strip().splitlines()[0]
        raise TrainerError(f"cannot load model {name_or_path}: {first}") from error
    return model, tokenizer


def load_tokenizer(name_or_path: str) -> "PreTrainedTokenizerBase":
    """Return a model's tokenizer alone.

    Args:
        name_or_path: Directory, hub id or smollm2.

    Raises:
        TrainerError: There is no such tokenizer, or it cannot be downloaded.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(resolve(name_or_path))
    except (OSError, ValueError) as error:  # no such id, no network, unknown kind
        first = str(error).strip().splitlines()[0]
        raise TrainerError(f"cannot load the tokenizer of {name_or_path}: {first}") from error
    return tokenizer
