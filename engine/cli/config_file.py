"""`engine explore --config FILE`: options from a TOML file, and the file that a run keeps."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.flags import flag_fields, flag_name
from engine.config import Config, without_password
from engine.errors import UsageError
from engine.panels import OUTPUT

if TYPE_CHECKING:
    from engine.cli.option_table import CommandOptions

_NOT_KEPT = frozenset({"dry-run", "yes"})


def config_option(options: "Callable[[], CommandOptions]") -> Any:
    """Return the type of a parameter `--config`: the file's options are the flags' defaults."""

    def take(context: typer.Context, file: Path | None) -> Path | None:
        if file is not None and not context.resilient_parsing:
            context.default_map = _defaults(file, options())
        return file

    return Annotated[
        Path | None,
        typer.Option(
            "--config",
            help="TOML file of these options, by their names; flags override it. "
            "Each run keeps such a file, config.toml.",
            rich_help_panel=OUTPUT,
            callback=take,
            is_eager=True,
        ),
    ]


def _defaults(file: Path, options: "CommandOptions") -> dict[str, Any]:
    """Return the values of flags in `file`, as the command line has them.

    Raises:
        UsageError: A key is unknown, or its value has the wrong type.
    """
    table, _ = _parts(file)
    try:
        read = options.read(table)
    except ValueError as error:
        raise UsageError(f"{file}: {error}") from None
    return {name: json.dumps(v) if isinstance(v, dict) else v for name, v in read.items()}


def env_args(file: Path | None) -> list[str]:
    """Return the environment's own options in `file`, as `--env-arg` has them: key=value each.

    Raises:
        UsageError: They are no table.
    """
    if file is None:
        return []
    _, given = _parts(file)
    if not isinstance(given, Mapping):
        raise UsageError(f"{file}: env-arg must be a table, such as [env-arg], then key = value")
    return [f"{name}={v if isinstance(v, str) else json.dumps(v)}" for name, v in given.items()]


def _parts(file: Path) -> tuple[dict[str, Any], Any]:
    """Return the options in a file, and its table of the environment's own options."""
    from engine.cli.option_table import read_toml, underscored

    table = read_toml(file)
    own = [table.pop(key) for key in list(table) if underscored(key) in ("env_arg", "env_args")]
    return table, own[0] if own else {}


def settings_text(config: Config, *parts: Any) -> str:
    """Return a file that starts the same run again: the options of `config`, and of `parts`.

    A value that holds a password is left out. The keys of servers are no options.
    """
    import tomli_w

    values = {
        flag_name(each).removeprefix("--"): getattr(part, each.name)
        for part in (*parts, config, config.search, config.budget)
        for each in flag_fields(type(part))
    }
    kept, secret = _kept({name: v for name, v in values.items() if name not in _NOT_KEPT})
    own, own_secret = _kept(config.env_args)
    secret += [f"env-arg {name}" for name in own_secret]
    lines = [
        "# What `engine explore` was told. To go on with the run: --config FILE",
        "# To do the same anew: --config FILE --output ANOTHER",
        *(f"# {name} holds a password: give it as a flag" for name in secret),
        "",
        tomli_w.dumps(kept | ({"env-arg": own} if own else {})),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _kept(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return options as TOML has them, which knows no null and no paths; and what is left out."""
    written = {name: _toml(v) for name, v in values.items() if v not in (None, "", {})}
    texts = {name: v if isinstance(v, str) else json.dumps(v) for name, v in written.items()}
    secret = [name for name, text in texts.items() if without_password(text) != text]
    return {name: v for name, v in written.items() if name not in secret}, secret


def _toml(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return json.dumps(dict(value)) if None in value.values() else dict(value)
    return list(value) if isinstance(value, tuple) else value
