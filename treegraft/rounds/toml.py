"""From a TOML file to `Settings`; every key is known, and of its type, before anything is done."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from engine.errors import UsageError
from treegraft.rounds import flags
from treegraft.rounds.settings import OPTIONS, Flags, Settings


def read(file: Path) -> Settings:
    """The settings in `file`.

    Raises:
        UsageError: naming the file, the table and the key.
    """
    try:
        content = tomllib.loads(file.read_text("utf-8"))
        return parse(content)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"cannot read {file}: {error}") from error
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from None


def parse(content: Mapping[str, Any]) -> Settings:
    """The settings in a file's content. Raises: as `read`."""
    types = get_type_hints(Settings)
    for name, table in content.items():
        if name not in types:
            raise UsageError(f"there is no table [{name}]{flags.nearest(name, types)}")
        if not isinstance(table, dict):
            raise UsageError(f"{name} must be a table: [{name}]")
    made = {name: _table(name, kind, content.get(name, {})) for name, kind in types.items()}
    settings = Settings(**made)
    _check_values(settings)
    return settings


def flag_tables(settings: Settings) -> Iterator[tuple[str, str, Flags]]:
    """(command, table, flags) of every table that holds flags of a command."""
    for section in fields(Settings):
        table = getattr(settings, section.name)
        for key in fields(table):
            of = key.metadata.get("command", OPTIONS)
            if of != OPTIONS:
                name = section.name if key.name == "flags" else f"{section.name}.{key.name}"
                yield of, name, getattr(table, key.name)


def _table(name: str, kind: Any, given: Mapping[str, Any]) -> Any:
    """One table as its class."""
    types, known = get_type_hints(kind), {one.name: one for one in fields(kind)}
    open_ = "flags" in known
    own = {key: value for key, value in given.items() if key in known and key != "flags"}
    rest = {key: value for key, value in given.items() if key not in own}
    if rest and not open_:
        key = next(iter(rest))
        raise UsageError(f"[{name}] has no key {key!r}{flags.nearest(key, known)}")
    for key, one in known.items():
        if key not in own and _required(one):
            raise UsageError(f"[{name}] needs {key}")
    values = {key: _value(f"{name}.{key}", types[key], value) for key, value in own.items()}
    return kind(**values, **({"flags": _flags(name, rest)} if open_ else {}))


def _required(one: Field[Any]) -> bool:
    return one.default is MISSING and one.default_factory is MISSING


def _value(name: str, kind: Any, value: Any) -> Any:
    """`value`, where it is of type `kind`; a whole number is a float as well."""
    if kind == Flags:
        if not isinstance(value, dict):
            raise UsageError(f"[{name}] must be a table")
        return _flags(name, value)
    if get_origin(kind) is Literal:
        allowed: tuple[Any, ...] = get_args(kind)
        if value not in allowed:
            raise UsageError(f"{name} is {value!r}; use one of {', '.join(allowed)}")
        return value
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    if float in kinds and type(value) is int:
        return float(value)
    if type(value) not in kinds:
        words = " or ".join(one.__name__ for one in kinds if one is not type(None))
        raise UsageError(f"{name} is {value!r}; it must be {words}")
    return value


def _flags(name: str, given: Mapping[str, Any]) -> Flags:
    for key, value in given.items():
        if not isinstance(value, str | int | float):  # a bool is an int
            raise UsageError(f"[{name}] {key}: a flag's value is text, a number, true or false")
    return dict(given)


def _check_values(settings: Settings) -> None:
    tasks, rounds = settings.tasks, settings.rounds
    least = {
        "rounds.number": (rounds.number, 1),
        "train.least_pairs": (settings.train.least_pairs, 0),
        "tasks.train_limit": (tasks.train_limit, 1),
        "tasks.held_out_limit": (tasks.held_out_limit, 1),
    }
    for name, (value, lowest) in least.items():
        if value is not None and value < lowest:
            raise UsageError(f"{name} is {value}; it must be at least {lowest}")
    if not 0 <= rounds.failures <= 1:
        raise UsageError(f"rounds.failures is {rounds.failures}; it must be between 0 and 1")
