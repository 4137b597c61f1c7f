"""Make torch ready: check that it is installed, share the cores, quiet warnings of libraries."""

import logging
import os
import warnings
from importlib.util import find_spec

from trainer.errors import TrainerError
from trainer.runtime.hardware import share_cores


def prepare_torch() -> None:
    """Check that the packages for training are installed, and configure threads and warnings.

    Call it before torch is imported.

    Raises:
        TrainerError: A package is not installed.
    """
    _require("train", "torch", "transformers", "trl")
    _prepare()


def prepare_tokenizers() -> None:
    """Check that tokenizers can be loaded; torch is not needed, but made ready if it is there.

    Raises:
        TrainerError: A package is not installed.
    """
    _require("masks", "transformers")
    # Without torch, transformers warns that it has tokenizers only: they are all that is used.
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    _prepare()


def _require(extra: str, *names: str) -> None:
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise TrainerError(f"{missing[0]} is not installed: pip install 'treegraft[{extra}]'")


def _prepare() -> None:
    share_cores()
    # TRL calls what transformers has deprecated, and DeepSpeed what torch has. A user of the
    # command can do nothing about either.
    for deprecated in ("transformers", r"torch\.distributed"):
        warnings.filterwarnings("ignore", category=FutureWarning, module=deprecated)
    for name in ("DeepSpeed", "accelerate.accelerator"):
        logging.getLogger(name).addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Return whether a warning is worth showing.

    DeepSpeed is imported wherever it is installed, used or not, and warns that there is no GPU.
    accelerate warns that DeepSpeed's configuration sets the accumulation, which is intended.
    """
    known = "Setting accelerator to CPU", "Gradient accumulation steps mismatch"
    return not any(text in record.getMessage() for text in known)
