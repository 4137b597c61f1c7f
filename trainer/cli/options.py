"""What the commands share: the YAML file of flags, and the setup before torch is imported."""

from pathlib import Path
from typing import Annotated

import typer

from trainer.errors import TrainerError
from treegraft.file_errors import FileError
from treegraft.text_files import read_text

RENAMED = {"model-name-or-path": "model", "output-dir": "output"}
"""TRL's names of flags that have shorter ones here; both are accepted."""


def _defaults(context: typer.Context, file: Path | None) -> Path | None:
    """Take a command's defaults from a YAML file whose keys are its flags; flags win."""
    if file is None:
        return None
    import yaml

    try:
        values = yaml.safe_load(read_text(file)) or {}
    except (FileError, RecursionError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise TrainerError(f"cannot read --config {file}: {reason}") from error
    if not isinstance(values, dict):
        raise TrainerError(f"--config {file}: must hold flags and their values")
    names = {
        option.lstrip("-"): str(parameter.name)
        for parameter in context.command.params
        for option in parameter.opts
        if parameter.name != "config"
    }
    normalize = context.token_normalize_func or str
    flags = {normalize(str(key)): value for key, value in values.items()}
    if unknown := sorted(flags.keys() - names.keys()):
        raise TrainerError(f"--config {file}: no such flag: {', '.join(unknown)}")
    defaults = {names[flag]: value for flag, value in flags.items()}
    context.default_map = {**(context.default_map or {}), **defaults}
    return file


Config = Annotated[
    Path | None,
    typer.Option(help="YAML file of these flags; flags win.", callback=_defaults, is_eager=True),
]
