"""The settings of another trainer's data set, from that trainer's own file.

TRL: the YAML file of `trl sft --config`. LLaMA-Factory: `dataset_info.json`, or the YAML file of a
training, which names one beside it. axolotl: its YAML file. prime-rl: its TOML file.
"""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainer.errors import TrainerError
from treegraft.file_errors import FileError
from treegraft.text_files import read_text

Found = tuple[Path, dict[str, Any]]
"""The file of rows, and the settings that belong to it."""


def settings_of(trainer: str, file: Path | None, dataset: Path) -> Found:
    """Return the file of rows and the settings of a data set.

    Args:
        trainer: One of `mask_readings.TRAINERS`.
        file: The trainer's own file, or None for its defaults.
        dataset: The rows, or a data set's name in `file`.

    Raises:
        TrainerError: `file` cannot be read, or it has no such data set.
    """
    if file is None:
        if trainer == "llama-factory":
            raise TrainerError("--for llama-factory needs --trainer-config dataset_info.json")
        return dataset, {}
    values = _read(file)
    try:
        return _FINDERS[trainer](file, values, dataset)
    except (AttributeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise TrainerError(f"{file}: is no configuration of {trainer}: {reason}") from error


def _read(file: Path) -> dict[str, Any]:
    try:
        text = read_text(file)
        values = _parsed(file.suffix.lower(), text)
    except (FileError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise TrainerError(f"--trainer-config {file}: cannot be read: {reason}") from error
    if not isinstance(values, dict):
        raise TrainerError(f"--trainer-config {file}: must hold keys and values")
    return values


def _parsed(suffix: str, text: str) -> Any:
    if suffix == ".json":
        return json.loads(text)
    if suffix == ".toml":
        return tomllib.loads(text)
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _trl(file: Path, values: dict[str, Any], dataset: Path) -> Found:
    return dataset, values


def _llama_factory(file: Path, values: dict[str, Any], dataset: Path) -> Found:
    training: Mapping[str, Any] = {}
    if file.suffix.lower() != ".json":
        training, file = values, file.parent / values.get("dataset_dir", ".") / "dataset_info.json"
        values = _read(file)
    entries = {name: entry.get("file_name") for name, entry in values.items()}
    name = _entry(file, entries, dataset)
    entry = values[name]
    settings = {
        "formatting": entry.get("formatting", "alpaca"),
        "ranking": bool(entry.get("ranking")),
        **{key: entry[key] for key in ("columns", "tags") if entry.get(key)},
        "mask_history": bool(training.get("mask_history")),
        "train_on_prompt": bool(training.get("train_on_prompt")),
    }
    if settings["formatting"] not in ("alpaca", "sharegpt", "openai"):
        raise TrainerError(f"{file}: {name}: formatting must be alpaca, sharegpt or openai")
    return _rows(file, dataset, entries[name]), settings


def _axolotl(file: Path, values: dict[str, Any], dataset: Path) -> Found:
    entries = {str(one["path"]): one for one in values.get("datasets") or [] if "path" in one}
    name = _entry(file, {path: path for path in entries}, dataset)
    entry = entries[name]
    if entry.get("type") != "chat_template":
        raise TrainerError(f"{file}: {name}: type must be chat_template, not {entry.get('type')!r}")
    template = entry.get("chat_template") or values.get("chat_template") or "tokenizer_default"
    jinja = entry.get("chat_template_jinja") or values.get("chat_template_jinja")
    own = not jinja and str(template).startswith("tokenizer_default")
    shared = {key: values[key] for key in ("train_on_inputs", "eot_tokens") if key in values}
    return _rows(file, dataset, name), {**shared, **entry, "model_template": own}


def _prime_rl(file: Path, values: dict[str, Any], dataset: Path) -> Found:
    data = values.get("data") or {}
    return _rows(file, dataset, data.get("name")), dict(data)


def _entry(file: Path, entries: Mapping[str, str | None], dataset: Path) -> str:
    """Return the entry that is called like `dataset`, or whose file is; else the only one."""
    found = [
        name
        for name, place in entries.items()
        if name == str(dataset) or (place and Path(place).name == dataset.name)
    ]
    found = found or (list(entries) if len(entries) == 1 else [])
    if not found:
        known = ", ".join(entries) or "none"
        raise TrainerError(f"{file}: has no data set {dataset}; it has: {known}")
    return found[0]


def _rows(file: Path, dataset: Path, place: str | None) -> Path:
    """Return the file of rows: `dataset` if there is one, else where `file` says."""
    if dataset.exists() or not place:
        return dataset
    beside = file.parent / place
    return beside if beside.exists() else dataset


_FINDERS = {
    "trl": _trl,
    "llama-factory": _llama_factory,
    "axolotl": _axolotl,
    "prime-rl": _prime_rl,
}
