"""A TOML table that holds the options of a command, by the names of its flags.

Names, types and bounds come from the dataclasses that also make the commands' flags, so there is no
second list to keep up to date.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    create_model,
)

from engine.cli.flags import flag_fields, json_object, parameter_name
from engine.errors import UsageError
from treegraft.text_files import read_text

Options = dict[str, Any]
"""Options of a command by name, with underscores; JSON only."""

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class CommandOptions:
    """The options that a table may hold.

    Attributes:
        command: The command, for messages.
        classes: Dataclasses whose fields are the options.
        reserved: Options that rounds set themselves, or that other tables hold.
        renamed: Old name to new name.
        renamed_values: Option and old value to new value.
    """

    command: str
    classes: tuple[type, ...]
    reserved: frozenset[str] = frozenset()
    renamed: Mapping[str, str] = field(default_factory=dict)
    renamed_values: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def read(self, table: Any) -> Options:
        """Return the options in a table of the file, checked and under today's names.

        Raises:
            ValueError: An option is unknown, reserved, or of the wrong type.
        """
        if not isinstance(table, Mapping):
            raise ValueError("must be a table")
        model = _model(self)
        values: Options = {}
        for key, value in table.items():
            name = self._current(underscored(key))
            if name in self.reserved:
                raise ValueError(f"{key}: rounds set this option of `{self.command}` themselves")
            if name not in model.model_fields:
                near = nearest(name, model.model_fields)
                raise ValueError(f"has no key {key!r}, nor has `{self.command}`{near}")
            values[name] = self.renamed_values.get((name, str(value)), value)
        try:
            return model(**values).model_dump(mode="json", exclude_unset=True)
        except ValidationError as error:
            raise ValueError(what_is_wrong(error)) from None

    def _current(self, name: str) -> str:
        known = name in _model(self).model_fields
        return name if known else self.renamed.get(name, name)


def read_toml(file: Path) -> dict[str, Any]:
    """Return what a TOML file holds.

    Raises:
        FileError: It cannot be read.
        UsageError: It is not TOML.
    """
    try:
        return tomllib.loads(read_text(file))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"cannot read {file}: {error}") from error


def take(cls: type[T], options: Options) -> T:
    """Make a `cls` from those of `options` that are its fields, and remove them from `options`.

    Raises:
        TreegraftError: Options contradict each other.
    """
    hints = get_type_hints(cls)
    found = {}
    for each in flag_fields(cls):
        if (name := parameter_name(each)) in options:
            hint = each.metadata.get("type", hints[each.name])
            found[each.name] = TypeAdapter(hint).validate_python(options.pop(name))
    return cls(**found)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the end of a message: which known name was probably meant, else all of them."""
    names = sorted(known)
    close = get_close_matches(name, names, 1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(names)}"


def what_is_wrong(error: ValidationError, depth: int = 0) -> str:
    """Return the first mistake that pydantic found: the key, its value and the reason.

    Args:
        error: What pydantic raised.
        depth: Number of tables around the key.
    """
    first = error.errors()[0]
    key = str(first["loc"][depth])
    if reason := first.get("ctx", {}).get("error"):
        return f"{key}: {reason}"
    return f"{key} is {first['input']!r}; it must {first['msg'].removeprefix('Input should ')}"


def underscored(name: str) -> str:
    """Return a key in the spelling of Python names."""
    return name.replace("-", "_")


@cache
def _model(command: CommandOptions) -> type[BaseModel]:
    """Return a model of the table: every option that it may hold, with its type and bounds."""
    declared: dict[str, Any] = {}
    for cls in command.classes:
        hints = get_type_hints(cls)
        for each in flag_fields(cls):
            if each.metadata.get("old"):
                continue
            hint = each.metadata.get("type", hints[each.name])
            low, high, above = (each.metadata.get(name) for name in ("min", "max", "above"))
            bounds = Field(default=None, ge=low, le=high, gt=above)
            before = BeforeValidator(partial(_from_file, hint))
            declared.setdefault(parameter_name(each), (Annotated[hint, before], bounds))
    allowed = {name: made for name, made in declared.items() if name not in command.reserved}
    return create_model("Table", __config__=ConfigDict(protected_namespaces=()), **allowed)


def _from_file(hint: Any, value: Any) -> Any:
    """Return a value as pydantic takes it; lists and mappings may be texts: "a,b", '{"a": 1}'."""
    kinds = {hint, *get_args(hint)}
    if isinstance(value, bool) and kinds & {int, float} and bool not in kinds:
        raise ValueError(f"it is {str(value).lower()}; it must be a number")
    if isinstance(value, str) and get_origin(hint) is tuple:
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, str) and get_origin(hint) is Mapping:
        try:
            return json_object(value, "it")
        except UsageError as error:
            raise ValueError(str(error)) from None
    return value
