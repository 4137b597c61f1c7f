"""Write a trained model as a GGUF file, which llama.cpp, Ollama and LM Studio run.

The tokenizer and the hyperparameters are copied from the GGUF file of the model that it was trained
from; the weights are the student's, and the chat template if it has one. The layout is llama.cpp's
(`convert_hf_to_gguf.py`): for the architecture "llama", rows of query and key are in another order.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.errors import TrainerError
from treegraft.write_files import atomic_write

if TYPE_CHECKING:
    import numpy as np
    from gguf import GGUFReader, GGUFWriter

TYPES = ("f32", "f16", "bf16", "q8_0")
ARCHITECTURES = ("llama", "qwen2", "qwen3")
_OWN = ("GGUF.", "general.architecture", "general.file_type", "general.name")
"""Beginnings of the fields that are not copied."""
_TEMPLATE = "tokenizer.chat_template"
_OUTPUT = "output.weight"
"""The head, which a model with tied embeddings leaves out."""


def write_gguf(model: Path, like: Path, file: Path, weights: str = "q8_0") -> int:
    """Write the model in folder `model` to `file`, which is complete or not there at all.

    Args:
        model: A folder with config.json and safetensors.
        like: The GGUF file of the model that it was trained from, of any quantisation.
        file: The file to write.
        weights: How matrices are stored: one of TYPES. Vectors are f32.

    Returns:
        The number of tensors written.

    Raises:
        TrainerError: `like` is no GGUF file, is of another architecture or shape, or a weight is
            missing.
    """
    from gguf import GGUFWriter

    reader = _read(like)
    architecture = str(reader.fields["general.architecture"].contents())
    if architecture not in ARCHITECTURES:
        raise TrainerError(
            f"{like}: its architecture is {architecture}, and this command writes "
            f"{', '.join(ARCHITECTURES)}; llama.cpp's convert_hf_to_gguf.py knows the others"
        )
    found = _weights(model, architecture, _number(reader, architecture, "block_count"))
    wanted = {tensor.name: tuple(map(int, reversed(tensor.shape))) for tensor in reader.tensors}
    wanted.pop("rope_freqs.weight", None)  # a table that llama.cpp can compute
    if _OUTPUT not in found:
        wanted.pop(_OUTPUT, None)
    _check(model, like, wanted, {name: tuple(get().shape) for name, get in found.items()})
    with atomic_write(file) as part:
        writer = GGUFWriter(part, architecture)
        _add_fields(reader, writer, model, weights)
        for name, get in found.items():
            array = _reordered(name, get(), reader, architecture)
            _add(writer, name, array, weights)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return len(found)


def _read(file: Path) -> "GGUFReader":
    from gguf import GGUFReader

    try:
        if file.exists() and not file.is_file():
            raise TrainerError(f"cannot read {file}: not a regular file")
        return GGUFReader(file)
    except OSError as error:
        raise TrainerError(f"cannot read {file}: {error.strerror}") from error
    except (ValueError, KeyError, IndexError) as error:
        raise TrainerError(f"{file} is not a complete GGUF file: {error}") from error


def _number(reader: "GGUFReader", architecture: str, key: str) -> int:
    field = reader.get_field(f"{architecture}.{key}")
    if field is None:
        raise TrainerError(f"the GGUF file has no {architecture}.{key}: choose another for --like")
    return int(field.contents())


def _weights(model: Path, architecture: str, blocks: int) -> Mapping[str, Any]:
    """Return llama.cpp's name of each weight, and a function that loads it."""
    from functools import partial

    from gguf import MODEL_ARCH_NAMES, get_tensor_name_map
    from safetensors import SafetensorError, safe_open

    arch = next(key for key, name in MODEL_ARCH_NAMES.items() if name == architecture)
    names = get_tensor_name_map(arch, blocks)
    found: dict[str, Any] = {}
    for file in sorted(model.glob("*.safetensors")):
        try:
            handle: Any = safe_open(file, "pt")
        except SafetensorError as error:
            raise TrainerError(f"{file} is not a complete file of weights: {error}") from error
        for theirs in handle.keys():  # noqa: SIM118 (it is no dictionary)
            ours = names.get_name(theirs, try_suffixes=(".weight", ".bias"))
            if ours is None:
                raise TrainerError(f"{file}: llama.cpp has no place for the weight {theirs}")
            found[ours] = partial(handle.get_tensor, theirs)
    if not found:
        raise TrainerError(f"{model}: no model here (it has no safetensors)")
    return found


def _check(
    model: Path,
    like: Path,
    wanted: Mapping[str, tuple[int, ...]],
    found: Mapping[str, tuple[int, ...]],
) -> None:
    for name in sorted(wanted.keys() - found.keys()):
        raise TrainerError(f"{model}: it lacks {name}, which {like} has: was it trained from that?")
    for name, shape in found.items():
        if name in wanted and shape != wanted[name]:
            raise TrainerError(
                f"{model}: {name} is {shape}, and {wanted[name]} in {like}: name the GGUF file "
                "of the model that it was trained from"
            )


def _add_fields(reader: "GGUFReader", writer: "GGUFWriter", model: Path, weights: str) -> None:
    from gguf import GGUFValueType, LlamaFileType

    kind = {"f32": "ALL_F32", "f16": "MOSTLY_F16", "bf16": "MOSTLY_BF16", "q8_0": "MOSTLY_Q8_0"}
    writer.add_name(model.resolve().name)
    writer.add_file_type(LlamaFileType[kind[weights]])
    template = model / "chat_template.jinja"
    if template.is_file():
        writer.add_chat_template(template.read_text("utf-8"))
    for field in reader.fields.values():
        if field.name.startswith(_OWN) or (field.name == _TEMPLATE and template.is_file()):
            continue
        is_array = field.types[0] == GGUFValueType.ARRAY
        inner = field.types[-1] if is_array else None
        writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=inner)


def _reordered(name: str, weight: Any, reader: "GGUFReader", architecture: str) -> "np.ndarray":
    """Return the weight as float32, in llama.cpp's order of rows."""
    array: np.ndarray = weight.float().numpy()
    if architecture != "llama" or not any(part in name for part in (".attn_q.", ".attn_k.")):
        return array
    heads = _number(reader, architecture, "attention.head_count")
    if ".attn_k." in name:
        heads = _number(reader, architecture, "attention.head_count_kv")
    halves = array.reshape(heads, 2, len(array) // heads // 2, *array.shape[1:])
    return halves.swapaxes(1, 2).reshape(array.shape)


def _add(writer: "GGUFWriter", name: str, array: "np.ndarray", weights: str) -> None:
    from gguf import GGMLQuantizationType, QuantError, quantize

    kind = GGMLQuantizationType[weights.upper() if array.ndim > 1 else "F32"]
    try:
        stored = quantize(array, kind)
    except QuantError:  # rows that are not made of whole blocks
        kind = GGMLQuantizationType.F16
        stored = quantize(array, kind)
    writer.add_tensor(name, stored, raw_dtype=kind)
